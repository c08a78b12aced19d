"""The command files' grammar, and the masks."""

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.sandbox.command_files import SUMMARY_LIMIT, CommandFileError, blocked, folders, pairs, read, summary
from backup_action.sandbox.masking import Masker

GOOD = [
    ("", []),
    ("\n\n", []),
    ("a=b\n", [("a", "b")]),
    ("a=b", [("a", "b")]),
    ("a=\n", [("a", "")]),
    ("a=b=c<<d\n", [("a", "b=c<<d")]),
    (" a = b \n", [(" a ", " b ")]),
    ("a=b\r\n", [("a", "b\r")]),
    ("a=1\na=2\n", [("a", "1"), ("a", "2")]),
    ("a<<E\nE\n", [("a", "")]),
    ("a<<E\n\nE\n", [("a", "")]),
    ("a<<E\n\n\nE\n", [("a", "\n")]),
    ("a<<E\nx\nE\n", [("a", "x")]),
    ("a<<E\nx\nE", [("a", "x")]),
    ("a<<E\nx=1\n<<\nb=2\nE\nc=3\n", [("a", "x=1\n<<\nb=2"), ("c", "3")]),
    ("a<<E=F\nx\nE=F\n", [("a", "x")]),
    ("a<<b<<c\nx\nb<<c\n", [("a", "x")]),
    ("a<<E\nE \n E\nE\n", [("a", "E \n E")]),
    ("a<< E\nx\n E\n", [("a", "x")]),
    ("a<<E\nx\r\nE\n", [("a", "x\r")]),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_pairs(text, expected):
    assert list(pairs(text)) == expected


BAD = [
    ("a\n", "Invalid format 'a'"),
    ("a=1\nb\n", "Invalid format 'b'"),
    (" \n", "Invalid format ' '"),
    ("=b\n", "Value cannot be null"),
    ("<<E\nx\nE\n", "Name must not be empty and delimiter must not be empty"),
    ("a<<\nx\n", "Name must not be empty and delimiter must not be empty"),
    ("a<<E\n", "Matching delimiter not found 'E'"),
    ("a<<E", "Matching delimiter not found 'E'"),
    ("a<<E\nx\n", "Matching delimiter not found 'E'"),
    ("a<<E\nx", "EOF marker missing new line"),
    ("a<<E\nx\nE \n", "Matching delimiter not found 'E'"),
    ("a<<E\r\nx\nE\n", "Matching delimiter not found"),
    ("a<<E\nx\nE\r\n", "Matching delimiter not found 'E'"),
    ("a<<E\nx\nE\nF\n", "Invalid format 'F'"),
]


@pytest.mark.parametrize(("text", "part"), BAD)
def test_bad_line(text, part):
    with pytest.raises(CommandFileError, match=part):
        list(pairs(text))


def test_pairs_before_a_bad_line_count():
    found = []
    with pytest.raises(CommandFileError):
        found.extend(pair for pair in iter_into(found, "a=1\nb<<E\n2\nE\nbad\nc=3\n"))
    assert found == [("a", "1"), ("b", "2")]


def iter_into(found, text):
    for pair in pairs(text):
        found.append(pair)
    yield from ()


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_a_random_delimiter_carries_any_value(items):
    items = [(name.replace("\n", "").replace("<<", "").replace("=", "") or "n", value) for name, value in items]
    items = [("n" if name.endswith("<") else name, value) for name, value in items]
    delimiter = "ghadelimiter_4f1c"
    text = "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in items)
    assert list(pairs(text)) == items


def test_blocked_names():
    assert "NODE_OPTIONS" in (blocked("node_options") or "")
    assert blocked("GITHUB_SHA") is None and blocked("X") is None


def test_folders():
    assert folders("/a\r\n\n/b c\r/d\n") == ["/a", "/b c", "/d"]


def test_read(tmp_path):
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbfa=\xff\n")
    assert read(tmp_path / "f") == "a=\ufffd\n"
    assert read(tmp_path / "none") == ""


def test_summary_is_masked_by_line_and_bounded(tmp_path):
    path = tmp_path / "summary"
    masker = Masker(["sec\nret", "hidden"])
    assert summary(path, masker) == ""
    path.write_text("a hidden\nsec\nret\nlast", newline="")
    assert summary(path, masker) == "a ***\nsec\nret\nlast\n"
    path.write_bytes(b"x" * SUMMARY_LIMIT)
    assert len(summary(path, masker)) == SUMMARY_LIMIT + 1
    path.write_bytes(b"x" * (SUMMARY_LIMIT + 1))
    with pytest.raises(CommandFileError, match=r"up to a size of 1024k, got 1024k"):
        summary(path, masker)


SECRET = "p\"a's\\s <w>&ö d"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(SECRET.encode()[1:]).decode(),
        base64.b64encode(SECRET.encode()[2:]).decode(),
        SECRET.replace('"', '\\"'),
        SECRET.replace("'", "''"),
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        urllib.parse.quote(SECRET, safe=""),
        "p&quot;a&apos;s\\s &lt;w&gt;&amp;ö d",
    ],
)
def test_masked_forms(form):
    assert Masker([SECRET]).mask(f"x{form}y") == "x***y"


def test_base64_inside_a_longer_text():
    masker = Masker(["0123456789AB"])
    for before in (b"", b"a", b"ab", b"abc"):
        encoded = base64.b64encode(before + b"0123456789AB").decode()
        assert "***" in masker.mask(encoded)


def test_lines_quotes_and_ampersands():
    masker = Masker(['"quoted-value"', "part-one&part-two", "first6&+xsecond"])
    masker.add_lines("  line-one \r\n\nline-two")
    assert masker.mask("line-one line-two line-three") == "*** *** line-three"
    assert masker.mask("quoted-value") == "***"
    assert masker.mask("part-one& / part-two") == "*** / ***"
    assert masker.mask("first6&+ / second") == "*** / ***"


def test_places_that_touch_or_overlap_become_one():
    masker = Masker(["aba", "xy", "ab"])
    assert masker.mask("ababa.xyxy.ab-xyaba") == "***.***.***-***"
    assert Masker().mask("text") == "text"
    assert Masker([""]).mask("text") == "text"


def test_hides():
    masker = Masker(["secret"])
    assert masker.hides("a secret") and masker.hides("c2VjcmV0") and not masker.hides("open")


@given(st.lists(st.text(min_size=1, max_size=5), max_size=5), st.text(max_size=40))
def test_nothing_masked_remains(values, text):
    values = [value for value in values if "*" not in value]
    masked = Masker(values).mask(text)
    for piece in masked.split("***"):
        assert not any(value in piece for value in values)
