"""What is compared: our layouts, the peers that are on PATH, and the least that there is to do; how each is called.

Every tool backs the same folder up to one bucket of the same server, without a shell, each with a home of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BUCKET = "bench"
_OURS = "{python} -I -m backup_action {verb} --allow-static-keys"
_PLACE = f"--endpoint {{endpoint}} --bucket {BUCKET} --region cn-hangzhou"
_RCLONE = "--transfers 64 --checkers 64 --fast-list"


@dataclass(frozen=True, slots=True)
class Tool:
    """Commands by what they do, with `{names}` to fill in; `program` is what `{program}` stands for."""

    name: str
    backup: str
    restore: str
    version: str
    prepare: str = ""  # runs before a fresh backup and is not measured
    program: str = ""
    is_ours: bool = False

    def words(self, command: str, names: Mapping[str, str]) -> list[str]:
        """The command's words; what is filled in stays one word."""
        return [word.format(program=self.program, python=sys.executable, **names) for word in command.split()]


def _ours(layout: str, more: str = "") -> Tool:
    name = f"ours-{layout}{more}"
    place = f"{_PLACE} --prefix {name} --source bench --layout {layout} --language en"
    return Tool(
        name,
        backup=f"{_OURS.replace('{verb}', 'backup')} {place} --path {{source}}",
        restore=f"{_OURS.replace('{verb}', 'restore')} {place} --target {{target}}",
        version="{python} -I -m backup_action --version",
        program=sys.executable,
        is_ours=True,
    )


_LEAST = f"{{python}} -I {Path(__file__).with_name('least.py')}"

LEAST = Tool(
    "least",
    backup=f"{_LEAST} backup {{endpoint}} {{source}}",
    restore=f"{_LEAST} restore {{endpoint}} {{target}}",
    version="{python} --version",
    is_ours=True,
)

OURS = {tool.name: tool for tool in (_ours("tree"), _ours("vault"), _ours("vault", "-encrypted"), LEAST)}
ASKED = {"ours-vault-encrypted", "least"}  # run only where they are asked for

PEERS = {
    "rclone": Tool(
        "rclone",
        backup=f"{{program}} sync {{source}} OSS:{BUCKET}/rclone --s3-no-check-bucket {_RCLONE}",
        restore=f"{{program}} copy OSS:{BUCKET}/rclone {{target}} {_RCLONE}",
        version="{program} version",
    ),
    "s5cmd": Tool(
        "s5cmd",
        backup=f"{{program}} --endpoint-url {{endpoint}} --log error sync {{source}}/ s3://{BUCKET}/s5cmd/",
        restore=f"{{program}} --endpoint-url {{endpoint}} --log error cp s3://{BUCKET}/s5cmd/* {{target}}/",
        version="{program} version",
    ),
    "restic": Tool(
        "restic",
        prepare=f"{{program}} --quiet --repo s3:{{endpoint}}/{BUCKET}/restic init",
        backup=f"{{program}} --quiet --repo s3:{{endpoint}}/{BUCKET}/restic backup {{source}}",
        restore=f"{{program}} --quiet --repo s3:{{endpoint}}/{BUCKET}/restic restore latest --target {{target}}",
        version="{program} version",
    ),
}


def environment(tool: Tool, endpoint: str, home: Path) -> dict[str, str]:
    """All that a tool's process gets: keys that nobody checks, the server's address, a home of its own."""
    told = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "bench",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "bench",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "RESTIC_PASSWORD": "bench",
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_OSS_TYPE": "s3",
        "RCLONE_CONFIG_OSS_PROVIDER": "Alibaba",
        "RCLONE_CONFIG_OSS_ENDPOINT": endpoint,
        "RCLONE_CONFIG_OSS_ACCESS_KEY_ID": "bench",
        "RCLONE_CONFIG_OSS_SECRET_ACCESS_KEY": "bench",
        "RCLONE_CONFIG_OSS_FORCE_PATH_STYLE": "true",
    }
    if tool.name.endswith("-encrypted"):
        told["OSS_BACKUP_PASSPHRASE"] = "correct horse battery staple"  # noqa: S105
    return told


def program_of(name: str) -> str:
    """The path of a peer's program; "" where there is none.

    Packages of pip, and version managers, put a script of the same name before some programs. That costs up to 0.3 s
    a call, which is not the peer's: the program itself is looked for behind it.
    """
    for folder in os.get_exec_path():
        found = shutil.which(name, path=folder)
        behind = [Path(found)] if found else []
        if found and folder.endswith("/shims"):
            behind = sorted(Path(folder).parent.glob(f"versions/*/bin/{name}"))
        for path in behind:
            packaged = [*path.parent.parent.glob(f"lib/python*/site-packages/{name}/bin/{name}")]
            for candidate in (path, *packaged):
                if _is_program(candidate):
                    return str(candidate)
    return shutil.which(name) or ""


def _is_program(path: Path) -> bool:
    """Whether it is machine code; only its beginning is read."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def version_of(tool: Tool) -> str:
    """The version that the tool says it is; "unknown" where it does not start."""
    done = subprocess.run(
        tool.words(tool.version, {}), capture_output=True, text=True, errors="replace", check=False, timeout=60
    )
    found = re.search(r"\d+(\.\d+)+", done.stdout) if done.returncode == 0 else None
    return found[0] if found else "unknown"
