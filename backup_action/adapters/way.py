"""The way to every neighbour: through which proxy, and whose certificates are trusted. By the settings alone.

Plain http goes to a proxy in absolute form, https through a tunnel (CONNECT). The proxy's user and password are
secrets: `secrets_of` names what has to be kept out of every text.
"""

from __future__ import annotations

import base64
import ssl
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Final

from backup_action.core.problem import Kind, Stop


@dataclass(frozen=True, slots=True)
class Way:
    """How neighbours are reached; without a proxy directly, without a bundle by the usual certificates."""

    proxy: str = field(default="", repr=False)  # http://[user:password@]host:port
    ca_bundle: str = ""  # path

    @property
    def address(self) -> str | None:
        """The proxy without user and password."""
        parts = urllib.parse.urlsplit(self.proxy)
        return f"http://{parts.netloc.rpartition('@')[2]}" if self.proxy else None

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy asks of those who use it."""
        user, password = _user(self.proxy)
        told = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {told}"} if user or password else {}

    def context(self) -> ssl.SSLContext:
        """Whom a secure connection trusts. Reads files."""
        return ssl.create_default_context(cafile=self.ca_bundle or None)

    def prepare(self, session: Any) -> None:
        """Sets a session of requests up: nothing of the environment, this proxy, these certificates."""
        session.trust_env = False
        session.verify = self.ca_bundle or True
        # It reads user and password as UTF-8, and writes them as Latin-1: so each byte is given as one character.
        user, password = (urllib.parse.quote(part.encode().decode("latin-1"), safe="") for part in _user(self.proxy))
        own = f"http://{user}:{password}@" if user or password else "http://"
        proxy = own + (self.address or "").removeprefix("http://")
        session.proxies = {"http": proxy, "https": proxy} if self.proxy else {}


DIRECT: Final = Way()


def _user(proxy: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(proxy)
    return urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.password or "")


def secrets_of(proxy: str) -> tuple[str, ...]:
    """What must not be shown of a proxy: its password, as it is typed and as it is sent."""
    if not proxy:
        return ()
    typed, (user, password) = urllib.parse.urlsplit(proxy).password or "", _user(proxy)
    sent = base64.b64encode(f"{user}:{password}".encode()).decode() if password else ""
    return tuple(dict.fromkeys(filter(None, (typed, password, sent))))


def check(ca_bundle: str) -> None:
    """Raises Stop for a file of certificates that cannot be used."""
    if not ca_bundle:
        return
    cause, reason = "unreadable", ""
    try:
        with open(ca_bundle, "rb") as file:  # noqa: PTH123  (ssl's own error does not say why)
            file.read(1)
        cause = "malformed"
        if not ssl.create_default_context(cafile=ca_bundle).get_ca_certs():
            raise ssl.SSLError
        return
    except ssl.SSLError:
        reason = "no certificate in PEM form"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "") or type(error).__name__
    raise Stop(Kind.CA_BUNDLE, ca_bundle, cause=cause, reason=reason.lower())
