"""Nothing that comes from outside can command the runner, or make a link; and all of it can be encoded."""

import base64
import json
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from backup_action.core import escape
from backup_action.sandbox.workflow_commands import could_be_command, parse_double_colon, parse_legacy

# Names as os.listdir gives them: any text, and bytes that are no UTF-8; the dangerous pieces more often than by chance.
PIECES = [
    *(
        "::",
        ":",
        "##[",
        "#",
        "[",
        "]",
        "](",
        "![",
        "][",
        "]:",
        "`",
        "``",
        "```",
        "|",
        "\\",
        "\\|",
        "<",
        ">",
        "<img src=x>",
    ),
    *(
        "\n",
        "\r",
        "\r\n",
        "\u2028",
        "\x85",
        "\x1b[31m",
        "\u202e",
        "\u200b",
        "\ufe0f",
        "\u0301",
        "\udcff",
        "\ud800",
        "\0",
        " ",
    ),
    *(
        "error",
        "add-mask",
        "::add-mask::v",
        "##[error]v",
        "http://evil.example/x",
        "www.evil.example",
        "a@evil.example",
    ),
    *(
        "@all",
        "&lt;",
        "&#91;",
        "~~",
        "**",
        "_",
        "---",
        "> ",
        "1. ",
        "- ",
        "    ",
        "\t",
        "中文",
        "❤️",
        "👨‍👩‍👧",
        "\U0001faff",
    ),
]
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=12).map("".join)
NAMES = st.one_of(HOSTILE, st.binary(max_size=20).map(lambda raw: raw.decode(errors="surrogateescape")))

READERS = [MarkdownIt("commonmark"), MarkdownIt("commonmark").enable(["table", "strikethrough"])]
LIVE = {"link_open", "image", "html_inline", "html_block", "autolink"}


def flat(tokens: list[Token]) -> list[Token]:
    return [inner for token in tokens for inner in [token, *flat(token.children or [])]]


def live(text: str) -> list[str]:
    """The kinds of nodes in the text that do something, by every reader."""
    return [token.type for reader in READERS for token in flat(reader.parse(text)) if token.type in LIVE]


@given(NAMES, st.sampled_from(["", " ", "  ", "文件 ", "x: ", "[", "#", "::warning::"]), NAMES)
@example("::add-mask::x", "", "")
@example("\n::add-mask::x", "a", "")
@example("##[error]x", "", "")
@example("#", "", "#[error]x")
@example("\u0301::error::x", "", "")
@example("#\U0001faff#[error]", "", "")
@example("#\u0301#\u0301[error]", "", "")
def test_a_line_with_names_in_it_is_never_a_command(first: str, between: str, second: str) -> None:
    if between == "::warning::":  # a command of ours, whose data the names are: it must stay the only one
        line = between + escape.log(second)
        assert parse_legacy(line) is None
        command = parse_double_colon(line)
        assert command is not None and command.name == "warning"
        return
    for line in (escape.log(first), between + escape.log(first), escape.log(first) + between + escape.log(second)):
        assert "\n" not in line and "\r" not in line
        assert parse_double_colon(line) is None
        assert parse_legacy(line) is None
    assert not could_be_command(escape.log(first))


@given(NAMES)
def test_log_is_encodable_and_leaves_its_own_result_alone(name: str) -> None:
    once = escape.log(name)
    once.encode()
    assert escape.log(once) == once
    assert escape.visible(escape.visible(name)) == escape.visible(name)


