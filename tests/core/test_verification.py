"""What proves a content, the shares, the chain, and what is kept of findings."""

import hashlib
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.counts import KEPT_PROBLEMS
from backup_action.core.entry import Entry, Sort
from backup_action.core.kept import KeptContents
from backup_action.core.problem import Kind
from backup_action.core.snapshot import Parent
from backup_action.core.stored import Stored
from backup_action.core.verification import Findings, Link, Proof, Share, against, chain, is_same, proves, share, subset

SHA = hashlib.sha256(b"x").hexdigest()
FILE = Entry("t/a", Sort.FILE, "t/a", size=3, sha256=SHA, crc64=7, etag="E", last_modified=9)


def entry(**more: Any) -> Entry:
    return msgspec.structs.replace(FILE, **more)


@given(st.text(), st.integers(1, 40), st.integers(0, 10**6))
def test_every_path_is_in_just_one_share_and_so_many_days_come_by_all(path: str, of: int, day: int) -> None:
    assert sum(Share(number, of).has(path) for number in range(1, of + 1)) == 1
    turns = [share(f"auto/{of}", day + later) for later in range(of)]
    assert sorted(turns) == [Share(number, of) for number in range(1, of + 1)]
    assert share(f"{of}/{of}", day) == Share(of, of)


def test_shares_are_about_equal() -> None:
    paths = [f"data/{number}.csv" for number in range(3000)]
    assert all(200 < sum(map(Share(number, 10).has, paths)) < 400 for number in range(1, 11))
    assert Share(1, 1).has("\udcff")


@given(st.one_of(st.text(max_size=8), st.from_regex(r"(auto|[0-9]{1,6})/[0-9]{1,6}", fullmatch=True)))
def test_a_subset_is_read_or_refused(text: str) -> None:
    try:
        checked = subset(text)
    except ValueError as error:
        assert "auto/t" in str(error)
        return
    told = share(checked, 5)
    assert 1 <= told.number <= told.of <= 10_000


def test_what_a_listing_proves() -> None:
    there = Stored("t/a", 3, "E", 9)
    assert is_same(FILE, there) and is_same(entry(last_modified=0), there)
    assert not is_same(entry(size=4), there) and not is_same(entry(etag="F"), there)
    assert not is_same(entry(last_modified=8), there), "put there anew"
    assert not is_same(entry(etag=""), Stored("t/a", 3, "", 9)), "nothing proves nothing"


def test_what_a_head_proves() -> None:
    assert proves(FILE, "3", "7", "other") and not proves(FILE, "3", "8", "E"), "the CRC-64 decides"
    assert not proves(FILE, "4", "7", "E"), "a size is a size"
    assert proves(FILE, "3", "", "E") and not proves(FILE, "3", "", "F"), "without one, the ETag"
    assert not proves(entry(etag=""), "3", "", "")


@given(st.lists(st.sampled_from("abcdefgh"), unique=True), st.lists(st.sampled_from("abcdefgh"), unique=True))
def test_files_and_listing_are_merged_by_key(names: list[str], keys: list[str]) -> None:
    files = [entry(path=name, place=name) for name in sorted(names)]
    extra = [Entry("b", Sort.FOLDER, "b"), entry(path="c", place="c", gone=True)]
    listed = [Stored(key, 3, "E", 9) for key in sorted(keys)]
    found = list(against(sorted([*files, *extra], key=lambda one: one.place), listed))
    assert [one.entry for one in found] == files, "folders and what is gone are not looked for"
    assert [one.is_listed for one in found] == [one.path in keys for one in files]
    assert all((one.there is not None) == (one.entry.path in keys) for one in found)


