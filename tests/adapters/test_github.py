"""The OIDC token from the sandbox's token service and from bad ones; and what a step tells the runner."""

import contextlib
import io
import json
import time
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import answer, reset, serving

from backup_action.adapters import github
from backup_action.core import wording
from backup_action.core.problem import Kind, Stop
from backup_action.core.render import Annotation
from backup_action.core.report import Run
from backup_action.sandbox import command_files
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.workflow_commands import parse
from backup_action.sandbox.world import SUBJECT, Fault

ON = {"GITHUB_ACTIONS": "true"}
AUDIENCE = "oss-backup.1234 &x=1"  # what would end the parameter if it were not quoted


TITLES = [wording.label(kind, language) for kind in Kind for language in ("zh", "en")]


def no_wait(seconds: float) -> None:
    """In place of sleeping."""


def stopped(environ: dict[str, str], **options: object) -> Stop:
    with pytest.raises(Stop) as caught:
        github.oidc_token(environ, "sts.aliyuncs.com", sleep=no_wait, **options)
    return caught.value


def asking(url: str) -> dict[str, str]:
    return {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-5ecre7"}


def test_a_token_for_the_audience(cloud: Sandbox) -> None:
    token = github.oidc_token(cloud.environment, AUDIENCE)
    claims = github.claims(token)
    assert (claims["aud"], claims["sub"], claims["event_name"]) == (AUDIENCE, SUBJECT, "schedule")
    assert int(claims["exp"]) > time.time()


def test_the_token_is_masked_before_it_is_returned(cloud: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    token = github.oidc_token(cloud.environment | ON, AUDIENCE)
    said = capsys.readouterr()
    command = parse(said.out.strip())
    assert command is not None and (command.name, command.data) == ("add-mask", token)
    assert said.err == ""


def test_passing_failures_are_tried_again(cloud: Sandbox) -> None:
    cloud.world.faults += [
        Fault("status", "github", status=503),
        Fault("reset", "github"),
        Fault("throttle", "github"),
    ]
    assert github.oidc_token(cloud.environment, AUDIENCE, sleep=no_wait)
    assert not [fault for fault in cloud.world.faults if fault.count]


def test_only_the_claims_that_may_be_shown(cloud: Sandbox) -> None:
    cloud.world.knobs.claims.update({"actor": "someone", "repo_property_secret": "x"})
    assert set(github.claims(github.oidc_token(cloud.environment, AUDIENCE))) <= set(github.CLAIMS)
    token = jwt.encode({"sub": "s", "aud": ["a", "b"], "jti": "x"}, "k" * 32)
    assert github.claims(token) == {
        "sub": "s",
        "aud": "a, b",
    }


@given(st.one_of(st.text(), st.lists(st.text("abcXYZ012_-=", max_size=9), min_size=3, max_size=3).map(".".join)))
def test_claims_of_what_is_no_token(text: str) -> None:
    assert github.claims(text) == {} or text.count(".") == 2


def test_the_permission_is_missing() -> None:
    assert stopped({}).problem.kind is Kind.OIDC_NO_PERMISSION
    assert stopped({"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x.example"}).problem.kind is Kind.OIDC_NO_PERMISSION


def repository(name: str | None) -> dict[str, object]:
    return {"repo": {"full_name": name} if name else None}


@pytest.mark.parametrize(
    ("event", "head", "fork"),
    [
        ("pull_request", "stranger/quant", "stranger/quant"),
        ("pull_request_review", "stranger/quant", "stranger/quant"),
        ("pull_request", None, "ghost"),
        ("pull_request", "example/quant", ""),
        ("push", "stranger/quant", ""),
    ],
)
def test_a_fork_is_told_apart(event: str, head: str | None, fork: str, tmp_path: Path) -> None:
    payload = {"pull_request": {"head": repository(head), "base": repository("example/quant")}}
    (tmp_path / "event.json").write_text(json.dumps(payload))
    problem = stopped({"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}).problem
    assert problem.kind is (Kind.OIDC_FORK if fork else Kind.OIDC_NO_PERMISSION)
    assert problem.where == fork


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"\xff", b'{"pull_request": 1}', b"[" * 100_000, None])
def test_an_event_that_makes_no_sense_is_no_fork(payload: bytes | None, tmp_path: Path) -> None:
    if payload is not None:
        (tmp_path / "event.json").write_bytes(payload)
    environ = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
    assert stopped(environ).problem.kind is Kind.OIDC_NO_PERMISSION


GOOD = jwt.encode({"aud": "sts.aliyuncs.com"}, "k" * 32)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b'{"message": "5ecre7"}'),
        (403, b""),
        (302, b""),
        (200, b"5ecre7"),
        (200, b"[]"),
        (200, b'{"value": 5}'),
        (200, b'{"value": ""}'),
        (200, b'{"value": "a.b.c\\n::add-mask::5ecre7"}'),
        (200, b'{"value": "one.two"}'),
        (200, b"[" * 100_000),
        (201, b'{"value": "a.b.c"}'),
    ],
)
def test_an_answer_without_a_token_is_a_refusal(status: int, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answer(status, body)) as server:
        stop = stopped(asking(server.url) | ON)
    assert (stop.problem.kind, stop.problem.facts["status"]) == (Kind.OIDC_REFUSED, str(status))
    assert len(server.asked) == 1
    assert "5ecre7" not in repr(stop.problem) + repr(stop) and stop.__context__ is None
    assert capsys.readouterr().out == ""


