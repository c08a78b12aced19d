"""Why there was no answer, in words of ours: the libraries' own have addresses, queries and user names in them."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from backup_action.core.problem import Kind, Stop

_TUNNEL: Final = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")
_EARLY: Final = {
    *("IncompleteRead", "RemoteDisconnected", "ProtocolError", "BadStatusLine"),  # of requests
    "Ended",  # of `oss.connection`
}
_PASSING: Final = (408, 429)  # of 4xx, what a proxy may answer otherwise a moment later


class Reason(msgspec.Struct, frozen=True):
    """The words; whether another try may help; and whose problem it is, if not the neighbour's."""

    text: str
    kind: Kind | None = None  # PROXY_UNREACHABLE or CERTIFICATE
    final: bool = False

    def stop(self, kind: Kind, where: str, **facts: object) -> Stop:
        """The end that this means for a neighbour whose own problem would be `kind`."""
        if self.kind is Kind.PROXY_UNREACHABLE and self.final:
            facts["cause"] = "refused"
        return Stop(self.kind or kind, where, reason=self.text, **facts)


def refused_by_proxy(status: int) -> Reason:
    """A proxy's own answer: 407 to anything, or whatever it says in place of a tunnel."""
    return Reason(
        f"the proxy answered HTTP {status}", Kind.PROXY_UNREACHABLE, 400 <= status < 500 and status not in _PASSING
    )


def of(error: BaseException, otherwise: str = "no usable answer") -> Reason:
    """The reason that is in an error of requests, urllib3, oss2 or `oss.pool`."""
    met = list(_chain(error))
    for one in met:
        if told := getattr(one, "verify_message", ""):
            return Reason(f"certificate not accepted: {told}", Kind.CERTIFICATE, final=True)
    names = {name for one in met for name in (kind.__name__ for kind in type(one).__mro__)}
    status = _tunnel(met) or (getattr(error, "status", 0) if "ProxyRefused" in names else 0)
    if status:
        return refused_by_proxy(status)
    text = _text(met, names) or otherwise
    if names & {"ProxyError", "ProxyUnreachable"}:
        return Reason(f"the proxy: {text}", Kind.PROXY_UNREACHABLE)
    return Reason(text)


def _text(met: list[BaseException], names: set[str]) -> str:
    for one in met:
        if isinstance(one, ssl.SSLError):
            return "no secure connection"
        if isinstance(one, socket.gaierror):
            return "the name cannot be resolved"
        if isinstance(one, TimeoutError) or "Timeout" in type(one).__name__:
            return "timed out"
        if isinstance(one, OSError) and one.errno is not None and one.errno in errno.errorcode:
            return os.strerror(one.errno).lower()
    if "MalformedAnswer" in names:  # of `oss.connection`
        return "what came is no answer of HTTP"
    return "the connection ended too early" if names & _EARLY else ""


def _tunnel(met: list[BaseException]) -> int:
    """The status by which a proxy refused a tunnel, as the standard library words it; else 0."""
    told = (_TUNNEL.search(str(one)) for one in met if isinstance(one, OSError))
    return next((int(found[1]) for found in told if found), 0)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was made of: causes, contexts and exceptions held as arguments."""
    pending: list[Any] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            names = ("__cause__", "__context__", "reason", "os_error", "exception")
            held = [*one.args, *(getattr(one, name, None) for name in names)]
            pending += [other for other in held if isinstance(other, BaseException)]
