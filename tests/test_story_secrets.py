"""Stories of secrets that stay inside, and of names that stay names: law 8, and what a log or a summary may do."""

import base64
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from box import Box, Ended
from markdown_it import MarkdownIt

from backup_action.core import render
from backup_action.sandbox.command_lines import parse
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.workflow_commands import could_be_command

BACKUP = ("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")
Fault = dict[str, Any]


class Listener:
    """Stands between the program and a stand-in, and remembers what passed: the sandbox forgets its tokens."""

    def __init__(self, target: str) -> None:
        self.asked: list[str] = []  # request targets
        self.answers: list[bytes] = []
        self.before_answer: Callable[[bytes], None] = lambda body: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                wanted = urllib.request.Request(
                    target + self.path, self.rfile.read(length) or None, dict(self.headers), method=self.command
                )
                try:
                    with urllib.request.urlopen(wanted) as answer:
                        status, body = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    status, body = error.code, error.read()
                outer.asked.append(self.path)
                outer.answers.append(body)
                outer.before_answer(body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *arguments: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Watched:
    """A box all of whose secrets are known, in an environment that invites to spill them."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.github = Listener(box.sandbox.urls["github"])
        self.dingtalk = Listener(box.sandbox.urls["dingtalk"])
        self._keys = set(box.sandbox.world.keys)
        self.proxy = socket.create_server(("127.0.0.1", 0))
        self.proxy.setblocking(False)
        (box.folder / ".netrc").write_text("default login somebody password netrc-canary-0123456789\n")
        (box.folder / ".netrc").chmod(0o600)
        (box.tree / "a").write_bytes(b"1")

    def close(self) -> None:
        self.github.close()
        self.dingtalk.close()
        self.proxy.close()

    @property
    def environment(self) -> dict[str, Any]:
        told, folder = self.box.environment, self.box.folder
        proxy = f"http://127.0.0.1:{self.proxy.getsockname()[1]}"
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self._through(told["ACTIONS_ID_TOKEN_REQUEST_URL"], self.github),
            "OSS_BACKUP_DINGTALK_WEBHOOK": self._through(told["OSS_BACKUP_DINGTALK_WEBHOOK"], self.dingtalk),
            **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), str(folder / "absent.pem")),
            "SSLKEYLOGFILE": str(folder / "keys.log"), "NETRC": str(folder / ".netrc"), "DEBUG": "sdk",
            "RUNNER_DEBUG": "1", "ACTIONS_STEP_DEBUG": "true", "PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1",
        }  # fmt: skip

    @staticmethod
    def _through(address: str, listener: Listener) -> str:
        parts = urllib.parse.urlsplit(address)
        return address.replace(f"{parts.scheme}://{parts.netloc}", listener.url)

    @property
    def github_environment(self) -> dict[str, Any]:
        folder = self.box.folder
        for name in ("outputs", "summary", "env", "path"):
            (folder / name).touch()
        return {
            **self.environment, "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7",
            "GITHUB_OUTPUT": str(folder / "outputs"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_ENV": str(folder / "env"),
            "GITHUB_PATH": str(folder / "path"), "RUNNER_TEMP": str(folder / "temp"),
        }  # fmt: skip

    def run(self, *more: str, **environ: str) -> Ended:
        return self.box.run(*BACKUP, *more, **{**self.environment, **environ})

    def tokens(self) -> list[str]:
        """The OIDC tokens that were handed out."""
        found = [json.loads(body).get("value") for body in self.github.answers if body.startswith(b"{")]
        return [token for token in found if token]

    def secrets(self) -> dict[str, str]:
        """Everything that nobody may see, by what it is."""
        told = self.box.sandbox.environment
        query = urllib.parse.urlsplit(told["OSS_BACKUP_DINGTALK_WEBHOOK"]).query
        known = {
            "request token": told["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
            "robot's token": urllib.parse.parse_qs(query)["access_token"][0],
            "robot's secret": told["OSS_BACKUP_DINGTALK_SECRET"],
            "netrc": "netrc-canary-0123456789",
        }
        known |= {f"OIDC token {number}": token for number, token in enumerate(self.tokens())}
        known |= {f"OIDC token's beginning {n}": token[:200] for n, token in enumerate(self.tokens())}
        known |= {f"OIDC token's signature {n}": token.rpartition(".")[2] for n, token in enumerate(self.tokens())}
        for identity, key in list(self.box.sandbox.world.keys.items()):
            if identity not in self._keys:
                known |= {f"secret of {identity}": key.secret, f"token of {identity}": key.token}
                known[f"beginning of the token of {identity}"] = key.token[:120]
        for number, target in enumerate(self.dingtalk.asked):
            signs = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query).get("sign", [])
            known |= {f"sign {number}": sign for sign in signs}
        return known

    def spilled(self, text: str) -> list[str]:
        """The secrets that the text, or a file below the box's folder, shows in any form."""
        places = {"the output": text.encode(errors="surrogateescape")}
        for path in self.box.folder.rglob("*"):
            if path.is_file() and path.name != ".netrc":
                places[str(path.relative_to(self.box.folder))] = path.read_bytes()
        return [
            f"{what} in {where}"
            for what, secret in self.secrets().items()
            for where, data in places.items()
            if any(form in data for form in forms(secret))
        ]


def forms(secret: str) -> set[bytes]:
    """A secret raw, URL-encoded, escaped for JSON, and in base64 wherever it may begin."""
    quoted = urllib.parse.quote(secret, safe="")
    texts = {secret, quoted, quoted.lower() if "%" in quoted else quoted, urllib.parse.quote(quoted, safe="")}
    texts |= {json.dumps(secret)[1:-1], secret.replace("/", "\\/")}
    for shift in range(3):
        inner = base64.b64encode(b"\0" * shift + secret.encode()).decode()[4 if shift else 0 : -4]
        texts |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {text.encode() for text in texts if len(text) >= 8}


@pytest.fixture
def watched(box: Box) -> Iterator[Watched]:
    one = Watched(box)
    yield one
    one.close()


def assert_nothing_spilled(watched: Watched, ended: Ended) -> None:
    assert watched.tokens() or ended.code == 4, "the canaries are known"
    assert watched.spilled(ended.text) == []
    assert not (watched.box.folder / "keys.log").exists(), "no TLS keys are written"
    with pytest.raises(BlockingIOError):  # nobody came to the proxy
        watched.proxy.accept()
    assert watched.box.sent("sts.token-in-url") == 0


def of(kind: str, request: str, **more: Any) -> list[Fault]:
    return [{"kind": kind, "request": request, "count": -1, **more}]


ENDINGS: dict[str, tuple[int, list[Fault], dict[str, Any]]] = {
    "a good run": (0, [], {}),
    "keys that live shortly": (0, [], {"key_seconds": 2, "latency": 0.5}),
    "a trust policy that does not match": (4, [], {"claims": {"sub": "repo:other/one:ref:refs/heads/main"}}),
    "a token of another audience": (4, [], {"claims": {"aud": "another"}}),
    "an error of STS": (4, of("status", "*", service="sts", status=400, code="InvalidParameter.RoleArn"), {}),
    "an answer of STS that is none": (
        0, [{"kind": "alter", "service": "sts", "request": "*"}, {"kind": "cut", "service": "sts", "after": 900}], {},
    ),
    "an altered write": (6, of("alter", "put", key="p/t/*"), {}),
    "a refused signature": (4, of("status", "put", status=403, code="SignatureDoesNotMatch"), {}),
    "a robot that refuses": (0, of("status", "*", service="dingtalk", status=200, code="310000", message="sign"), {}),
    "a robot that resets": (0, of("reset", "*", service="dingtalk"), {}),
    "a parent that is damaged": (6, of("alter", "get", after=50), {}),
}  # fmt: skip


QUICK = ("a good run", "a trust policy that does not match", "an altered write", "a robot that refuses")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ENDINGS]
)
def test_no_secret_leaves_whatever_happens(watched: Watched, name: str) -> None:
    code, faults, knobs = ENDINGS[name]
    if "parent" in name:
        assert watched.box.backup().code == 0
    watched.box.post("settings", knobs)
    watched.box.post("faults", faults)
    ended = watched.run()
    watched.box.post("settings", {"latency": 0})
    assert ended.code == code, ended.text
    assert_nothing_spilled(watched, ended)


