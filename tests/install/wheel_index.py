"""A package index on loopback and the packages that it serves, all made here: no test asks a real index."""

import base64
import hashlib
import importlib.metadata
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Index:
    """What the index serves, what it was asked for, and which file it holds back."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.url = ""
        self.form = "html"
        """How a page is written: `html` and `json` tell each file's SHA-256, `bare` has none."""
        self.held = ""
        """Part of a file's name; it is not sent until `release` is set, and `reached` says that it was asked for."""
        self.reached, self.release = threading.Event(), threading.Event()

    def add(self, project: str, name: str, content: bytes) -> str:
        """Serves a file; returns the project's line for a lock."""
        self.files.setdefault(project, {})[name] = content
        version = name.removesuffix(".tar.gz").split("-")[1]
        return f"{project}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"

    def answer(self, path: str) -> bytes | None:
        self.asked.append(path)
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in self.files:
            return self.page(parts[1])
        if parts[0] == "files" and len(parts) == 3:
            if self.held and self.held in parts[2]:
                self.reached.set()
                self.release.wait(60)
            return self.files[parts[1]].get(parts[2])
        return None

    def page(self, project: str) -> bytes:
        """All files of a project."""
        files = [(f"/files/{project}/{name}", name, content) for name, content in self.files[project].items()]
        told = [(url, name, hashlib.sha256(content).hexdigest()) for url, name, content in files]
        if self.form == "json":
            listed = [{"url": url, "filename": name, "hashes": {"sha256": digest}} for url, name, digest in told]
            return json.dumps({"meta": {"api-version": "1.0"}, "name": project, "files": listed}).encode()
        mark = "" if self.form == "bare" else "#sha256="
        links = "".join(f'<a href="{url}{mark}{mark and digest}">{name}</a>' for url, name, digest in told)
        return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()


@contextmanager
def serving() -> Iterator[Index]:
    """An empty index that listens."""
    index = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = index.answer(self.path)
            try:
                self.send_response(404 if body is None else 200)
                page = "application/vnd.pypi.simple.v1+json" if index.form == "json" else "text/html"
                self.send_header("Content-Type", page if "/simple/" in self.path else "application/octet-stream")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")
            except ConnectionError:
                pass  # a killed pip does not wait for its answer

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield index
        finally:
            index.release.set()
            server.shutdown()
            thread.join()


def wheel(project: str, version: str, modules: Mapping[str, str]) -> tuple[str, bytes]:
    """The name and bytes of a wheel with the given files."""
    information = f"{project}-{version}.dist-info"
    files = {name: text.encode() for name, text in modules.items()}
    files[f"{information}/METADATA"] = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
    files[f"{information}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    return f"{project}-{version}-py3-none-any.whl", _zipped(files, f"{information}/RECORD")


def installed(project: str) -> tuple[str, bytes]:
    """A wheel made again from a package that is installed beside the tests."""
    distribution = importlib.metadata.distribution(project)
    information = f"{project}-{distribution.version}.dist-info"
    files = {}
    for file in distribution.files or ():
        name = str(file)
        left_out = name.startswith("..") or name.endswith(
            (".pyc", "/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json")
        )
        if not left_out:
            files[name] = file.read_binary()
    return f"{project}-{distribution.version}-py3-none-any.whl", _zipped(files, f"{information}/RECORD")


def _zipped(files: Mapping[str, bytes], record: str) -> bytes:
    lines = []
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(content)}\n")
            archive.writestr(name, content)
        archive.writestr(record, "".join([*lines, f"{record},,\n"]))
    return buffer.getvalue()


def source(project: str, version: str, setup: str, *, is_package: bool = False, **more: str) -> tuple[str, bytes]:
    """The name and bytes of a source distribution with a module or package, and a setup.py that begins with the code.

    `more` are files by name, with two underscores for the dot.
    """
    root = f"{project}-{version}"
    kind = "packages" if is_package else "py_modules"
    body = f"import setuptools\nsetuptools.setup(name={project!r}, version={version!r}, {kind}=[{project!r}])\n"
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n",
        f"{project}/__init__.py" if is_package else f"{project}.py": "built = True\n",
        "setup.py": f"{setup}\n{body}",
    } | {name.replace("__", "."): text for name, text in more.items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{root}.tar.gz", buffer.getvalue()
