"""What all tests share: the profile of property tests, the flag for the longer forms, and what workers are.

Each worker is a process with a sandbox of its own; all that tests write is below their `tmp_path`, all ports are free
ones. So any test may run beside any other.
"""

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from backup_action.sandbox.control import reset
from backup_action.sandbox.serve import Sandbox

sys.path.insert(0, str(Path(__file__).parent))  # for `box`, which all stories share
from box import Box, Ordinary

# Health checks time what machines that are shared cannot promise; filters are looked at when a test is written.
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("quick", deadline=None, suppress_health_check=CHECKS)
settings.register_profile("slow", settings.get_profile("quick"), max_examples=2000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the longer forms too")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: list[Any]) -> None:
    """Workers are Pythons like this one: nothing from the environment, no bytecode in the checkout."""
    for spec in specs:
        isolated = ["-I", *(["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else [])]
        spec.python = shlex.join([sys.executable, *isolated])


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it to what runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # processes of tests are interrupted
    settings.load_profile("slow" if config.getoption("--slow") else "quick")
    for name in [name for name in os.environ if name.startswith(("OSS_BACKUP_", "INPUT_", "GITHUB_", "ACTIONS_"))]:
        del os.environ[name]
    sys.dont_write_bytecode = True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="a longer form; run with --slow"))


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def box(_sandbox: Sandbox, tmp_path: Path) -> Box:
    """The sandbox, empty, and the program run against it as a process."""
    return Box(_sandbox, tmp_path)


@pytest.fixture
def ordinary(_sandbox: Sandbox, tmp_path: Path) -> Iterator[Box]:
    """The same, but the program may not read what file modes forbid."""
    box = Ordinary(_sandbox, tmp_path)
    if "cannot give up rights" in box.run("--version").text:
        pytest.skip("root here cannot give up its rights")
    yield box
    for above, folders, _ in os.walk(tmp_path):
        for name in folders:
            os.chmod(os.path.join(above, name), 0o755)


@pytest.fixture
def cloud(_sandbox: Sandbox) -> Sandbox:
    """The sandbox, empty, for tests that ask its stand-ins themselves."""
    reset(_sandbox.world)
    return _sandbox
