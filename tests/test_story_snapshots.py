"""Stories of `snapshots`: the list, one of them, two side by side, and a path through time."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zstandard
from box import PROGRAM, TIMEOUT, Box, disk

from backup_action.core import report
from backup_action.core.entry import Entry, Sort
from backup_action.core.place import Root
from backup_action.core.recent import Effort
from backup_action.core.report import Report
from backup_action.core.snapshot import FORMAT, Foot, Head, Parent, Writer
from backup_action.core.snapshot import recent as recent_of
from backup_action.vault import Vault

CATALOGUE = "p/.oss-backup/snapshots/"


class Looked:
    """How `snapshots` ended, with stdout apart from stderr."""

    def __init__(self, box: Box, *arguments: str, language: str = "en", **environ: str) -> None:
        done = subprocess.run(
            [*PROGRAM, "snapshots", "--prefix", "p", "--source", "story", "--language", language, *arguments],
            cwd=box.folder, env=box.environment | environ, capture_output=True, timeout=TIMEOUT,
        )  # fmt: skip
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        file = box.state / "oss-backup/report.json"
        self.told: Report = report.decode(file.read_bytes())
        file.unlink()

    @property
    def document(self) -> Any:
        return json.loads(self.out)