def test_no_secret_leaves_when_a_signal_ends_the_run(tmp_path: Path) -> None:
    with Sandbox() as sandbox:  # one of its own: the stand-in goes on with what it stalled
        watched = Watched(Box(sandbox, tmp_path))
        watched.box.post("faults", of("stall", "put", seconds=20))
        process = watched.box.start(*BACKUP, **watched.environment)
        until(lambda: watched.box.sent("oss.list") >= 2)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        ended = watched.box.end(process)
        assert ended.code == 143
        assert_nothing_spilled(watched, ended)
        watched.close()


def test_what_neighbours_say_of_our_secrets_is_not_passed_on(watched: Watched) -> None:
    """A proxy's or a service's error may quote what it was sent."""
    token = watched.box.sandbox.environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    page = json.dumps({"message": f"Bearer {token} was refused"})
    watched.box.post("faults", of("status", "token", service="github", status=403, message=page))
    ended = watched.run()
    assert ended.code == 4
    assert_nothing_spilled(watched, ended)


def test_a_robot_that_quotes_its_address_is_not_passed_on(watched: Watched) -> None:
    webhook = watched.box.sandbox.environment["OSS_BACKUP_DINGTALK_WEBHOOK"]
    watched.box.post(
        "faults", of("status", "*", service="dingtalk", status=200, code="300005", message=f"no robot at {webhook}")
    )
    ended = watched.run()
    assert ended.code == 0 and ended.told.problem_counts == {"notify.failed": 1}
    assert_nothing_spilled(watched, ended)


