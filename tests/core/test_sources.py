"""The index of sources: what it finds is what was told it last, of all sizes that count, in bounded memory."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.entry import BLOCK, Blocks, Entry, Sort, encode_entry, left_by, order
from backup_action.core.snapshot import FORMAT, Head, Snapshot, Writer
from backup_action.core.sources import FROM, MOST, Source, Sources

HEAD = Head(FORMAT, "20261122T180000Z-6c5f0a26", 1, "s", "tree", "2026-11-22T18:00:00Z", "0.1.0", [])


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


# A content has one size; some contents share theirs.
contents = st.integers(0, 40).map(lambda number: (sha(number), FROM - 2 + number // 3))
sources = st.tuples(contents, st.text(max_size=3), st.sampled_from(["", "null", "V"]))


@given(st.lists(sources))
def test_it_finds_what_was_told_last(told: list[tuple[tuple[str, int], str, str]]) -> None:
    index, known = Sources(), dict[str, Source]()
    for (name, size), key, version in told:
        source = Source(key, f"E{key}", version, size)
        index.add(name, source)
        if size >= FROM:
            known[name] = source
    for number in range(41):
        name, size = sha(number), FROM - 2 + number // 3
        assert index.find(name, size) == known.get(name)
        assert index.find(name, size + 1) is None, "another size is another content, whatever its name says"
    assert {size for size in range(FROM + 20) if index.may_have(size, b"")} == {one.size for one in known.values()}
    assert len(index) == len(known)


@given(st.lists(sources), st.data())
def test_what_is_there_no_longer_is_forgotten_but_not_what_took_its_place(
    told: list[tuple[tuple[str, int], str, str]], data: st.DataObject
) -> None:
    index, last = Sources(), dict[str, Source]()
    for (name, size), key, version in told:
        last[name] = Source(key, "E", version, max(size, FROM))
        index.add(name, last[name])
    for name, source in last.items():
        gone = data.draw(st.sampled_from([source, Source(source.key, "another", source.version, source.size)]))
        index.forget(name, gone)
        assert index.find(name, source.size) == (None if gone == source else source)


@given(st.lists(st.integers(FROM, FROM + 12)), st.integers(2, 9))
def test_memory_is_bounded_and_the_larger_ones_are_found(sizes: list[int], most: int) -> None:
    index = Sources(most)
    for number, size in enumerate(sizes):
        index.add(sha(number), Source(str(number), "E", "", size))
        assert len(index) <= most
    for number, size in enumerate(sizes):
        found = index.find(sha(number), size)
        assert found in (None, Source(str(number), "E", "", size))
        if sum(other >= size for other in sizes) <= most // 2:
            assert found is not None and index.may_have(size, b"")


def test_a_full_index_of_one_size_stays_half_full() -> None:
    index = Sources(10)
    for number in range(100):
        index.add(sha(number), Source(str(number), "E", "", FROM))
    assert len(index) == 6, "and is not given up over and over"
    index.add(sha(100), Source("100", "E", "", FROM + 1))
    assert index.find(sha(100), FROM + 1)


entries = st.builds(
    Entry,
    path=st.sampled_from(["a", "b/c", "\udcff", "数据"]),
    kind=st.sampled_from(Sort),
    place=st.sampled_from(["a", "key", "%00"]),
    size=st.sampled_from([0, FROM - 1, FROM, FROM + 1]),
    sha256=st.integers(0, 3).map(sha),
    etag=st.sampled_from(["", "E"]),
    version=st.sampled_from(["", "null", "V"]),
    gone=st.booleans(),
    stale=st.booleans(),
    blocks=st.sampled_from([None, Blocks(1 << 20, b"0123456789abcdef")]),
)


@given(st.lists(entries))
def test_the_lines_of_a_snapshot_are_read_as_its_entries_are(some: list[Entry]) -> None:
    """What lies in the bucket is what `left_by` says; of one content the first is taken."""
    some = [entry if entry.kind is Sort.FILE or entry.kind is Sort.LINK else entry_of_a_folder(entry) for entry in some]
    index, known = Sources(), dict[str, Source]()
    for entry in some:
        left = left_by(entry)
        if left is not None and left.etag and left.size >= FROM:
            known.setdefault(left.sha256, Source(left.key, left.etag, left.version, left.size))
    index.learn(encode_entry(entry)[:-1] for entry in some)
    assert len(index) == len(known)
    assert all(index.find(name, source.size) == source for name, source in known.items())


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([b"", b"a" * 16, b"b" * 16]))), st.data())
def test_what_may_be_found_is_of_one_size_and_of_one_first_block_where_that_is_known(
    told: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    most = data.draw(st.integers(2, 9))
    index = Sources(most)
    for number, (more, first) in enumerate(told):
        index.add(sha(number), Source(str(number), "E", "", FROM + more), first)
    for number, (more, first) in enumerate(told):
        if index.find(sha(number), FROM + more):
            assert index.may_have(FROM + more, first)
            assert first or index.may_have(FROM + more, b"c" * 16), (
                "of a source without a digest anything may be a copy"
            )
    told_all = {(FROM + more, first) for more, first in told}
    for size in range(FROM, FROM + 10):
        if index.may_have(size, b"a" * 16):
            assert {(size, b"a" * 16), (size, b"")} & told_all


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (Blocks(BLOCK, b"a" * 16 + b"b" * 16), [True, False]),
        (Blocks(2 * BLOCK, b"a" * 32), [True, True]),
        (None, [True, True]),
    ],
)
def test_a_snapshot_tells_first_blocks_where_its_blocks_are_of_the_usual_size(
    blocks: Blocks | None, expected: list[bool]
) -> None:
    index = Sources()
    index.learn([encode_entry(Entry("a", Sort.FILE, "a", FROM, sha256=sha(1), etag="E", blocks=blocks))[:-1]])
    assert [index.may_have(FROM, first) for first in (b"a" * 16, b"b" * 16)] == expected
    assert not index.may_have(FROM + 1, b"a" * 16)


def entry_of_a_folder(entry: Entry) -> Entry:
    return Entry(entry.path, Sort.FOLDER, entry.place)


def test_a_snapshot_gives_the_lines_of_its_entries() -> None:
    writer = Writer(HEAD)
    some = sorted((Entry(name, Sort.FILE, name, FROM, sha256=sha(1), etag="E") for name in ("b", "a")), key=order)
    for entry in some:
        writer.add(entry)
    stored = Snapshot(writer.finish({}, complete=True)[0])
    assert list(stored.lines()) == [encode_entry(entry)[:-1] for entry in some]
    index = Sources()
    index.learn(stored.lines())
    assert index.find(sha(1), FROM) == Source("a", "E", "", FROM)
    known = Source("mine", "E", "", FROM)
    index.add(sha(1), known)
    index.learn(stored.lines())
    assert index.find(sha(1), FROM) == known, "what this run wrote is newer than its parent"


@pytest.mark.slow
def test_a_full_index_takes_no_more_memory_than_it_says() -> None:
    import tracemalloc

    tracemalloc.start()
    index = Sources()
    for number in range(MOST):
        key, etag = f"data/market/{number:09}/2026-11-22.parquet", f"{number:032X}"
        index.add(sha(number), Source(key, etag, "CAEQ" + "0" * 60, FROM + number))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index) == MOST and held < 45 << 20