@given(st.lists(st.binary(max_size=3), unique=True, max_size=50), st.sets(st.integers(0, 49)))
def test_the_history_knows_its_contents(contents: list[bytes], left: set[int]) -> None:
    kept = KeptContents()
    shas = [hashlib.sha256(content).hexdigest() for content in contents]
    there = {sha for at, sha in enumerate(shas) if at not in left}
    for sha in sorted(there):
        kept.add(Stored(f"{sha[:2]}/{sha}", 3, "E", 9))
        kept.add(Stored(f"{sha[:2]}/zz", 3, "E", 9))
        kept.add(Stored(f"{'00' if sha[:2] != '00' else 'ff'}/{sha}", 3, "E", 9))
    assert len(kept) == len(there)
    for sha in shas:
        assert kept.look(entry(sha256=sha)) == (sha in there, sha in there)
        assert kept.look(entry(sha256=sha, etag="F")) == (sha in there, False)
        assert kept.look(entry(sha256=sha, size=4)) == (False, False)
    assert kept.look(entry(sha256="")) == kept.look(entry(sha256="x" * 64)) == (False, False)


def links(count: int) -> list[Link]:
    """A chain that holds, oldest first."""
    found: list[Link] = []
    for number in range(1, count + 1):
        parent = Parent(found[-1].id, found[-1].digest) if found else None
        found.append(Link(f"id-{number}", f"digest-{number}", number, parent, 1, 1))
    return found


@given(st.integers(1, 12), st.data())
def test_what_was_pruned_is_a_gap_and_what_was_rewritten_is_told(count: int, data: st.DataObject) -> None:
    whole = links(count)
    assert chain(whole, ()) == ([], 0)
    left = data.draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    rest = [one for at, one in enumerate(whole) if at not in left]
    gaps = {at for at in left if at + 1 < count and at + 1 not in left}
    assert chain(rest, ()) == ([], len(gaps))
    assert chain(rest, {f"id-{at + 1}" for at in gaps}) == ([], 0), "what is damaged is told elsewhere"
    at = data.draw(st.integers(0, count - 1))
    forged = [msgspec.structs.replace(one, digest="other") if one is whole[at] else one for one in whole]
    broken, _ = chain(forged, ())
    assert [problem.where for problem in broken] == ([f"id-{at + 1}"] if at + 1 < count else [])
    assert all(problem.kind is Kind.SNAPSHOT_CHAIN for problem in broken)


def test_a_number_that_does_not_follow_and_a_parent_that_is_not_named() -> None:
    one, two, three = links(3)
    late = msgspec.structs.replace(three, sequence=5)
    assert [problem.facts.get("cause") for problem in chain([one, two, late], ())[0]] == ["sequence"]
    alone = msgspec.structs.replace(three, parent=None)
    assert [problem.facts.get("cause") for problem in chain([one, two, alone], ())[0]] == ["orphan"]


def test_a_content_counts_once_and_its_damage_has_every_snapshot() -> None:
    findings = Findings(several=True)
    assert not findings.is_known(FILE, "s3")
    findings.found(FILE, Proof.MISSING, "s3")
    for snapshot in ("s2", "s1"):
        assert findings.is_known(entry(mode=7, last_modified=0), snapshot), "the same content"
    for other in (
        entry(etag="F"),
        entry(version="v"),
        entry(place="t/b"),
        entry(sha256="0" * 64),
        entry(size=1),
        entry(chunks=["ab" * 32]),
    ):
        assert not findings.is_known(other, "s1")
    (problem,) = findings.problems()
    assert problem.facts["snapshots"] == "s3, s2, s1" and findings.damaged == 1


def test_of_damage_without_end_a_report_names_the_first_and_counts_all() -> None:
    findings = Findings()
    for number in range(KEPT_PROBLEMS + 5):
        findings.found(entry(path=f"{number:05}", place=f"{number:05}"), Proof.ALTERED, "s")
    problems = list(findings.problems())
    assert len(problems) == KEPT_PROBLEMS + 5 and {problem.where for problem in problems[KEPT_PROBLEMS:]} == {""}
    assert findings.damaged == KEPT_PROBLEMS + 5
