"""A web server on loopback whose answers a test scripts, one for each request; it keeps what it was asked."""

import contextlib
import http.server
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Handler = http.server.BaseHTTPRequestHandler
Script = Callable[[Handler], None]


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Where it listens, and what it was asked so far."""

    port: int
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Script:
    """An orderly answer; underscores in the names of headers are hyphens."""

    def script(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return script


def raw(data: bytes) -> Script:
    """Bytes as they are, then the end of the connection."""

    def script(handler: Handler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return script


def reset(handler: Handler) -> None:
    """The connection is reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for one in (handler.rfile, handler.wfile, handler.connection):  # while one of them is open, so is the connection
        one.close()


@contextlib.contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    """A server that answers by the scripts in turn, and by the last one from then on."""
    server = Server(0)

    class Scripted(Handler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client may have left
                scripts[min(len(server.asked), len(scripts)) - 1](self)

        do_GET = do_POST = do_CONNECT = answer

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that resets is part of the tests
            pass

    listening = Quiet(("127.0.0.1", 0), Scripted)
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