def test_a_token_for_somebody_else_is_a_refusal(cloud: Sandbox) -> None:
    cloud.world.knobs.claims["aud"] = "https://github.com/somebody"
    stop = stopped(cloud.environment)
    assert stop.problem.kind is Kind.OIDC_REFUSED
    assert "https://github.com/somebody" in stop.problem.facts["reason"]


def test_a_good_token_passes_the_same_checks() -> None:
    with serving(answer(200, json.dumps({"value": GOOD}).encode())) as server:
        assert github.oidc_token(asking(server.url), "sts.aliyuncs.com") == GOOD
    assert server.asked[0].path == "/token?x=1&audience=sts.aliyuncs.com"
    assert server.asked[0].headers["authorization"] == "Bearer bearer-5ecre7"


@pytest.mark.parametrize("script", [answer(500, b"5ecre7"), reset])
def test_no_answer_after_five_tries(script: object) -> None:
    with serving(script) as server:  # type: ignore[arg-type]
        stop = stopped(asking(server.url))
    assert stop.problem.kind is Kind.OIDC_UNREACHABLE
    assert len(server.asked) == 5
    assert stop.problem.where == "127.0.0.1"
    assert "5ecre7" not in repr(stop.problem)


def test_the_bearer_is_sent_over_https_or_loopback_alone() -> None:
    stop = stopped({"ACTIONS_ID_TOKEN_REQUEST_URL": "http://x.example/?a", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "5ecre7"})
    assert stop.problem.kind is Kind.OIDC_UNREACHABLE
    assert "https" in stop.problem.facts["reason"]


RUNNER = {
    **ON,
    "GITHUB_REPOSITORY": "example/quant",
    "GITHUB_WORKFLOW": "oss-backup",
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_ACTOR": "someone",
    "GITHUB_EVENT_NAME": "schedule",
    "GITHUB_SERVER_URL": "https://github.com",
}


def test_where_it_runs() -> None:
    page = "https://github.com/example/quant/actions/runs/77/attempts/2"
    facts = ("example/quant", "oss-backup", "77", "2", "c0ffee", "refs/heads/main", "someone", "schedule", page)
    names = ("repository", "workflow", "run_id", "attempt", "commit", "ref", "actor", "event", "url")
    assert github.run_of(RUNNER, "cloud") == Run(host="cloud", **dict(zip(names, facts, strict=True)))
    assert github.run_of({**RUNNER, "GITHUB_ACTIONS": ""}, "cloud") == Run(host="cloud")


@pytest.mark.parametrize(
    "strange",
    [
        {"GITHUB_SERVER_URL": "javascript:alert(1)//"},
        {"GITHUB_SERVER_URL": "https://evil.example/x)[y](z"},
        {"GITHUB_REPOSITORY": "a/b)[x](https://evil.example"},
        {"GITHUB_RUN_ID": "1)"},
        {"GITHUB_RUN_ID": ""},
    ],
)
def test_a_page_is_made_of_plain_parts_alone(strange: dict[str, str]) -> None:
    assert github.run_of(RUNNER | strange, "cloud").url == ""


@given(st.text(), st.sampled_from(TITLES), st.sampled_from(["error", "warning"]))
def test_an_annotation_is_one_command_with_its_text(text: str, title: str, level: str) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with contextlib.redirect_stdout(stdout):
        github.annotate([Annotation(level, text, title)], ON)  # type: ignore[arg-type]
    line = stdout.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert line.endswith("\n") and "\n" not in line[:-1] and "\r" not in line
    command = parse(line[:-1])
    assert command is not None
    assert (command.name, command.data, command.properties.get("title", "")) == (level, text, title)


def test_commands_off_github_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for environ in ({}, {"GITHUB_ACTIONS": "false"}):
        github.mask("secret", environ)
        github.annotate([Annotation("error", "x", "y")], environ)
        with github.group("title", environ):
            pass
        github.write_outputs({"a": "b"}, environ)
        github.write_summary("x", environ)
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_masks_and_groups(capsys: pytest.CaptureFixture[str]) -> None:
    github.mask("50% of\nit", ON)
    github.mask("  ", ON)
    github.mask("no UTF-8: \udcff", ON)
    with pytest.raises(ValueError, match="inside"), github.group("标题", ON):
        raise ValueError("inside")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["::add-mask::50%25 of%0Ait", r"::add-mask::no UTF-8: \udcff", "::group::标题", "::endgroup::"]


VALUES = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(st.sampled_from(["status", "notification-text", "report-path"]), VALUES))
def test_outputs_are_read_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("runner") / "output"
    path.write_text("earlier=1\n")
    github.write_outputs(values, {"GITHUB_OUTPUT": str(path)})
    assert dict(command_files.pairs(path.read_bytes().decode())) == {"earlier": "1", **values}


def test_an_output_cannot_end_its_block_and_begin_another(tmp_path: Path) -> None:
    path = tmp_path / "output"
    github.write_outputs({"text": "x\nEOF\nstatus=ok\nghadelimiter_\nstatus<<A\nok\nA"}, {"GITHUB_OUTPUT": str(path)})
    assert [name for name, _ in command_files.pairs(path.read_text())] == ["text"]
    github.write_outputs({"name": "\udcff"}, {"GITHUB_OUTPUT": str(path)})
    assert path.read_text().splitlines()[-2] == r"\udcff"


def test_a_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    for text in ("# 一\n", "# two\n"):
        github.write_summary(text, {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text() == "# 一\n# two\n"
