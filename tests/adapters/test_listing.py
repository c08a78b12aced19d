"""A page of a listing: read quickly where it is as OSS writes it, and then as any other XML that says the same."""

from __future__ import annotations

import datetime
from typing import NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.adapters.oss.listing import Malformed, parse, quick, thorough
from backup_action.core.stored import Stored

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Row(NamedTuple):
    key: str
    size: int
    etag: str
    moment: int

    def elements(self) -> dict[str, str]:
        told = datetime.datetime.fromtimestamp(self.moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {
            "Key": quote(self.key, safe="/~"),
            "LastModified": told,
            "ETag": f'"{self.etag}"',
            "Type": "Normal",
            "Size": str(self.size),
            "StorageClass": "Standard",
        }


def page(rows: list[str], more: str = "false", coded: str = "<EncodingType>url</EncodingType>") -> bytes:
    frame = f"<Name>b</Name><Prefix>p/</Prefix>{coded}<IsTruncated>{more}</IsTruncated>"
    return f"{HEAD}<ListBucketResult>{frame}{''.join(rows)}</ListBucketResult>".encode()


def contents(elements: dict[str, str], between: str = "", mark: str = '"') -> str:
    inner = between.join(f"<{name}>{value.replace(chr(34), mark)}</{name}>" for name, value in elements.items())
    return f"<Contents>{inner}</Contents>"


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
rows = st.builds(
    Row, names, st.integers(0, 2**50), st.text("0123456789ABCDEF-", min_size=1, max_size=34), st.integers(0, 2**33)
)


@given(st.lists(rows), st.booleans(), st.sampled_from(["", "\n", "\n  "]), st.sampled_from(['"', "&quot;"]))
def test_what_is_written_as_oss_writes_it_is_read_quickly(told: list[Row], more: bool, between: str, mark: str) -> None:
    body = page([contents(row.elements(), between, mark) for row in told], "true" if more else "false")
    expected = ([Stored(*row) for row in told], more)
    assert quick(body) == expected == thorough(body) == parse(body)


def shuffled(elements: dict[str, str], data: st.DataObject) -> dict[str, str]:
    return {name: elements[name] for name in data.draw(st.permutations(list(elements)))}


UNREAD = ["<!-- <Contents> -->", "<Contents/>", "<Contents ><Key>a</Key></Contents>", "<![CDATA[<Contents>]]>"]


@given(st.lists(rows, max_size=3), st.data())
def test_anything_else_is_read_as_the_xml_that_it_is(told: list[Row], data: st.DataObject) -> None:
    """Or not at all. What is read quickly is what the XML says."""
    some = []
    for row in told:
        elements = row.elements()
        change = data.draw(st.sampled_from(["none", "order", "more", "fewer", "value"]))
        if change == "order":
            elements = shuffled(elements, data)
        elif change == "more":
            elements["RestoreInfo"] = 'ongoing-request="true"'
        elif change == "fewer":
            del elements[data.draw(st.sampled_from(list(elements)))]
        elif change == "value":
            elements[data.draw(st.sampled_from(list(elements)))] = escape(data.draw(st.text('<&%FF"a1-', max_size=4)))
        some.append(contents(elements))
    some.insert(data.draw(st.integers(0, len(some))), data.draw(st.sampled_from(["", "&amp;", *UNREAD])))
    coded = data.draw(st.sampled_from(["<EncodingType>url</EncodingType>", "<EncodingType>none</EncodingType>", ""]))
    body = page(some, data.draw(st.sampled_from(["true", "false", "", "no", "<a>true</a>"])), coded)
    body = body[: data.draw(st.sampled_from([None, -1, -10, len(body) // 2]))]
    told_quickly = quick(body)
    try:
        expected = thorough(body)
    except Malformed:
        assert told_quickly is None
        with pytest.raises(Malformed):
            parse(body)
        return
    assert told_quickly in (None, expected) and parse(body) == expected


@pytest.mark.parametrize("row", [*UNREAD, contents({"Key": "a"}), "<IsTruncated>true</IsTruncated>", "<Contents>"])
def test_nothing_goes_unread(row: str) -> None:
    good = contents(Row("a", 1, "E", 0).elements())
    assert (quick(page([good])) and quick(page([good, row, good])) is None) or row == "&amp;"


GOOD = contents(Row("a", 1, "E", 0).elements())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<ListBucketResult>", '<ListBucketResult a="1>'),
        ("<ListBucketResult>", "<X><ListBucketResult>"),
        ("<ListBucketResult>", '<ListBucketResult xmlns="http://doc.example">'),
        ("<ListBucketResult>", "<Y>"),
        (GOOD, f"<?x {GOOD} ?>"),
        (GOOD, f"{GOOD}<a>{GOOD}</a>"),
        (GOOD, GOOD + "&"),
        ("<Name>b</Name>", "<Name>b<"),
        ("<Name>b</Name>", "<Name>b\x01</Name>"),
        ("<Key>a</Key>", "<Key>a\x01</Key>"),
        ("<Key>a</Key>", "<Key>%FF</Key>"),
        ("<Key>a</Key>", "<Key></Key>"),
        ("false", "no"),
        ("UTF-8", 'UTF-8" standalone="<'),
    ],
)
def test_what_the_xml_parser_would_not_take_so_is_not_read_quickly(before: str, after: str) -> None:
    body = page([GOOD, GOOD]).decode()
    assert before in body and quick(body.encode())
    assert quick(body.replace(before, after, 1).encode()) is None


def test_a_page_that_was_damaged_is_read_as_its_xml_or_not_quickly() -> None:
    rows = [Row("a/b c", 12, "0A", 1_700_000_000), Row("数据", 3, "5B3C-2", 0)]
    body = page([contents(row.elements()) for row in rows], "true")
    assert quick(body)
    for at in range(len(body)):
        for other in (b"", b"<", b">", b"&", b"/", b"X", b"0", b"\x00", b"\x0b", b"\x1d", b"\n", b"\xff"):
            damaged = body[:at] + other + body[at + 1 :]
            if (told := quick(damaged)) is not None:
                assert told == thorough(damaged), damaged
