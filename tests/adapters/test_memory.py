"""Freed memory is kept: the kernel need not clear the same pages again for each piece of content."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from backup_action.adapters import memory
print(memory.keep_freed() if sys.argv[1] == "kept" else "")
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    before = faults()
    for _ in range(50):
        [b"x" * (8 << 20) for _ in range(4)]
print(faults() - before)
"""
ROUNDS, PAGES = 50, 4 * (8 << 20) // 4096


def faulted(how: str) -> tuple[str, int]:
    told = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout
    word, number = told.split("\n")[:2]
    return word, int(number)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc's")
def test_content_that_passes_through_costs_pages_once() -> None:
    word, kept = faulted("kept")
    assert word == "True"
    assert kept < PAGES  # not even once in a second round of fifty


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc's")
def test_without_it_each_piece_costs_its_pages_anew() -> None:
    assert faulted("as ever")[1] > ROUNDS * PAGES // 4
