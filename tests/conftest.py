"""What all tests share: the profile of property tests, and the flag for the longer forms."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.register_profile("slow", settings.get_profile("quick"), max_examples=2000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the longer forms too")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("slow" if config.getoption("--slow") else "quick")
    for name in [name for name in os.environ if name.startswith(("OSS_BACKUP_", "INPUT_", "GITHUB_", "ACTIONS_"))]:
        del os.environ[name]
    sys.dont_write_bytecode = True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="a longer form; run with --slow"))
