"""One connection to a server, HTTP/1.1: one exchange at a time, as often as both sides like.

asyncio carries it and httptools reads what frames an answer; a body whose length is known is taken as it comes from
the socket, without a copy. A connection is used again only when the exchange before ended as HTTP says it must.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from typing import Final

import httptools
import msgspec

HEAD_MAX: Final = 64 << 10  # bytes of an answer's head
ERROR_MAX: Final = 64 << 10  # bytes of an error's body that are worth reading
PATIENT: Final = 2  # silences that an answer may take whatever comes of it
RECEIVED: Final = 1 << 20  # bytes a plain socket is asked for at a time: for each piece threads wait for each other
DRIP: Final = 256  # bytes a second of an answer that takes longer; 128 at a time pass through a line of 32 KB/s


class Ended(ConnectionError):
    """The connection ended before the answer did."""


class MalformedAnswer(ConnectionError):
    """What came is no answer of HTTP/1.1."""


class Headers(dict[str, str]):
    """Of names in lower case; asked for in any. Of a name that comes twice the first counts."""

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]  # always text
        """The value of a header."""
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())


class Heard(msgspec.Struct):
    """An answer as it comes: the body in the parts in which it came."""

    status: int = 0
    headers: Headers = msgspec.field(default_factory=Headers)
    parts: list[bytes] = msgspec.field(default_factory=list)
    size: int = 0  # bytes of them all: to add them up at each of many small parts would take minutes

    def take(self, part: bytes) -> None:
        """Adds one."""
        self.parts.append(part)
        self.size += len(part)


class Connection(asyncio.Protocol):
    """Made by `Pool`."""

    def __init__(self) -> None:
        """Is used once `connection_made` was called."""
        self._sent_at = self._heard_at = math.inf  # by the loop's clock: the request, and the last of its answer
        self._came = 0  # bytes of an answer
        self.is_fresh = True  # no exchange yet
        self._transport: asyncio.Transport
        self._layers: list[asyncio.Transport] = []  # TLS counts nothing of what waits below it
        self._lost = False
        self._keep = False  # whether another exchange may follow
        self._size = 0  # bytes that came of a head, or of what follows it in chunks
        self._done: asyncio.Future[Heard] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    # What the pool asks.

    @property
    def transport(self) -> asyncio.Transport:
        """What carries it."""
        return self._transport

    @property
    def has_heard(self) -> bool:
        """Whether anything came of the answer of the last exchange."""
        return self._size > 0

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        return not self._lost and not self._transport.is_closing() and (self.is_fresh or self._keep)

    def is_silent(self, now: float, silence: float) -> bool:
        """Whether nothing was heard for so many seconds since the request was sent, or so little that it is a drip."""
        return now - self._heard_at > silence or now - self._sent_at > silence * PATIENT + self._came / DRIP

    async def ask(
        self, head: bytes, body: bytes | AsyncIterator[memoryview] = b"", *, bare: bool = False, tunnel: bool = False
    ) -> Heard:
        """One exchange. `bare`: the answer has no body, whatever its head says. Raises OSError.

        The body stops where the server answers before it has all of it. `tunnel`: what follows the answer is another
        protocol's, so it stays open though the answer says "close", or is of HTTP/1.0, as those of many proxies.
        """
        loop = asyncio.get_running_loop()
        self._begin(loop.create_future(), bare)
        assert self._done is not None  # noqa: S101  (`_begin`)
        try:
            if isinstance(body, bytes):
                self._transport.write(head + body if body else head)
            else:
                await self._send(head, body)
            self._sent_at = self._heard_at = loop.time()
            heard = await self._done
        except BaseException:
            self._keep = False
            self._transport.abort()
            raise
        finally:
            if self._done.done() and not self._done.cancelled():
                self._done.exception()  # what else went wrong is told: asyncio need not tell of this
            self._done, self.is_fresh = None, False
        if any(
            one.get_write_buffer_size() for one in self._layers
        ):  # refused before all was sent: who knows whether it is ever read
            self._keep = False
            self._transport.abort()
        elif not self._keep and not tunnel:
            self.close()
        return heard

    async def _send(self, head: bytes, body: AsyncIterator[memoryview]) -> None:
        assert self._done is not None  # noqa: S101
        self._transport.write(head)
        async for piece in body:
            await self._may_write.wait()
            if self._done.done():  # refused, or broken: the rest would not be read
                self._keep = False
                return
            self._transport.write(piece)
        await self._may_write.wait()

    def close(self) -> None:
        """Ends it."""
        self._keep = False
        self._transport.close()

    def fail(self, error: OSError) -> None:
        """Ends the exchange that is under way."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)
        self._keep = False
        self._transport.abort()

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._layers.append(transport)
        transport.set_write_buffer_limits(1)  # what a socket does not take at once waits uncopied
        transport.max_size = RECEIVED  # type: ignore[attr-defined]  # asyncio's own, if it has it still

    def pause_writing(self) -> None:  # noqa: D102
        self._may_write.clear()

    def resume_writing(self) -> None:  # noqa: D102
        self._may_write.set()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._heard_at < math.inf:  # else the request is still being sent, whatever is said of it meanwhile
            self._heard_at = asyncio.get_running_loop().time()
        self._came += len(data)
        if self._done is None or self._done.done():
            self.fail(MalformedAnswer("more than was asked for"))
        elif self._left:
            self._take(data)
        else:
            self._parse(data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: D102
        self._lost = True
        self._may_write.set()
        if self._done is None or self._done.done():
            return
        if self._is_open and error is None:  # a body that only the end of the connection ends
            self._end()
        else:
            self._done.set_exception(error if isinstance(error, OSError) else Ended("the connection ended too early"))

    # The answer.

    def _begin(self, done: asyncio.Future[Heard], bare: bool) -> None:
        self._done, self._bare = done, bare
        self._heard = Heard()
        self._left = 0  # bytes of a body of known length that are still to come
        self._size = self._came = 0
        self._is_open = self._keep = False
        self._sent_at = self._heard_at = math.inf
        self._parser = httptools.HttpResponseParser(self)

    def _parse(self, data: bytes) -> None:
        """What is not a body of known length."""
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(MalformedAnswer(type(error).__name__))
            return
        if not self._heard.status and self._size > HEAD_MAX:
            self.fail(MalformedAnswer("a head without an end"))

    def _take(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self.fail(MalformedAnswer("more than was asked for"))
            return
        self._heard.take(data)
        if self._left:
            self._end_if_enough()
        else:
            self._end()

    def _end_if_enough(self) -> None:
        """An error's body is read no further than it is worth; what would follow is in the way of another answer."""
        if self._heard.status >= 300 and self._heard.size >= ERROR_MAX:
            self._keep = False
            self._end()

    def _end(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(self._heard)
            self._may_write.set()  # whoever sends need not wait until a server that has answered reads on

    # What httptools tells.

    def on_message_begin(self) -> None:
        """A second one is more than was asked for."""
        if self._done is None or self._done.done():
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        if self._heard.status:  # of a second answer, or behind the last chunk
            return
        self._heard.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:  # noqa: D102
        if self._heard.status:
            return
        status, headers = self._parser.get_status_code(), self._heard.headers
        if status < 200:  # "continue" and its like: the answer itself follows
            headers.clear()
            return
        told = headers.get("connection").lower()
        self._keep = "close" not in told if self._parser.get_http_version() == "1.1" else "keep-alive" in told
        self._heard.status = status
        if self._bare or status in (204, 304):
            self._end()
        elif "transfer-encoding" not in headers:
            length = headers.get("content-length")
            self._left = int(length) if length else 0
            self._is_open = not length
            self._keep = self._keep and not self._is_open
            if length and not self._left:
                self._end()

    def on_body(self, data: bytes) -> None:
        """What came together with the head, or in chunks."""
        if self._bare or self._done is None or self._done.done():
            self._keep = False
            return
        if self._left:
            self._take(data)
            return
        self._heard.take(data)
        self._end_if_enough()

    def on_message_complete(self) -> None:  # noqa: D102
        if self._heard.status:
            self._end()


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request. Raises ValueError for what would be more than one line: nothing from outside ends one."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise ValueError("a header of more than one line")
    return f"{text}\r\n\r\n".encode()
