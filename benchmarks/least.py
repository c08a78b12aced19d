"""The least that a backup to this server, and a restore from it, can take in Python: what all have to do, and no more.

    least.py backup ENDPOINT SOURCE
    least.py restore ENDPOINT TARGET

A backup reads each file, hashes it (SHA-256: a proof of content needs one), sends it, and holds the CRC-64 of the
answer against its own; a restore asks for each file, hashes and writes it. Blocking sockets in a few threads, which
leave the interpreter to each other while they wait. No listing, no signature, no snapshot, no second try, no
durability: it is no backup. What takes a little longer is as fast as the machine and this server let it be.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from pathlib import Path
from urllib.parse import quote, urlsplit

import fastcrc

THREADS = 4
PART = 8 << 20  # bytes of a request
INDEX = "/bench/least/.index"

File = tuple[str, int, str]  # path below the source, size, SHA-256


class Connection:
    """One to the server. A request that is not answered for good ends the program."""

    def __init__(self, endpoint: str) -> None:
        """Connects."""
        at = urlsplit(endpoint)
        self._host = at.netloc
        self._socket = socket.create_connection((at.hostname or "", at.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(
        self, method: str, target: str, body: bytes = b"", more: str = "", into: memoryview | None = None
    ) -> dict[str, str]:
        """The answer's headers; its body is in `into`, or under "body"."""
        head = f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self._socket.sendall(head.encode())
        if body:
            self._socket.sendall(body)
        came = b""
        while b"\r\n\r\n" not in came:
            came += self._some()
        told, _, rest = came.partition(b"\r\n\r\n")
        status, *lines = told.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers["content-length"])
        if status.split()[1][0] != "2" or (into is not None and len(into) != size):
            raise SystemExit(f"{method} {target}: {status}")
        view = memoryview(bytearray(size)) if into is None else into
        view[: len(rest)] = rest
        at = len(rest)
        while at < size:
            if not (count := self._socket.recv_into(view[at:])):
                raise SystemExit("the connection ended")
            at += count
        return headers if into is not None else {**headers, "body": bytes(view).decode()}

    def _some(self) -> bytes:
        if not (some := self._socket.recv(4096)):
            raise SystemExit("the connection ended")
        return some


def key(path: str) -> str:
    """A file's target."""
    return f"/bench/least/{quote(path)}"


def sent(connection: Connection, source: Path, path: str) -> File:
    """One file, read and sent."""
    sha, size, tags, upload = hashlib.sha256(), (source / path).stat().st_size, "", ""
    if size > PART:
        told = connection.ask("POST", f"{key(path)}?uploads")["body"]
        upload = told.partition("<UploadId>")[2].partition("<")[0]
    with (source / path).open("rb", buffering=0) as file:
        for number in range(1, max(1, -(-size // PART)) + 1):
            data = file.read(PART)
            sha.update(data)
            target = f"{key(path)}?partNumber={number}&uploadId={upload}" if upload else key(path)
            answer = connection.ask("PUT", target, data)
            if answer["x-oss-hash-crc64ecma"] != str(fastcrc.crc64.xz(data)):
                raise SystemExit(f"{path}: another CRC-64")
            tags += f"<Part><PartNumber>{number}</PartNumber><ETag>{answer['etag']}</ETag></Part>"
    if upload:
        body = f"<CompleteMultipartUpload>{tags}</CompleteMultipartUpload>".encode()
        connection.ask("POST", f"{key(path)}?uploadId={upload}", body)
    return path, size, sha.hexdigest()


def fetched(connection: Connection, target: Path, path: str, size: int, expected: str) -> None:
    """One file, fetched and written."""
    sha, buffer = hashlib.sha256(), memoryview(bytearray(min(size, PART)))
    (target / path).parent.mkdir(parents=True, exist_ok=True)
    with (target / path).open("wb", buffering=0) as file:
        for start in range(0, size, PART):
            view = buffer[: min(PART, size - start)]
            more = f"Range: bytes={start}-{start + len(view) - 1}\r\n"
            connection.ask("GET", key(path), more=more, into=view)
            sha.update(view)
            file.write(view)
    if sha.hexdigest() != expected:
        raise SystemExit(f"{path}: another SHA-256")


def shared(
    endpoint: str, work: Callable[..., File | None], jobs: Iterable[tuple[str | int | Path, ...]]
) -> list[File | None]:
    """Each job done by some thread, with a connection of the thread's own."""
    rest = iter(list(jobs))  # of a list: its iterator may be asked by several threads

    def some(_: int) -> list[File | None]:
        connection = Connection(endpoint)
        return list(starmap(lambda *job: work(connection, *job), rest))

    with ThreadPoolExecutor(THREADS) as pool:
        return [one for done in pool.map(some, range(THREADS)) for one in done]


def main(verb: str, endpoint: str, folder: str) -> None:
    """Runs it."""
    place = Path(folder)
    if verb == "backup":
        paths = (Path(at, name) for at, _, names in os.walk(place) for name in names)
        done = shared(endpoint, sent, ((place, str(path.relative_to(place))) for path in paths))
        Connection(endpoint).ask("PUT", INDEX, json.dumps(done).encode())
    else:
        files = json.loads(Connection(endpoint).ask("GET", INDEX)["body"])
        shared(endpoint, fetched, ((place, *file) for file in files))


if __name__ == "__main__":
    main(*sys.argv[1:])