def test_what_people_write_stays_readable() -> None:
    for text in (
        "数据/因子 2026.csv",
        "❤️ 👨‍👩‍👧 🇨🇳",
        "acs:ram::1234567890123456:role/oss-backup",
        "C:\\data",
        "a: b",
        "#1",
    ):
        assert escape.log(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[31m", r"\u001b[31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\udcff\udc80", r"\xff\x80"),
        ("a\u00a0b\u3000c", r"a\u00a0b\u3000c"),
        ("a\ufe0fb\u200dc", r"a\ufe0fb\u200dc"),
        ("::error::x", r"\x3a:error::x"),
        ("  ::error::x", r"  \x3a:error::x"),
        ("x##[error]", r"x\x23\x23[error]"),
    ],
)
def test_what_nobody_can_see_is_shown(text: str, shown: str) -> None:
    assert escape.log(text) == shown


def test_a_word_is_quoted_where_it_would_be_lost_in_a_sentence() -> None:
    assert [escape.word(text) for text in ("a/b", "a b", "", '"')] == ["a/b", '"a b"', '""', '"""']


@given(NAMES)
@example("`")
@example(" ` ")
@example("   ")
def test_code_is_one_inline_code_with_just_the_name(name: str) -> None:
    for reader in READERS:
        inline = reader.parse(f"x{escape.code(name)}y")[1]
        kinds = [token.type for token in inline.children or []]
        assert kinds == ["text", "code_inline", "text"]
        assert inline.children is not None
        assert inline.children[1].content == (escape.log(name).replace("|", "\\x7c") or '""')


@given(NAMES, NAMES)
@example("a|b", "\\|")
@example("\\", "\\")
def test_a_table_keeps_its_cells(first: str, second: str) -> None:
    text = (
        f"| a | b |\n| --- | --- |\n| {escape.code(first)} | {escape.code(second)} |\n| {escape.plain(first)} | z |\n"
    )
    tokens = READERS[1].parse(text)
    assert [token.type for token in tokens].count("td_open") == 4
    cells = [token.content for token in flat(tokens) if token.type == "code_inline"]
    assert cells[:2] == [escape.log(name).replace("|", "\\x7c") or '""' for name in (first, second)]
    assert not live(text)


@given(NAMES, NAMES)
@example("[x](http://evil.example)", "")
@example("![x](http://evil.example)", "<script>")
@example("[a]", "[a]: http://evil.example")
@example("<http://evil.example>", "")
def test_nothing_becomes_a_link_an_image_or_a_tag(first: str, second: str) -> None:
    for quote in (escape.code, escape.plain, escape.chat):
        text = f"- {quote(first)} {quote(second)}\n\n{quote(second)}\n{quote(first)}\n"
        assert not live(text)
        text.encode()


@given(NAMES, NAMES)
@example("[x](http://evil.example)", "")
@example("x", "<img src=http://evil.example>")
def test_chat_makes_no_link_even_where_code_is_not_understood(first: str, second: str) -> None:
    text = f"> {escape.chat(first)}: {escape.chat(second)}".replace("`", "")
    assert not live(text)


@given(NAMES)
def test_plain_has_no_mention_or_address_that_github_would_make_a_link_of(name: str) -> None:
    shown = "".join(token.content for token in flat(READERS[0].parse(f"x {escape.plain(name)}")) if not token.children)
    for sign in ("://", "www."):
        assert sign not in shown.lower()
    for at, character in enumerate(shown[:-1]):
        assert character not in "@#" or shown[at + 1] == "\u2060"


@given(NAMES)
@example("x\n```\ny")
@example("::add-mask::x")
def test_a_block_is_one_block_with_its_lines(name: str) -> None:
    for reader in READERS:
        tokens = reader.parse(escape.block(name, "json"))
        assert [token.type for token in tokens] == ["fence"]
        assert tokens[0].content == "".join(f"{escape.log(line)}\n" for line in name.split("\n"))


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://github.com/o/r/actions/runs/1", True),
        ("https://ghe.example:8443/o/r", True),
        ("http://github.com/o/r", False),
        ("javascript:alert(1)", False),
        ("https://github.com/o/r)[x](http://evil.example", False),
        ("https://github.com/o/r\n\n![x](y)", False),
        ("https://user@evil.example/", False),
        ("", False),
    ],
)
def test_only_an_address_of_plain_form_becomes_a_link(address: str, is_link: bool) -> None:
    assert bool(live(escape.link("run", address))) is is_link


@given(NAMES, st.integers(0, 40))
def test_cut_keeps_whole_characters_within_the_bytes(name: str, limit: int) -> None:
    short, whole = escape.cut(name, limit), escape.encodable(name)
    assert len(short.encode()) <= limit
    if len(whole.encode()) <= limit:
        assert short == whole
    else:
        kept = short.removesuffix("…")
        assert whole.startswith(kept)
        following = whole[len(kept) : len(kept) + 1]
        assert len((kept + following).encode()) > limit - 3 * (limit >= 3)  # nothing more would have fitted


SECRETS = st.text(st.characters(codec="utf-8"), min_size=6, max_size=40).filter(lambda s: len(s.strip()) >= 6)


@given(SECRETS, st.text(max_size=5))
def test_a_secret_is_found_in_every_form(secret: str, around: str) -> None:
    forms = [
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        escape.log(secret),
    ]
    for form in forms:
        text = escape.redact(f"<{around}{form}>", [secret])
        assert form not in text
        assert escape.REDACTED in text


@given(st.binary(min_size=12, max_size=40).map(lambda raw: raw.hex()), st.binary(max_size=5), st.binary(max_size=5))
def test_a_secret_inside_of_base64_is_found(secret: str, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + secret.encode() + after).decode()
        left = escape.redact(text, [secret]).split(escape.REDACTED)
        assert len(left) == 2
        assert len("".join(left)) <= 20  # the bytes around it, and what is mixed with them


def test_a_text_without_secrets_and_short_secrets_stay() -> None:
    assert escape.redact("status ok: tree", ["ok", "tree", ""]) == "status ok: tree"
    assert escape.redact("x", []) == "x"


def test_the_longest_secret_goes_first_and_each_line_of_one_counts() -> None:
    assert escape.redact("abcdef-ghijkl", ["abcdef", "abcdef-ghijkl"]) == "***"
    assert escape.redact("line: second-line.", ["first-line\nsecond-line"]) == "line: ***."


def test_a_servers_words_are_quoted_without_tokens_and_without_halves_of_them() -> None:
    token = "CAIS" + "x9" * 400
    said = f"StringToSign {'a ' * 240}x-oss-security-token:{token} was not right"
    assert "x9" not in escape.quoted(said) and len(escape.quoted(said)) <= 500
    plain = (
        "The role not exists: acs:ram::1234567890123456:role/oss-backup. RequestId 3D57EAD2-8723-1F26-B69C-F8707D8B565D"
    )
    assert escape.quoted(plain) == plain