def test_tls_writes_no_keys_and_takes_no_certificate_from_the_environment(watched: Watched) -> None:
    """urllib3 opens the file of SSLKEYLOGFILE before the handshake, even in an isolated interpreter."""
    webhook = watched.box.sandbox.environment["OSS_BACKUP_DINGTALK_WEBHOOK"].replace("http:", "https:")
    ended = watched.run(OSS_BACKUP_DINGTALK_WEBHOOK=webhook)
    assert ended.code == 0 and ended.told.problem_counts == {"notify.failed": 1}, ended.text
    assert "absent.pem" not in ended.text
    assert_nothing_spilled(watched, ended)


def test_sts_quoting_the_token_is_not_passed_on(watched: Watched) -> None:
    def quote(body: bytes) -> None:
        value = json.loads(body)["value"]
        message = f"Not to my taste: {value} or {urllib.parse.quote(value)}"
        watched.box.post(
            "faults", of("status", "*", service="sts", status=400, code="InvalidParameter", message=message)
        )

    watched.github.before_answer = quote
    ended = watched.run()
    assert ended.code == 4 and "Not to my taste" in ended.text, ended.text
    assert_nothing_spilled(watched, ended)


def test_oss_quoting_the_keys_is_not_passed_on(watched: Watched) -> None:
    box = watched.box
    box.post("faults", [{"kind": "stall", "request": "list", "seconds": 1.5}])
    process = box.start(*BACKUP, **watched.environment)
    until(lambda: box.sent("sts.AssumeRoleWithOIDC") >= 1)
    time.sleep(0.2)
    key = list(box.sandbox.world.keys.values())[-1]
    message = f"StringToSign {key.secret} x-oss-security-token:{key.token}"
    box.post("faults", of("status", "list", status=403, code="SignatureDoesNotMatch", message=message))
    ended = box.end(process)
    assert ended.code == 4 and "StringToSign" in ended.text, ended.text
    assert_nothing_spilled(watched, ended)


def test_static_keys_are_not_shown(watched: Watched) -> None:
    told = watched.box.sandbox.environment
    secret = told["OSS_SANDBOX_ACCESS_KEY_SECRET"]
    keys = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": told["OSS_SANDBOX_ACCESS_KEY_ID"], "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret,
    }  # fmt: skip
    watched.box.post("faults", of("status", "put", status=403, code="SignatureDoesNotMatch", message=f"not {secret}"))
    ended = watched.run("--allow-static-keys", **keys)
    assert ended.code == 4 and "SignatureDoesNotMatch" in ended.text
    places = [ended.text, *(path.read_text() for path in (watched.box.folder / "state").rglob("*.json"))]
    assert not any(form.decode() in place for form in forms(secret) for place in places)


def own_commands(text: str) -> list[Any]:
    """The workflow commands in an output. Every other line must be one that no runner could take for a command."""
    found = []
    for line in text.splitlines():
        command = parse(line) if line.startswith("::") else None
        if command is None:
            assert not could_be_command(line), f"a runner may obey {line!r}"
        else:
            found.append(command)
    assert {command.name for command in found} <= {"add-mask", "error", "warning"}
    assert all(set(command.properties) <= {"title"} for command in found)
    return found


def outputs(path: Path) -> dict[str, str]:
    """The step's outputs, as the runner reads the file."""
    found, lines = {}, path.read_text().split("\n")
    while lines and lines[0]:
        name, _, delimiter = lines.pop(0).partition("<<")
        at = lines.index(delimiter)
        found[name] = "\n".join(lines[:at])
        lines = lines[at + 1 :]
    assert lines in ([], [""])
    return found


