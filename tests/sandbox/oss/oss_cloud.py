"""The sandbox's OSS on a free port of loopback, in a thread of its own; its keys, and a client that sends anything."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import oss2
import oss2.http
import requests
from aiohttp import web

from backup_action.sandbox.oss import Store, application
from backup_action.sandbox.world import BUCKET, REGION, VERSIONED_BUCKET, Fault, Key, World

ROOT = Key("LTAIsandboxroot", "root-secret")
SESSION = Key("STS.sandboxsession", "session-secret", token="session-token/+=")
ELSEWHERE = "elsewhere"
AWKWARD = [
    "a b/c+d%e",
    "%2F%00",
    "中文/😀.csv",
    "new\nline\r\ttab",
    "a//b",
    "..a",
    "q?x=1&y#z",
    "\x01\x7f",
    "<&>\"'",
    "tail/",
    "é" * 511,
]


def new_world() -> World:
    return World(keys={key.access_key_id: key for key in (ROOT, SESSION)})


def new_store(state: Path | None = None) -> Store:
    store = Store(state)
    store.create_bucket(BUCKET)
    store.create_bucket(VERSIONED_BUCKET, versioning="Enabled")
    store.create_bucket(ELSEWHERE, region="cn-shanghai")
    return store


@dataclass
class Answer:
    """What came back, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def tree(self) -> ElementTree.Element:
        body = self.body
        if not body and "x-oss-err" in self.headers:
            body = base64.b64decode(self.headers["x-oss-err"])
        return ElementTree.fromstring(body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and EC of a refusal."""
        return self.status, self.tree.findtext("Code") or "", self.tree.findtext("EC") or ""

    def text(self, path: str) -> str | None:
        return self.tree.findtext(path)


@dataclass
class Cloud:
    """A running server and what stands behind it."""

    world: World = field(default_factory=new_world)
    store: Store = field(default_factory=new_store)
    port: int = 0
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)  # every right that was asked for
    denies: Callable[[str, str], bool] = lambda action, resource: False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def allowed(self, key: Key, action: str, resource: str, conditions: Mapping[str, str]) -> bool:
        self.asked.append((action, resource, conditions))
        return not self.denies(action, resource)

    def fault(self, kind: str, **fields: Any) -> None:
        self.world.faults.append(Fault(kind, **fields))

    def count(self, kind: str) -> int:
        return self.world.counts[f"oss.{kind}"]

    def change_key(self, key: Key, **fields: Any) -> None:
        self.world.keys[key.access_key_id] = replace(key, **fields)

    def send(
        self,
        method: str,
        key: str = "",
        *,
        bucket: str = BUCKET,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes = b"",
        by: Key = ROOT,
        region: str = REGION,
    ) -> Answer:
        """One request, path style, signed V4 by oss2's signer; nothing is retried."""
        url = f"{self.url}/{bucket}/{quote(key, safe='')}" if bucket else f"{self.url}/"
        credentials = oss2.credentials.StaticCredentialsProvider(by.access_key_id, by.secret, by.token or None)
        given = {"Accept-Encoding": "identity", **(headers or {})}
        request = oss2.http.Request(method, url, params=dict(params or {}), headers=given, region=region, product="oss")
        oss2.ProviderAuthV4(credentials)._sign_request(request, bucket, key)
        return fetch(method, url, params=request.params, headers=request.headers, data=data)

    def signed_target(self, method: str, key: str, **more: dict[str, str]) -> str:
        """The request target of a signed URL, for requests that no client would make."""
        provider = oss2.credentials.StaticCredentialsProvider(ROOT.access_key_id, ROOT.secret)
        bucket = oss2.Bucket(oss2.ProviderAuthV4(provider), self.url, BUCKET, region=REGION)
        return bucket.sign_url(method, key, 60, **more).removeprefix(self.url)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Waits until something that is bound to happen has happened."""
        for _ in range(20_000):
            if condition():
                return
            time.sleep(0.001)
        raise AssertionError("it did not happen")

    def put(self, key: str, data: bytes = b"content", **more: Any) -> Answer:
        answer = self.send("PUT", key, data=data, **more)
        assert answer.status == 200, answer.body
        return answer

    def get(self, key: str, **more: Any) -> bytes:
        answer = self.send("GET", key, **more)
        assert answer.status == 200, answer.body
        return answer.body


def fetch(method: str, url: str, **more: Any) -> Answer:
    """One plain request, as it is given."""
    with requests.Session() as session:
        session.trust_env = False
        with session.request(method, url, timeout=20, allow_redirects=False, **more) as response:
            return Answer(response.status_code, response.headers, response.content)


@contextmanager
def serving(cloud: Cloud) -> Iterator[Cloud]:
    """Runs the server until the block ends."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application(cloud.world, cloud.store, cloud.allowed), access_log=None)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()

    loop.run_until_complete(start())
    cloud.port = runner.addresses[0][1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield cloud
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
