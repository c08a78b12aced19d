"""The connections to one server: at most so many, used again while they are good, by the way that the settings name.

A request that meets a connection which the server gave up meanwhile goes over a new one at once, where nothing of its
answer had come: that is no failure. Names are resolved once in `TTL` seconds, not for each connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from backup_action import __version__
from backup_action.adapters.oss.connection import Connection, Ended, Heard, request_head
from backup_action.adapters.way import Way

CONNECT: Final = 10.0  # seconds to connect to one address
SECURE: Final = 20.0  # seconds until both sides agree on keys
SILENCE: Final = 60.0  # seconds without a byte of the answer
IDLE: Final = 15.0  # seconds after which an unused connection is not trusted to be still there
TTL: Final = 300.0  # seconds that a name's addresses are kept
AGENT: Final = f"oss-backup/{__version__}"
LOOKS: Final = 60  # for a silence, in its time


class ProxyUnreachable(ConnectionError):
    """No connection to the proxy."""


class ProxyRefused(ConnectionError):
    """The proxy gave no tunnel; `status` is its answer's."""

    def __init__(self, status: int) -> None:
        """As HTTP numbers it."""
        super().__init__(f"HTTP {status}")
        self.status = status


class Pool:
    """To one server, for one event loop. Its methods raise OSError."""

    def __init__(self, address: str, way: Way, most: int, silence: float = SILENCE, idle: float = IDLE) -> None:
        """`address` is `http(s)://host[:port]`; `most` connections at a time; `silence` and `idle` in seconds."""
        self._silence = silence
        self._longest_idle = idle
        parts = urlsplit(address)
        self._is_secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._is_secure else 80)
        self._name = parts.netloc.rpartition("@")[2]
        self._way = way
        proxy = urlsplit(way.address or "")
        self._proxy = (proxy.hostname or "", proxy.port or 80) if way.address else None
        self._before = f"http://{self._name}" if self._proxy and not self._is_secure else ""  # absolute form
        self._own = [("host", self._name), ("user-agent", AGENT), *(way.headers.items() if self._before else ())]
        self._free = asyncio.Semaphore(most)
        self._idle: list[tuple[float, Connection]] = []
        self._busy: set[Connection] = set()
        self._context: ssl.SSLContext | None = None
        self._resolved: tuple[float, asyncio.Future[list[str]]] | None = None
        self._looking: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    def close(self) -> None:
        """Ends all connections."""
        if self._looking:
            self._looking.cancel()
        for connection in [*self._busy, *(idle for _, idle in self._idle)]:
            connection.close()
        self._idle.clear()

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | AsyncIterator[memoryview] = b""
    ) -> Heard:
        """One exchange; the whole answer. `target` is encoded. Raises TimeoutError after a silence."""
        head = request_head(method, self._before + target, [*self._own, *headers.items()])
        async with self._free:
            connection = self._used() or await self._connected()
            while True:
                is_fresh = connection.is_fresh
                try:
                    return await self._exchange(connection, head, body, bare=method == "HEAD")
                except (Ended, ConnectionResetError, BrokenPipeError):
                    if is_fresh or connection.has_heard or not isinstance(body, bytes):
                        raise
                connection = await self._connected()

    async def _exchange(
        self, connection: Connection, head: bytes, body: bytes | AsyncIterator[memoryview], *, bare: bool
    ) -> Heard:
        self._busy.add(connection)
        if self._looking is None:
            self._look()
        try:
            heard = await connection.ask(head, body, bare=bare)
        finally:
            self._busy.discard(connection)
        if connection.is_usable:
            self._idle.append((asyncio.get_running_loop().time(), connection))
        return heard

    def _used(self) -> Connection | None:
        """The connection that was used last, if it is still good."""
        oldest = asyncio.get_running_loop().time() - self._longest_idle
        while self._idle:
            since, connection = self._idle.pop()
            if since >= oldest and connection.is_usable:
                return connection
            connection.close()
        return None

    def _look(self) -> None:
        """Ends exchanges that hear nothing."""
        loop = asyncio.get_running_loop()
        silent = [one for one in self._busy if one.is_silent(loop.time(), self._silence)]
        for connection in silent:
            connection.fail(TimeoutError("no answer in time"))
        self._looking = loop.call_later(self._silence / LOOKS, self._look) if self._busy else None

    # New ones.

    async def _connected(self) -> Connection:
        if self._proxy is None:
            return await self._opened(self._host, self._port, secure=self._is_secure)
        try:
            connection = await self._opened(*self._proxy, secure=False)
        except OSError as error:
            raise ProxyUnreachable(*error.args) from error
        if self._is_secure:
            await self._tunnel(connection)
        return connection

    async def _opened(self, host: str, port: int, *, secure: bool) -> Connection:
        """To the first of the name's addresses that answers; the others are tried next."""
        loop = asyncio.get_running_loop()
        known = await self._addresses(host, port)
        tried = list(known)  # others may put theirs first meanwhile
        for address in tried:
            try:
                async with asyncio.timeout(CONNECT):
                    _, connection = await loop.create_connection(Connection, address, port)
            except OSError:
                if address == tried[-1]:
                    self._resolved = None
                    raise
                continue
            known[:] = [address, *(one for one in known if one != address)]  # begin with this one the next time
            if secure:
                await self._secure(connection)
            return connection
        raise Ended("no address")

    async def _addresses(self, host: str, port: int) -> list[str]:
        """All that ask at one time wait for one answer."""
        loop = asyncio.get_running_loop()
        if self._resolved is None or self._resolved[0] < loop.time() or self._failed(self._resolved[1]):
            self._resolved = (loop.time() + TTL, loop.create_task(self._resolve(host, port)))
        return await asyncio.shield(self._resolved[1])

    @staticmethod
    def _failed(task: asyncio.Future[list[str]]) -> bool:
        return task.done() and (task.cancelled() or task.exception() is not None)

    @staticmethod
    async def _resolve(host: str, port: int) -> list[str]:
        try:
            name = host.encode() if host.isascii() else host  # bytes do not load Python's idna codec
            found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except UnicodeError:  # a part of the name is empty, or of more than 63 characters
            raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
        return list(dict.fromkeys(str(one[4][0]) for one in found))

    async def _secure(self, connection: Connection) -> None:
        """TLS over a connection that is open. Raises OSError: ssl's errors are such."""
        loop = asyncio.get_running_loop()
        if self._context is None:
            self._context = await asyncio.to_thread(self._way.context)
        try:
            async with asyncio.timeout(SECURE):
                transport = await loop.start_tls(
                    connection.transport, connection, self._context, server_hostname=self._host
                )
        except BaseException:
            connection.close()
            raise
        if transport is None:
            raise Ended("the connection ended too early")
        connection.connection_made(transport)

    async def _tunnel(self, connection: Connection) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        own = [("host", f"{host}:{self._port}"), *self._way.headers.items()]
        head = request_head("CONNECT", f"{host}:{self._port}", own)
        try:
            async with asyncio.timeout(CONNECT):
                heard = await connection.ask(head, bare=True, tunnel=True)
        except OSError as error:
            raise ProxyUnreachable(*error.args) from error
        if not 200 <= heard.status < 300:
            connection.close()
            raise ProxyRefused(heard.status)
        await self._secure(connection)
        connection.is_fresh = True