def test_on_github_only_masks_hold_secrets_and_they_come_first(watched: Watched) -> None:
    ended = watched.box.run(*BACKUP, **watched.github_environment)
    assert ended.code == 0, ended.text
    masked = [command.data for command in own_commands(ended.text) if command.name == "add-mask"]
    secrets = watched.secrets()
    born = [value for what, value in secrets.items() if what.startswith(("OIDC token 0", "secret of", "token of"))]
    assert len(born) == 3 and set(born) <= set(masked), "masked at birth"
    rest = "\n".join(line for line in ended.text.splitlines() if not line.startswith("::add-mask::"))
    assert watched.spilled(rest) == []
    before = ended.text.partition("::add-mask::")[0]
    assert before == f"{render.looking('en')}\n", "before anything that could show them: all but one fixed line"
    told = outputs(watched.box.folder / "outputs")
    assert told["status"] == "ok" and told["exit-code"] == "0" and Path(told["report-path"]).is_file()
    assert not (watched.box.folder / "env").read_bytes() and not (watched.box.folder / "path").read_bytes()
    assert Path(told["report-path"]).stat().st_mode & 0o077 == 0


HOSTILE = [
    b"::error::x", b"a\n::add-mask::e", b"::stop-commands::t", b"##[error]x", b"x ##[set-output name=a]b",
    b"\r::set-output name=status::ok", b"\xc2\x85::error::n", b" \t::debug::", b"![p](http:~evil.example~p.png)",
    b"[go](http:~evil.example)", b"<img src=x>", b"<script>1<~script>", b"`code`", b"```", b"a|b", b"| x | y |",
    b"@all", b"#heading", b"http:evil.example", b"https:~~evil.example", b"\xe2\x80\xae", b"\xff", b"%0A::error::x",
    b"name<<EOF", b"EOF", b"- [ ] x", b"&lt;b&gt;", b"\\", b"*bold*", b"x](http:~evil)", b"\x1b[2J", b"a\nb\n\nc",
]  # fmt: skip


@pytest.fixture
def hostile(watched: Watched) -> Watched:
    """A tree all of whose names try something, as special files; and as files that the bucket will refuse."""
    top = os.fsencode(watched.box.tree)
    for name in HOSTILE:
        name = name.replace(b"~", "\N{FRACTION SLASH}".encode())
        os.mkfifo(os.path.join(top, name))
        with open(os.path.join(top, b"f" + name), "wb") as file:
            file.write(name)
        with open(os.path.join(top, name + b"'"), "wb") as file:
            file.write(name)
    watched.box.post("faults", of("status", "put", status=409, code="FileImmutable", key="p/t/*"))
    return watched


OWN_TAGS = re.compile("<details><summary>[^<>&`]*</summary>\n?|</details>\n?")


def assert_plain(markdown: str) -> None:
    """No link, image or tag of a file's name in a text that is rendered; what is folded is our own."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    every = [child for token in tokens for child in [token, *(token.children or [])]]
    assert not {token.type for token in every} & {"link_open", "image"}
    tags = [token.content for token in every if token.type in ("html_inline", "html_block")]
    assert all(OWN_TAGS.fullmatch(tag) for tag in tags) and len(tags) <= 2, tags


def test_hostile_names_are_names_everywhere(hostile: Watched) -> None:
    ended = hostile.box.run(*BACKUP, **{**hostile.github_environment, "GITHUB_RUN_ID": ""})
    assert ended.code == 3, ended.text
    told = own_commands(ended.text)
    assert {command.name for command in told} == {"add-mask", "error", "warning"}
    folder = hostile.box.folder
    values = outputs(folder / "outputs")
    assert values["status"] == "incomplete" and values["files-failed"] == str(2 * len(HOSTILE) + 1)
    assert "evil" not in "".join(values), "no value became a name"
    for text in values.values():
        own_commands(text)
    summary = (folder / "summary").read_text()
    own_commands(summary)
    assert_plain(summary)
    assert_plain(values["notification-text"])
    assert len(summary.encode()) < 1 << 20
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x85\u202a-\u202e\u2066-\u2069]", summary + ended.text)
    for message in hostile.box.messages():
        assert_plain(message["text"])
        assert message["notified"] == [] and message["at"].get("isAtAll") is not True
    report = json.loads(Path(values["report-path"]).read_text())
    assert report["problem_counts"]["file.refused"] == 2 * len(HOSTILE) + 1
    assert report["problem_counts"]["file.special"] == len(HOSTILE)


def test_a_hostile_path_that_is_refused_is_a_name_too(watched: Watched) -> None:
    for name in ("::error::x", "##[error]x ![p](http://evil.example/p.png) <img src=x>", "a\u202eb"):
        ended = watched.box.run(
            "backup", "--path", name, "--prefix", "p", "--language", "en",
            **{**watched.github_environment, "GITHUB_RUN_ID": ""},
        )  # fmt: skip
        assert ended.code == 8, ended.text
        own_commands(ended.text)
        assert_plain((watched.box.folder / "summary").read_text())
        (watched.box.folder / "summary").unlink()  # each step has a file of its own


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
