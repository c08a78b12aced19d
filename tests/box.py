"""The program as a process against the sandbox, and the bucket through clients that are not ours."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oss2
import zstandard

from backup_action.core import place, report
from backup_action.core.report import Report
from backup_action.sandbox.serve import Sandbox

PROGRAM = (sys.executable, "-I", "-m", "backup_action")
RECORD = 1  # put, that a run which reached the bucket makes however it ends: the ledger's record
OWN_PUTS = 3  # that every run makes besides those of files: the lease, the snapshot, and the ledger's record
TIMEOUT = 120  # seconds; a run that hangs is a failure, not a wait


@dataclass(frozen=True)
class Ended:
    """How a process ended; `report` is None only where none was written."""

    code: int
    text: str
    report: Report | None

    @property
    def told(self) -> Report:
        assert self.report is not None, self.text
        return self.report


class Box:
    """One test's sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.state = folder / "state"
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.post("reset", {})

    @property
    def environment(self) -> dict[str, str]:
        """What a process gets: nothing of this one's but a PATH."""
        told = {k: v for k, v in self.sandbox.environment.items() if not k.startswith("OSS_SANDBOX")}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_STATE_HOME": str(self.state), **told}

    def post(self, name: str, value: object) -> None:
        """Turns a knob: `faults`, `settings`, `reset`."""
        data = json.dumps(value).encode()
        request = urllib.request.Request(f"{self.sandbox.control}/{name}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200

    def counts(self) -> dict[str, int]:
        """Requests by kind since the last reset."""
        with urllib.request.urlopen(f"{self.sandbox.control}/requests") as answer:
            counts: dict[str, int] = json.load(answer)["counts"]
        return counts

    def sent(self, kind: str = "oss.put") -> int:
        return self.counts().get(kind, 0)

    def messages(self) -> list[dict[str, Any]]:
        """What DingTalk received."""
        with urllib.request.urlopen(f"{self.sandbox.control}/dingtalk") as answer:
            messages: list[dict[str, Any]] = json.load(answer)
        return messages

    def start(self, *arguments: str, without: tuple[str, ...] = (), **environ: str) -> subprocess.Popen[str]:
        """The program as a process in the tree's folder."""
        environment = {k: v for k, v in (self.environment | environ).items() if k not in without}
        return subprocess.Popen(
            [*PROGRAM, *arguments], cwd=self.folder, env=environment, text=True, errors="surrogateescape",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, without: tuple[str, ...] = (), **environ: str) -> Ended:
        """Runs the program to its end."""
        return self.end(self.start(*arguments, without=without, **environ))

    def end(self, process: subprocess.Popen[str]) -> Ended:
        """Waits for a process that `start` gave."""
        try:
            text, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
            raise AssertionError(f"the program did not end: {text}") from None
        file = self.state / "oss-backup/report.json"
        told = report.decode(file.read_bytes()) if file.exists() else None
        file.unlink(missing_ok=True)
        return Ended(process.returncode, text, told)

    def backup(self, *arguments: str, **environ: str) -> Ended:
        """Backs `tree` up to `t` below the prefix `p`, in English."""
        return self.run(
            "backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en", *arguments,
            **environ,
        )  # fmt: skip

    def client(self, bucket: str = "") -> oss2.Bucket:
        """oss2 with all rights: not our signer, not our transport."""
        keys = self.sandbox.environment
        auth = oss2.AuthV4(keys["OSS_SANDBOX_ACCESS_KEY_ID"], keys["OSS_SANDBOX_ACCESS_KEY_SECRET"])
        name = bucket or keys["OSS_BACKUP_BUCKET"]
        return oss2.Bucket(auth, keys["OSS_BACKUP_ENDPOINT"], name, region=keys["OSS_BACKUP_REGION"])

    def objects(self, bucket: str = "", prefix: str = "p/") -> dict[str, str]:
        """Every object below the prefix but the catalogue: its key there, and the SHA-256 of what a GET gives."""
        client = self.client(bucket)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # oss2 uses utcnow
            keys = [item.key for item in oss2.ObjectIteratorV2(client, prefix=prefix)]
            return {
                key.removeprefix(prefix): hashlib.sha256(client.get_object(key).read()).hexdigest()
                for key in keys
                if not key.startswith(f"{prefix}.oss-backup/")
            }

    def snapshots(self, bucket: str = "", prefix: str = "p/") -> list[list[dict[str, Any]]]:
        """Every snapshot as its lines, oldest first, read without the program."""
        client = self.client(bucket)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found = [item.key for item in oss2.ObjectIteratorV2(client, prefix=f"{prefix}.oss-backup/snapshots/")]
            keys = sorted(key for key in found if key.endswith(".jsonl.zst"))
            frames = [client.get_object(key).read() for key in keys]
        plain = [zstandard.ZstdDecompressor().decompressobj().decompress(frame) for frame in frames]
        lines = [[json.loads(line) for line in text.splitlines()] for text in plain]
        return sorted(lines, key=lambda told: told[0]["head"]["sequence"])


def disk(folder: Path) -> dict[str, str]:
    """Every regular file below a folder by its path there (surrogate escapes), with its SHA-256."""
    found = {}
    for above, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(above, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


def wanted(box: Box) -> dict[str, str]:
    """What the bucket must hold of the tree after `Box.backup`."""
    return {place.code(f"t/{path}"): digest for path, digest in disk(box.tree).items()}


def uploads(box: Box) -> list[str]:
    """Keys of multipart uploads that nobody ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return [upload.key for upload in oss2.MultipartUploadIterator(box.client())]


# Root may read everything, so its process gives up the two rights that let it; the number is PR_CAPBSET_DROP.
ORDINARY = """
import ctypes, os, sys
if os.geteuid() == 0 and any(ctypes.CDLL(None).prctl(24, right, 0, 0, 0) for right in (1, 2)):
    sys.exit("cannot give up rights")
os.execv(sys.argv[1], sys.argv[1:])
"""


class Ordinary(Box):
    """A box whose program runs as a user whom file modes hold back."""

    def start(self, *arguments: str, without: tuple[str, ...] = (), **environ: str) -> subprocess.Popen[str]:
        environment = {k: v for k, v in (self.environment | environ).items() if k not in without}
        return subprocess.Popen(
            [PROGRAM[0], "-I", "-c", ORDINARY, *PROGRAM, *arguments], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
