"""The sandbox's OSS carries out as many requests as it may, and refuses the others as OSS does."""

from __future__ import annotations

import pytest
from oss_cloud import Cloud

from backup_action.sandbox.oss.failure import Failure
from backup_action.sandbox.oss.limits import Limits
from backup_action.sandbox.world import Knobs, World


def refused(limits: Limits) -> tuple[int, str, str]:
    with pytest.raises(Failure) as failure:
        limits.enter()
    return failure.value.status, failure.value.code, failure.value.headers["x-oss-qos-delay-time"]


def test_so_many_at_a_time() -> None:
    limits = Limits(World(Knobs(at_a_time=3)))
    for _ in range(3):
        limits.enter()
    assert [refused(limits) for _ in range(5)] == [(503, "ActiveRequestLimitExceeded", "50")] * 5
    limits.leave()
    limits.enter()
    refused(limits)


def test_so_many_in_a_second() -> None:
    now = [7.25]
    limits = Limits(World(Knobs(per_second=2)), lambda: now[0])
    for _ in range(2):
        limits.enter()
        limits.leave()
    assert refused(limits) == (503, "TotalQpsLimitExceeded", "750")
    now[0] = 7.9995
    assert refused(limits)[2] == "1"
    now[0] = 8.0
    limits.enter()
    limits.enter()
    refused(limits)


def test_without_a_limit_nothing_is_refused() -> None:
    limits = Limits(World())
    for _ in range(1000):
        limits.enter()


def test_every_request_gives_its_place_back(cloud: Cloud) -> None:
    """Also those that fail, and those whose connection ends."""
    cloud.world.knobs.at_a_time = 1
    cloud.put("k")
    assert cloud.send("GET", "missing").status == 404
    cloud.fault("reset", request="put")
    with pytest.raises(OSError):
        cloud.send("PUT", "k", data=b"x")
    cloud.fault("status", request="put", status=500)
    assert cloud.send("PUT", "k", data=b"x").status == 500
    assert cloud.get("k") == b"content"


def test_who_is_one_too_many_hears_it_on_the_wire(cloud: Cloud) -> None:
    cloud.world.knobs.per_second = 1
    answers = [cloud.send("PUT", "k", data=b"x") for _ in range(40)]  # in fewer seconds than that
    told = next(answer for answer in answers if answer.status == 503)
    assert told.error == (503, "TotalQpsLimitExceeded", "")
    assert 1 <= int(told.headers["x-oss-qos-delay-time"]) <= 1000
    assert cloud.count("put") == 40
