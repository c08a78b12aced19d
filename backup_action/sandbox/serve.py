"""Starts all the stand-ins on loopback and says how to reach them: for tests in a thread, for people as a command.

    with Sandbox() as box:
        subprocess.run(..., env={**os.environ, **box.environment})

    python -m backup_action.sandbox.serve --env FILE [--state DIR] [--port-oss N …]

The environment has what a runner gives a job (`ACTIONS_ID_TOKEN_REQUEST_…`), the program's own settings
(`OSS_BACKUP_…`), and what other clients need (`OSS_SANDBOX_…`). FILE appears when all of it is true, in one piece and
readable by its owner only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from aiohttp import web

from . import control, dingtalk, github, oss, policy, sts
from .world import BUCKET, PROVIDER_ARN, REGION, ROLE_ARN, VERSIONED_BUCKET, Key, World

SHANGHAI_BUCKET = "sandbox-shanghai"  # a bucket of another region
SERVICES = ("github", "sts", "dingtalk", "oss", "control")
GRACE = 0.2  # seconds that requests under way are given when it stops


class Sandbox:
    """All the stand-ins, in a thread of their own. A context manager: they run inside the `with`.

    `state` is a folder that keeps the objects; `ports` wants ports, by names of SERVICES, 0 and absent ones are free
    ones. The world may be looked at and changed from other threads; the store only while no request is under way.
    """

    def __init__(
        self, state: Path | None = None, *, ports: Mapping[str, int] | None = None, issuer: str = github.ISSUER
    ) -> None:
        self.world = World()
        self.store = oss.Store(state)
        self.owner = Key(f"LTAI{secrets.token_hex(10)}", secrets.token_hex(15))
        self.urls: dict[str, str] = {}
        self._ports = {**dict.fromkeys(SERVICES, 0), **(ports or {})}
        self._issuer = issuer
        self._request_token = secrets.token_urlsafe(48)
        self._robot_token = secrets.token_hex(32)
        self._robot_secret = f"SEC{secrets.token_hex(32)}"
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._stop: Callable[[], object] = lambda: None

    def __enter__(self) -> Sandbox:
        """Returns when everything answers. Raises OSError for a port that is taken."""
        self.world.keys[self.owner.access_key_id] = self.owner
        self.store.create_bucket(BUCKET, region=REGION)
        self.store.create_bucket(VERSIONED_BUCKET, region=REGION, versioning="Enabled")
        self.store.create_bucket(SHANGHAI_BUCKET, region="cn-shanghai")
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._stop()
        self._thread.join()
        if self._failure is not None and value is None:
            raise self._failure

    @property
    def control(self) -> str:
        """The address of the controls; their paths are in `control`."""
        return self.urls["control"]

    @property
    def environment(self) -> dict[str, str]:
        """The variables for a program that is to use the sandbox."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.urls['github']}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self._request_token,
            "OSS_BACKUP_ROLE_TO_ASSUME": ROLE_ARN,
            "OSS_BACKUP_OIDC_PROVIDER_ARN": PROVIDER_ARN,
            "OSS_BACKUP_STS_ENDPOINT": self.urls["sts"],
            "OSS_BACKUP_ENDPOINT": self.urls["oss"],
            "OSS_BACKUP_REGION": REGION,
            "OSS_BACKUP_BUCKET": BUCKET,
            "OSS_BACKUP_DINGTALK_WEBHOOK": f"{self.urls['dingtalk']}{dingtalk.PATH}?access_token={self._robot_token}",
            "OSS_BACKUP_DINGTALK_SECRET": self._robot_secret,
            "OSS_SANDBOX_ACCESS_KEY_ID": self.owner.access_key_id,
            "OSS_SANDBOX_ACCESS_KEY_SECRET": self.owner.secret,
            "OSS_SANDBOX_BUCKET": BUCKET,
            "OSS_SANDBOX_VERSIONED_BUCKET": VERSIONED_BUCKET,
            "OSS_SANDBOX_CONTROL": self.control,
        }

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._started.set()

    async def _serve(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        runners: list[web.AppRunner] = []
        try:
            for name in SERVICES:  # in this order: STS is told where GitHub's keys are
                await self._listen(name, runners)
            self._started.set()
            await stop.wait()
        finally:
            await asyncio.gather(*(runner.cleanup() for runner in runners))

    async def _listen(self, name: str, runners: list[web.AppRunner]) -> None:
        runner = web.AppRunner(self._application(name), access_log=None, shutdown_timeout=GRACE)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._ports[name]).start()
        self.urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}"

    def _application(self, name: str) -> web.Application:
        match name:
            case "github":
                return github.application(self.world, self._request_token, self._issuer)
            case "sts":
                return sts.application(self.world, sts.Provider(self._issuer, self.urls["github"]))
            case "dingtalk":
                return dingtalk.application(self.world, self._robot_token, self._robot_secret)
            case "oss":
                return oss.application(self.world, self.store, self.allowed)
        return control.application(self.world, self._empty)

    def allowed(self, key: Key, action: str, resource: str, conditions: Mapping[str, str]) -> bool:
        """Whether the policies of a key allow it. Loopback counts as TLS, since it stands for the real one's."""
        now = datetime.fromtimestamp(self.world.now(), UTC).isoformat()
        known = {"acs:CurrentTime": now, "acs:SourceIp": "127.0.0.1", "acs:SecureTransport": "true"}
        return policy.allowed(key.policies, action, resource, {**known, **conditions})

    def _empty(self) -> None:
        for bucket in self.store.buckets.values():
            for upload in list(bucket.uploads.values()):
                self.store.discard_upload(bucket, upload)
            for version in [version for stack in bucket.versions.values() for version in stack]:
                self.store.remove(bucket, version)


def main(argv: list[str]) -> int:
    """`sandbox --env FILE`: runs until SIGINT or SIGTERM. Returns the exit code: 0, or 1 when it could not start."""
    options = _options(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    ports = {name: getattr(options, f"port_{name}") for name in SERVICES}
    try:
        _remove_earlier(options.env)
        with Sandbox(options.state, ports=ports) as box:
            write_environment(options.env, box.environment)
            sys.stdout.write(
                f"The sandbox is ready: its environment is in {options.env}, its controls at {box.control}\n"
            )
            sys.stdout.flush()
            stop.wait()
    except OSError as problem:
        sys.stderr.write(f"The sandbox could not start: {problem}\n")
        return 1
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sandbox", description="Stand-ins for GitHub's token service, STS, OSS and DingTalk on loopback."
    )
    parser.add_argument("--env", type=Path, required=True, metavar="FILE", help="where to write the export lines")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keeps the objects as files (default: in memory)")
    for name in SERVICES:
        parser.add_argument(f"--port-{name}", type=_port, default=0, metavar="N", help="(default: a free one)")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _remove_earlier(file: Path) -> None:
    """Whoever waits for the file must not find an earlier sandbox's. Raises OSError for a device or a folder."""
    if file.exists() and not file.is_file():
        raise OSError(f"{file} is no ordinary file")
    file.unlink(missing_ok=True)


def write_environment(file: Path, environment: Mapping[str, str]) -> None:
    """Writes export lines for a shell, in one piece and with mode 0600 (mkstemp's), since they hold secrets."""
    lines = [f"export {name}={_quoted(value)}\n" for name, value in environment.items()]
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    with os.fdopen(handle, "w") as stream:
        stream.writelines(lines)
    Path(temporary).replace(file)


def _quoted(value: str) -> str:
    """Quoted for a shell, always by single quotes, so that other readers need to know one form only."""
    return "'" + value.replace("'", "'\"'\"'") + "'"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
