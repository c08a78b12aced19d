"""A fresh server for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from oss_cloud import Cloud, serving


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with serving(Cloud()) as running:
        yield running


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a .netrc of the machine may come between."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", "/dev/null")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """oss2 takes the time by a call that newer Pythons warn of; that is not ours to mend."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"))
