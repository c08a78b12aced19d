"""One sandbox for each file of tests, empty at the beginning of each test."""

from collections.abc import Iterator

import pytest
import requests

from backup_action.sandbox.serve import Sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Sandbox:
    assert requests.post(f"{running.control}/reset", timeout=5).ok
    return running
