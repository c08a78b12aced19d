"""What the four stand-ins share: the knobs, the keys in force, the count of requests, the faults to inject.

Everything here lives in one process and one event loop, so nothing needs a lock.
"""

from __future__ import annotations

import asyncio
import fnmatch
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "1234567890123456"
PROVIDER_ARN = f"acs:ram::{ACCOUNT}:oidc-provider/github"
ROLE_ARN = f"acs:ram::{ACCOUNT}:role/oss-backup"
AUDIENCE = "sts.aliyuncs.com"
REGION = "cn-hangzhou"
BUCKET = "sandbox-bucket"
VERSIONED_BUCKET = "sandbox-versioned"
SUBJECT = "repo:example/quant-data:ref:refs/heads/main"


@dataclass(frozen=True, slots=True)
class Key:
    """One access key: a permanent one (no token, no end) or a session's."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires: float = float("inf")  # seconds since 1970, by the sandbox's clock
    policies: tuple[dict[str, Any], ...] = ()  # RAM policies; every one of them must allow an action
    principal: str = f"acs:ram::{ACCOUNT}:root"


@dataclass(slots=True)
class Knobs:
    """What a test may turn through `POST /settings`; `POST /reset` puts the defaults back."""

    key_seconds: float | None = None  # life of session keys whatever DurationSeconds asks; None: as asked
    token_seconds: float = 300  # life of an OIDC token
    page_size: int = 1000  # the most keys that one page of a listing holds
    part_min: int = 102_400  # bytes; smallest part but the last (OSS: 100 KB)
    put_max: int = 5 * 1024**3  # bytes; largest object of one PutObject, and largest part
    copy_max: int = 1024**3  # bytes; largest CopyObject that changes class or encryption
    latency: float = 0.0  # seconds added to every OSS request
    at_a_time: int = 0  # OSS requests that are carried out at a time; more are refused; 0: any number
    per_second: int = 0  # OSS requests that are carried out in each second of the clock; 0: any number
    clock_offset: float = 0.0  # seconds by which the sandbox's clock is ahead of this machine's
    role_policy: dict[str, Any] | None = None  # None: everything is allowed
    trust_policy: dict[str, Any] | None = None  # None: this provider, AUDIENCE and SUBJECT
    max_session_seconds: int = 3600  # the role's MaxSessionDuration
    kms_keys: dict[str, str] = field(default_factory=dict)  # key id → "disabled" or "absent"; any other key is good
    claims: dict[str, Any] = field(default_factory=dict)  # merged into the next OIDC tokens
    dingtalk_per_minute: int = 20
    dingtalk_keyword: str = ""  # a security keyword of the robot; empty: none
    crc64: bool = True  # whether answers carry x-oss-hash-crc64ecma
    restore_seconds: float = 60  # how long RestoreObject takes, whatever the class and tier
    v1_signatures: bool = True  # False: V1 signatures are refused, as OSS does for new accounts and buckets


@dataclass(slots=True)
class Fault:
    """One fault: which requests it hits, and what happens to them. The README's table says what each kind does."""

    kind: str  # status reset stall cut alter lose-reply drop-header expire-token throttle
    service: str = "oss"  # oss sts github dingtalk
    request: str = "*"  # the request's kind, a glob: put, get, list, part …
    key: str = "*"  # the object's key, a glob
    skip: int = 0  # requests that match and are let through first
    count: int = 1  # requests that are hit; -1: all
    probability: float = 1.0
    status: int = 500
    code: str = "InternalError"
    message: str = ""
    ec: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    header: str = ""  # drop-header: which
    after: int = 0  # reset, cut, alter: how many bytes of the body go through first
    seconds: float = 0.0  # stall: for how long


@dataclass(slots=True)
class World:
    """The state behind the stand-ins."""

    knobs: Knobs = field(default_factory=Knobs)
    keys: dict[str, Key] = field(default_factory=dict)  # by access key id
    counts: Counter[str] = field(default_factory=Counter)  # "oss.put", "sts.AssumeRoleWithOIDC" …, bytes_in, bytes_out
    log: list[dict[str, Any]] = field(default_factory=list)  # the last requests: service, request, key, status
    faults: list[Fault] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)  # what DingTalk received
    dingtalk_times: list[float] = field(default_factory=list)  # when the robot took its last messages
    dingtalk_limited_until: float = 0.0  # until when it refuses after too many
    era: int = 0  # how many resets there were: what a request of an earlier one still does is not of this one
    dice: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  (chance for faults, not secrets)

    def now(self) -> float:
        """Seconds since 1970 by the sandbox's clock."""
        return time.time() + self.knobs.clock_offset

    async def stall(self, seconds: float) -> bool:
        """Waits so long. Whether the request may go on: not where there was a reset meanwhile."""
        era = self.era
        await asyncio.sleep(seconds)
        return self.era == era

    def record(self, service: str, request: str, *, era: int, key: str = "", status: int = 0) -> None:
        """Counts a request that was answered, whatever the answer, if it came since the last reset."""
        if era != self.era:
            return
        self.counts[f"{service}.{request}"] += 1
        self.log.append({"service": service, "request": request, "key": key, "status": status})
        del self.log[:-10_000]

    def fault(self, service: str, request: str, key: str = "") -> Fault | None:
        """The first fault that hits this request; its counters are moved on."""
        for fault in self.faults:
            if fault.service != service or fault.count == 0:
                continue
            if not fnmatch.fnmatchcase(request, fault.request) or not fnmatch.fnmatchcase(key, fault.key):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if self.dice.random() >= fault.probability:
                continue
            fault.count -= 1 if fault.count > 0 else 0
            return fault
        return None
