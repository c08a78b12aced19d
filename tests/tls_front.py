"""TLS in front of the stand-ins: an authority that exists for one test, its certificates, and a listener that ends TLS
and hands the bytes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from forward_proxy import pipe

DAY = datetime.timedelta(days=1)


class Authority:
    """Whom only those trust who have its file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of this test")])
        made = self._built(self._name, self._key, 1).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _built(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
        return builder.not_valid_before(now - 9 * DAY).not_valid_after(now + days * DAY)

    def certificate(self, host: str = "127.0.0.1", days: int = 1) -> Path:
        """A server's key and certificate in one file. Negative days: it ran out."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of this test")])
        digits = host.replace(".", "").isdigit()
        place = x509.IPAddress(ipaddress.ip_address(host)) if digits else x509.DNSName(host)
        made = self._built(name, key, days).add_extension(x509.SubjectAlternativeName([place]), critical=False)
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file = self._folder / f"{host}{days}.pem"
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, form, none)
            + made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return file


@contextlib.contextmanager
def fronting(certificate: Path, *ports: int) -> Iterator[dict[int, int]]:
    """Listens with TLS in front of these ports of 127.0.0.1; gives the port of each one's front."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    fronts: dict[int, int] = {}
    started, stopping = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def front(port: int) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, away = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(pipe(reader, away), pipe(there, writer))
            finally:
                away.transport.abort()
                writer.transport.abort()

        return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=512)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # clients that refuse are part of the tests
        servers = [await front(port) for port in ports]
        fronts.update({port: one.sockets[0].getsockname()[1] for port, one in zip(ports, servers, strict=True)})
        loops.append(asyncio.get_running_loop())
        started.set()
        await stopping.wait()
        for one in servers:
            one.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),), name="tls", daemon=True)
    thread.start()
    started.wait()
    try:
        yield fronts
    finally:
        loops[0].call_soon_threadsafe(stopping.set)
        thread.join()
