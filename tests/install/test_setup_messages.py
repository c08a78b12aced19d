"""What is printed cannot be taken for a command of the runner, nor show a password."""

import re

import messages
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ufeff\ud800-\udfff]")


@given(st.text() | st.binary().map(lambda content: content.decode("utf-8", "surrogateescape")))
@example("a\n::add-mask::b\r##[error]c")
@example("a\u2028::b\u2029c\x85d")
@example("####[[group]")
@example("##\u200b[group]")
@example("##://[group]@[group]")
def test_a_line_is_one_line_without_control_characters_or_the_old_command_mark(text: str) -> None:
    shown = messages.plain(text)
    assert not _CONTROL.search(shown)
    assert "##[" not in shown
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="#[@/")))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert messages.plain(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Looking in indexes: https://user:secret@mirror.example/simple",
        "https://secret@mirror.example/simple",
        "'http://a:se:secret@mirror.example' and https://b:secret@other.example/x",
        "https://user:sec@secret@mirror.example/simple",
    ],
)
def test_a_password_in_an_address_is_hidden(text: str) -> None:
    shown = messages.plain(text)
    assert "secret" not in shown and "mirror.example" in shown


def test_a_link_with_an_at_sign_in_its_path_stays() -> None:
    assert messages.plain("https://mirror.example/@scope/x") == "https://mirror.example/@scope/x"


@pytest.mark.parametrize("on_github", ["true", "false"])
def test_details_cannot_give_a_command(
    on_github: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", on_github)
    hostile = "::add-mask::a\n  ::error::b\r::stop-commands::c\x85::d\u2028::e\x0b::f\x1b[31m##[group]g"
    messages.explain(messages.SetupError(1, "It failed: 100%\n::warning::h", hostile))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 6 + 1
    assert all(line.startswith("  | ") for line in lines[:-1])
    assert not any("##[" in line or "\x1b" in line for line in lines)
    if on_github == "true":
        assert lines[-1] == "::error title=oss-backup set-up::It failed: 100%25\\n::warning::h"
    else:
        assert lines[-1] == "oss-backup set-up: error: It failed: 100%\\n::warning::h"


def test_a_warning_is_an_annotation_on_github(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    messages.warn("no folder\r\n")
    assert capfd.readouterr().err == "::warning title=oss-backup set-up::no folder\\r\\n\n"
