"""What is a command and what is not, and what commands do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.sandbox.workflow_commands import (
    REGISTERED,
    Annotation,
    Command,
    Effects,
    Processor,
    could_be_command,
    parse,
    parse_double_colon,
    parse_legacy,
)

DOUBLE_COLON = [
    ("::error::text", Command("error", {}, "text")),
    ("::error::", Command("error", {}, "")),
    ("  \t::error::text ", Command("error", {}, "text ")),
    ("\u00a0\u2003\u3000::error::x", Command("error", {}, "x")),
    ("::ERROR::x", Command("error", {}, "x")),
    ("::error ::x", Command("error", {}, "x")),
    ("::error file=a,line=1::x", Command("error", {"file": "a", "line": "1"}, "x")),
    ("::error  File=a ,Line=1 ::x", Command("error", {"file": "a ", "line": "1"}, "x")),
    ("::error a=1, b=2::x", Command("error", {"a": "1", " b": "2"}, "x")),
    ("::error a=,b=2,c::x", Command("error", {"b": "2"}, "x")),
    ("::error =a=b::x", Command("error", {"a": "b"}, "x")),
    ("::error a==b=c::x", Command("error", {"a": "b=c"}, "x")),
    ("::error a=1,A=2::x", Command("error", {"a": "2"}, "x")),
    ("::error title=a%3Ab%2Cc%25%0A::x", Command("error", {"title": "a:b,c%\n"}, "x")),
    ("::error::a%0Ab%0Dc%25d%3A%2C", Command("error", {}, "a\nb\rc%d%3A%2C")),
    ("::error::%250A", Command("error", {}, "%0A")),
    ("::error::%0a", Command("error", {}, "%0a")),
    ("::error::a::b", Command("error", {}, "a::b")),
    ("::error:::x", Command("error", {}, ":x")),
    ("::add-mask::", Command("add-mask", {}, "")),
    ("::set-output name=a::b", Command("set-output", {"name": "a"}, "b")),
    ("::unknown::x", None),
    ("::error", None),
    ("::error:x", None),
    (":: error::x", None),
    (":::error::x", None),
    ("x::error::x", None),
    ("\x1b[0m::error::x", None),
    ("\x1c::error::x", None),  # Python's lstrip would take it off; the runner's trim does not
    ("\u200b::error::x", None),
    ("::error\t::x", None),
    ("::internal-set-repo-path::x", None),
    ("", None),
    ("::", None),
    ("::::", None),
]


@pytest.mark.parametrize(("line", "expected"), DOUBLE_COLON)
def test_double_colon(line, expected):
    assert parse_double_colon(line) == expected


LEGACY = [
    ("##[error]x", Command("error", {}, "x")),
    ("anything ##[error]x", Command("error", {}, "x")),
    ("name##[add-mask]e", Command("add-mask", {}, "e")),
    ("##[ERROR]x", Command("error", {}, "x")),
    ("##[error file=a;line=1]x", Command("error", {"file": "a", "line": "1"}, "x")),
    ("##[error file=a,b]x", Command("error", {"file": "a,b"}, "x")),
    ("##[error a=%3B%5D%25]%3B%5D%0A%25", Command("error", {"a": ";]%"}, ";]\n%")),
    ("##[error]x]y", Command("error", {}, "x]y")),
    ("###[error]x", Command("error", {}, "x")),
    ("##[nothing] ##[error]x", None),  # only the first one counts
    ("##[error", None),
    ("# #[error]x", None),
    ("##[ error]x", None),
    ("] ##[error x", None),
    ("", None),
]


@pytest.mark.parametrize(("line", "expected"), LEGACY)
def test_legacy(line, expected):
    assert parse_legacy(line) == expected


def test_the_double_colon_is_tried_first():
    assert parse("::warning::##[error]x") == Command("warning", {}, "##[error]x")
    assert parse("::nothing::##[error]x") == Command("error", {}, "x")


HOSTILE = [
    "::add-mask::e",
    "##[add-mask]e",
    "a ##[stop-commands]x",
    " ::error::x",
    "first\n::error::x",
    "first\r::error::x",
    "first\r\n##[error]x",
    "\u200b::error::x",
    "\x01::error::x",
    ":\u00ad:error::x",
    "::error:\u200d:x",
    "##\x02[error]x",
    "::err\ufefforg::x ##[\u2060error]x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_could_be_a_command(text):
    assert could_be_command(text)


@pytest.mark.parametrize(
    "text", ["plain", "a::error::b", "::x::", "#[error]", "\\x3a:error::x", '"::error::x"', "\n\r"]
)
def test_what_could_not(text):
    assert not could_be_command(text)


@given(st.text(alphabet="\n\r\t :#[]abcdefghijklmnopqrstuvwxyz-%\\\u200b"))
def test_quoting_as_a_rule_that_leaves_no_command(name):
    quoted = name.encode("unicode_escape").decode().replace("#", "\\x23").replace("::", ":\\x3a")
    assert not could_be_command("file " + quoted)


@given(st.sampled_from(sorted(REGISTERED)), st.text())
def test_escaped_data_comes_back(name, data):
    escaped = data.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    command = parse(f"::{name}::{escaped}")
    assert command == Command(name, {}, data)


@given(st.text())
def test_whatever_parses_is_seen_as_possible(line):
    if parse(line) is not None:
        assert could_be_command(line)


def effects(*lines, **options):
    processor = Processor(**options)
    return [processor.process(line) for line in lines]


def messages(effect):
    return [(annotation.level, annotation.message) for annotation in effect.annotations]


def test_annotations_groups_and_masks():
    error, group, end, mask, debug = effects(
        "::error file=a.py,line=3::bad", "::group::G", "::endgroup::ignored", "::add-mask::s3cret", "::debug::d"
    )
    assert error == Effects(annotations=(Annotation("error", "bad", {"file": "a.py", "line": "3"}),))
    assert group == Effects(printed=("##[group]G",))
    assert end == Effects(printed=("##[endgroup]",))
    assert mask == Effects(masks=("s3cret",))
    assert debug == Effects()
    assert effects("::debug::d", debug=True) == [Effects(printed=("##[debug]d",))]


def test_a_blank_mask_warns():
    assert messages(effects("::add-mask::  ")[0]) == [
        ("warning", "Can't add secret mask for empty string in ##[add-mask] command.")
    ]


def test_stop_and_resume():
    stop, stopped, other, legacy, resume, again = effects(
        "::stop-commands::token-7", "::error::x", "::other::", "##[error]y", "::TOKEN-7::", "::error::x"
    )
    assert stop == Effects(printed=("::stop-commands::token-7",), masks=("token-7",))
    assert (stopped, other, legacy) == (None, None, None)
    assert resume == Effects(printed=("::TOKEN-7::",))
    assert messages(again) == [("error", "x")]


def test_the_old_form_resumes_too_and_a_short_token_is_no_secret():
    stop, _, resume, error = effects("##[stop-commands]short1", "::error::x", "any ##[short1]thing", "::error::x")
    assert stop.masks == ()
    assert resume == Effects(printed=("any ##[short1]thing",))
    assert messages(error) == [("error", "x")]


@pytest.mark.parametrize("token", ["", "error", "ERROR", "stop-commands", "pause-logging"])
def test_a_bad_token_is_refused_and_commands_go_on(token):
    refused, error = effects(f"::stop-commands::{token}", "::error::x")
    assert refused.failed and "endToken" in refused.annotations[0].message
    assert messages(error) == [("error", "x")]


def test_a_bad_token_with_the_opt_in():
    stop, error, resume = effects(
        "::stop-commands::pause-logging", "::error::x", "::pause-logging::", unsecure_tokens=True
    )
    assert not stop.failed
    assert error is None
    assert resume is not None


def test_set_output_works_with_a_warning():
    output, state, nameless = effects("::set-output name=a::b", "::save-state name=c::d", "::set-output::x")
    assert output.outputs == (("a", "b"),) and output.annotations[0].level == "warning" and not output.failed
    assert state.state == (("c", "d"),) and state.annotations[0].level == "warning"
    assert nameless.failed and [level for level, _ in messages(nameless)] == ["warning", "error", "error"]


@pytest.mark.parametrize("line", ["::set-env name=A::b", "::add-path::/x"])
def test_disabled_commands_fail_the_step(line):
    (refused,) = effects(line)
    assert refused.failed and refused.env == () and refused.path == ()
    assert messages(refused)[0] == ("error", f"Unable to process command '{line}' successfully.")
    assert "is disabled" in refused.annotations[1].message


def test_disabled_commands_with_the_opt_in():
    env, path, blocked, nameless, empty = effects(
        "::set-env name=A::b",
        "::add-path::/x",
        "::set-env name=node_options::x",
        "::set-env::x",
        "::add-path::",
        unsecure=True,
    )
    assert env == Effects(env=(("A", "b"),))
    assert path == Effects(path=("/x",))
    assert messages(blocked)[0][0] == "error" and not blocked.failed and blocked.env == ()
    assert nameless.failed and empty.failed


def test_echo():
    on, group, mask, off, quiet, bad = effects(
        "::echo::On", "::group::g", "::add-mask::m", "::echo::off", "::group::g", "::echo::maybe"
    )
    assert on == Effects()
    assert group == Effects(printed=("::group::g", "##[group]g"))
    assert mask == Effects(masks=("m",))
    assert off == Effects(printed=("::echo::off",))
    assert quiet == Effects(printed=("##[group]g",))
    assert bad.failed


def test_problem_matchers_are_refused():
    assert effects("::add-matcher::x.json")[0].failed


def test_plain_lines_are_left_alone():
    assert effects("hello", "", "::nothing::x", "a :: b") == [None] * 4
