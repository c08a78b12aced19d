"""GitHub: the OIDC token that proves who this run is, and the files and commands by which a step tells its result.

`actions_toolkit` is used for what it does safely: how a command and an output are encoded. What it does not do safely
is done here: its `get_id_token` has no time-out and no second try, and puts the response into the error's text; its
`info` prints text that may be a command; its annotations have empty `line=` properties; and it prints to a stdout
that may be buffered or not UTF-8. It is imported only on GitHub, since that takes a tenth of a second.

Off GitHub (`GITHUB_ACTIONS` is not `true`) commands do nothing, and outputs and summary go nowhere.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from backup_action.adapters import web
from backup_action.core.problem import Kind, Stop
from backup_action.core.render import Annotation
from backup_action.core.report import Run

TRIES: Final = 5
CLAIMS: Final = (
    *("iss", "aud", "sub", "exp", "iat", "job_workflow_ref", "workflow_ref", "repository", "repository_id"),
    *("repository_owner", "ref", "ref_type", "environment", "event_name", "run_id", "run_attempt", "sha"),
)  # nothing of the token but these is ever shown
EVENT_MAX: Final = 1 << 24  # bytes of an event's payload; GitHub's are below 10 MB

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SERVER: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_one_at_a_time = threading.Lock()


def is_runner(environ: Mapping[str, str]) -> bool:
    """True in a step of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def oidc_token(environ: Mapping[str, str], audience: str, **options: Any) -> str:
    """A new OIDC token of this job, masked before anything else is done with it. `options` are `web.call`'s.

    Raises Stop: OIDC_NO_PERMISSION, OIDC_FORK, OIDC_REFUSED or OIDC_UNREACHABLE.
    """
    url, bearer = (environ.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}", "") for name in ("URL", "TOKEN"))
    if not url or not bearer:
        fork = forked_from(environ)
        if fork:
            raise Stop(Kind.OIDC_FORK, fork)
        raise Stop(Kind.OIDC_NO_PERMISSION, cause="" if is_runner(environ) else "shell")
    address = f"{url}&audience={urllib.parse.quote(audience, safe='')}"
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    where = urllib.parse.urlsplit(url).hostname or ""
    try:
        answer = web.call("GET", address, headers=headers, **{"tries": TRIES, **options})
    except web.Unreachable as error:
        raise error.stop(Kind.OIDC_UNREACHABLE, where) from None
    if web.is_passing(answer):
        raise Stop(Kind.OIDC_UNREACHABLE, where, status=answer.status)
    token = _token(answer)
    if not token:
        raise Stop(Kind.OIDC_REFUSED, where, status=answer.status, aud=audience, reason="an answer without a token")
    mask(token, environ)
    seen = claims(token).get("aud", "")
    if seen != audience:  # what neighbours hand over is checked: STS would only say that something does not match
        raise Stop(Kind.OIDC_REFUSED, where, aud=audience, reason=f"the token is for {seen or 'nobody'}")
    return token


def _token(answer: web.Answer) -> str:
    if answer.status != 200:
        return ""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    value = told.get("value") if isinstance(told, dict) else None
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else ""


def claims(token: str) -> dict[str, str]:
    """The token's claims that may be shown, unverified: they are for messages, and STS is who judges them."""
    import jwt

    try:
        told = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return {name: _text(told[name]) for name in CLAIMS if name in told}


def _text(claim: object) -> str:
    return ", ".join(map(str, claim)) if isinstance(claim, list) else str(claim)


def forked_from(environ: Mapping[str, str]) -> str:
    """The fork's owner/name if a pull request from a fork started this run, else "". Reads the event's payload."""
    if not environ.get("GITHUB_EVENT_NAME", "").startswith("pull_request"):
        return ""
    pull = _at(_event(environ.get("GITHUB_EVENT_PATH", "")), "pull_request")
    head, base = (_at(_at(pull, side), "repo").get("full_name") for side in ("head", "base"))
    if not base or head == base:
        return ""
    return str(head) if head else "ghost"  # a fork that was deleted has no name any more


def _event(path: str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            told = json.loads(file.read(EVENT_MAX))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _at(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def run_of(environ: Mapping[str, str], hostname: str) -> Run:
    """Where this command runs. Off GitHub only the host is known."""
    if not is_runner(environ):
        return Run(host=hostname)
    return Run(
        host=hostname,
        repository=environ.get("GITHUB_REPOSITORY", ""),
        workflow=environ.get("GITHUB_WORKFLOW", ""),
        run_id=environ.get("GITHUB_RUN_ID", ""),
        attempt=environ.get("GITHUB_RUN_ATTEMPT", ""),
        commit=environ.get("GITHUB_SHA", ""),
        ref=environ.get("GITHUB_REF", ""),
        actor=environ.get("GITHUB_ACTOR", ""),
        event=environ.get("GITHUB_EVENT_NAME", ""),
        url=_page(environ),
    )


def _page(environ: Mapping[str, str]) -> str:
    server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    run, attempt = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT", "")
    if not (_SERVER.fullmatch(server) and _REPOSITORY.fullmatch(repository) and run.isdigit()):
        return ""
    return f"{server}/{repository}/actions/runs/{run}" + (f"/attempts/{attempt}" if attempt.isdigit() else "")


def mask(secret: str, environ: Mapping[str, str]) -> None:
    """Has the runner blank the secret out of every log from now on; it derives the encoded forms by itself."""
    if secret.strip():  # the runner warns of a mask that is empty
        _command(environ, "add-mask", {}, secret)


def annotate(annotations: Iterable[Annotation], environ: Mapping[str, str]) -> None:
    """Puts marks on the run's page."""
    for one in annotations:
        _command(environ, one.level, {"title": one.title}, one.text)


@contextlib.contextmanager
def group(title: str, environ: Mapping[str, str]) -> Iterator[None]:
    """Folds the lines printed meanwhile under a title."""
    _command(environ, "group", {}, title)
    try:
        yield
    finally:
        _command(environ, "endgroup", {}, "")


def _command(environ: Mapping[str, str], name: str, properties: Mapping[str, str], data: str) -> None:
    if not is_runner(environ):
        return
    from actions_toolkit.command import Command

    line = f"{Command(name, dict(properties), data)}\n".encode(errors="backslashreplace")
    with _one_at_a_time:
        sys.stdout.flush()
        sys.stdout.buffer.write(line)  # in UTF-8 whatever the locale, and at once: a mask must come before its secret
        sys.stdout.flush()


def write_outputs(values: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Sets the step's outputs, if there is a file for them. Raises OSError."""
    path = environ.get("GITHUB_OUTPUT", "")
    if path:
        from actions_toolkit.file_command import prepare_key_value_message

        # Each value between two lines with a delimiter that nobody can guess: no value can end its own block.
        _append(path, "".join(f"{prepare_key_value_message(name, value)}\n" for name, value in values.items()))


def write_summary(text: str, environ: Mapping[str, str]) -> None:
    """Adds to the job's summary, if there is a file for it. Raises OSError."""
    path = environ.get("GITHUB_STEP_SUMMARY", "")
    if path:
        _append(path, text)


def _append(path: str, text: str) -> None:
    with Path(path).open("ab") as file:
        file.write(text.encode(errors="backslashreplace"))
