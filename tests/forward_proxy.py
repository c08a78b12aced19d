"""A forward proxy on loopback for stories: plain http in absolute form, and tunnels by CONNECT. It counts, asks for a
password, finds hosts that nobody else does, and fails on demand.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MANNERS = ("refused", "reset", "lost", "cut", "502", "503", "504", "late-504", "slow")
PATIENCE = 3  # failures of one address in a row; then one request goes through


@dataclass
class Asked:
    """One request or tunnel as it came."""

    method: str
    target: str
    password: str  # the header, as it is
    manner: str = ""  # how it was made to fail

    @property
    def is_unheard(self) -> bool:
        """Whether it came to its neighbour, and the answer never whole to who asked."""
        return self.manner in ("lost", "cut", "late-504")


@dataclass
class ForwardProxy:
    """What it does, and what it saw."""

    ports: Mapping[int, int] = field(default_factory=dict)  # where a port of 127.0.0.1 that nobody has really is
    share: float = 0.0  # of the requests that fail
    seed: int = 0
    password: str = ""  # the whole header that is asked for
    closed: int = 0  # a port that it leads nobody to
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._rows: dict[str, int] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def forwarded(self) -> int:
        """Requests that came to their neighbour."""
        return sum(one.method != "CONNECT" and (one.manner in ("", "slow") or one.is_unheard) for one in self.asked)

    def _manner(self, target: str) -> str:
        address = target.partition("?")[0]
        if self._dice.random() >= self.share or self._rows.get(address, 0) >= PATIENCE:
            self._rows[address] = 0
            return ""
        self._rows[address] = self._rows.get(address, 0) + 1
        return self._dice.choice(MANNERS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await self._one(head, reader, writer):
                    break
        with contextlib.suppress(OSError):
            writer.close()

    async def _one(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection goes on."""
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        headers = fields(head)
        one = Asked(method, target, headers.get("proxy-authorization", ""), self._manner(target))
        self.asked.append(one)
        if one.manner == "refused":
            return reset(writer)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if self.password and one.password != self.password:
            return await say(writer, 407, method)
        if one.manner == "reset":
            return reset(writer)
        if one.manner in ("502", "503", "504"):
            return await say(writer, int(one.manner), method)
        if one.manner == "slow":
            await asyncio.sleep(0.2)
        if self.closed and target.endswith(f":{self.closed}"):
            return await say(writer, 403, method)
        if method == "CONNECT":
            return await self._tunnel(target, reader, writer)
        return await self._forward(one, head, body, writer)

    async def _there(self, netloc: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = netloc.rpartition(":")
        return await asyncio.open_connection(host, self.ports.get(int(port), int(port)))

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            there, away = await self._there(target)
        except OSError:
            return await say(writer, 502, "CONNECT")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(pipe(reader, away), pipe(there, writer))
        finally:
            away.transport.abort()
        return False

    async def _forward(self, one: Asked, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> bool:
        url = urllib.parse.urlsplit(one.target)
        try:
            there, away = await self._there(url.netloc)
        except OSError:
            return await say(writer, 502, one.method)
        path = one.target[len(f"{url.scheme}://{url.netloc}") :] or "/"
        kept = [line for line in head.split(b"\r\n")[1:-2] if not line.lower().startswith((b"proxy-", b"connection:"))]
        away.write(b"\r\n".join([f"{one.method} {path} HTTP/1.1".encode(), *kept, b"Connection: close", b"", body]))
        answer = await there.read(-1)
        away.close()
        if one.manner == "lost":
            return reset(writer)
        if one.manner == "late-504":
            return await say(writer, 504, one.method)
        if one.manner == "cut":
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            return False
        writer.write(answer.replace(b"\r\nConnection: close", b"", 1))
        await writer.drain()
        return b"\r\ncontent-length:" in answer.partition(b"\r\n\r\n")[0].lower()


def fields(head: bytes) -> dict[str, str]:
    """The headers of a request, names in lower case."""
    pairs = (line.decode("latin-1").partition(":") for line in head.split(b"\r\n")[1:-2])
    return {name.lower(): value.strip() for name, _, value in pairs}


async def say(writer: asyncio.StreamWriter, status: int, method: str) -> bool:
    """The proxy's own answer."""
    body = b"" if method == "HEAD" else b"<html>a proxy, and its page</html>"
    writer.write(f"HTTP/1.1 {status} Of the Proxy\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    return method != "CONNECT"


def reset(writer: asyncio.StreamWriter) -> bool:
    """Ends the connection without a word."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes one way, to their end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


@contextlib.contextmanager
def running(proxy: ForwardProxy) -> Iterator[ForwardProxy]:
    """Listens in a thread of its own meanwhile."""
    started = threading.Event()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        connections: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await proxy.serve(reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                connections.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
        proxy.port = server.sockets[0].getsockname()[1]
        stop.append((asyncio.get_running_loop(), asyncio.Event()))
        started.set()
        await stop[0][1].wait()
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await asyncio.sleep(0)  # for the sockets to be closed

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="proxy", daemon=True)
    thread.start()
    started.wait()
    try:
        yield proxy
    finally:
        loop, event = stop[0]
        loop.call_soon_threadsafe(event.set)
        thread.join()
