"""What OSS refuses of one write, as the stand-in words it, told in both languages: what, where, what to do."""

import asyncio
from collections.abc import Mapping
from typing import Any

import fastcrc
import pytest

from backup_action.adapters.oss import refusal
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core import wording
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import BUCKET, Fault, Key

KMS = {"x-oss-server-side-encryption": "KMS"}
WITH_KEY = {**KMS, "x-oss-server-side-encryption-key-id": "key-1"}
DEEP = {"x-oss-storage-class": "DeepColdArchive"}
OSS = ["oss:PutObject", "oss:GetObject", "oss:ListObjects"]


def refused(cloud: Sandbox, headers: Mapping[str, str], actions: list[str]) -> Problem:
    """The problem of writing one object with these headers as somebody who has these rights."""
    policy: dict[str, Any] = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": ["*"]}]}
    keys = Key("LTAIrefused", "secret-of-refused", policies=(policy,))
    cloud.world.keys[keys.access_key_id] = keys
    place = Place(BUCKET, "cn-hangzhou", cloud.environment["OSS_BACKUP_ENDPOINT"], "p/")

    async def give(old: Credentials | None) -> Credentials:
        return Credentials(keys.access_key_id, keys.secret, "")

    async def write() -> None:
        async with Bucket(Attempts(place, give), connections=1) as written:
            await written.put("p/t/a", b"1", fastcrc.crc64.xz(b"1"), headers)

    try:
        with pytest.raises(Stop) as stop:
            asyncio.run(write())
    finally:
        del cloud.world.keys[keys.access_key_id]
    return stop.value.problem


def told(problem: Problem, language: wording.Language) -> str:
    sentence = wording.sentence(problem, language)
    assert problem.facts["request-id"] in sentence.advice
    return f"{sentence.label} {sentence.what} {sentence.advice}"


def assert_said(problem: Problem, kind: Kind, both: tuple[str, ...], en: str, zh: str) -> None:
    assert problem.kind is kind, problem
    for language, own in (("en", en), ("zh", zh)):
        text = told(problem, "zh" if language == "zh" else "en")
        for word in (*both, own):
            assert word in text, f"{word!r} is not in {text}"


def test_a_missing_right_to_write_tags_names_the_setting(cloud: Sandbox) -> None:
    problem = refused(cloud, {"x-oss-tagging": "team=quant"}, OSS)
    both = ("oss:PutObjectTagging", f"acs:oss:*:*:{BUCKET}/p/*", "`tags`")
    assert_said(problem, Kind.OSS_RIGHT, both, "take the setting `tags` out", "去掉设置 `tags`")


@pytest.mark.parametrize("actions", [OSS, [*OSS, "kms:GenerateDataKey"]])
def test_a_role_without_kms_rights_is_told_to_get_them(cloud: Sandbox, actions: list[str]) -> None:
    problem = refused(cloud, KMS, actions)
    both = ("`kms:GenerateDataKey`", "`kms:Decrypt`", BUCKET, "`kms-key-id`")
    assert_said(problem, Kind.OSS_KMS, both, "permission policy", "权限策略")


def test_a_disabled_kms_key_is_told(cloud: Sandbox) -> None:
    cloud.world.knobs.kms_keys = {"key-1": "disabled"}
    problem = refused(cloud, WITH_KEY, ["*"])
    assert_said(
        problem, Kind.OSS_KMS, ("`kms-key-id`", BUCKET), "the key is enabled", "该密钥在 KMS 控制台处于启用状态"
    )


def test_a_kms_key_that_is_not_there_is_told_by_its_name(cloud: Sandbox) -> None:
    cloud.world.knobs.kms_keys = {"key-1": "absent"}
    problem = refused(cloud, WITH_KEY, ["*"])
    assert problem.facts["ec"] == "0005-00000208"
    assert_said(problem, Kind.OSS_KMS, ("key-1", "`kms-key-id`", BUCKET), "account and region", "同一账号、同一地域")


def test_an_encryption_that_oss_does_not_know_is_no_matter_of_rights(cloud: Sandbox) -> None:
    problem = refused(cloud, {"x-oss-server-side-encryption": "SM9"}, ["*"])
    assert_said(problem, Kind.OSS_KMS, ("`server-side-encryption`", BUCKET), "does not take the encryption", "加密方式")


def test_a_storage_class_that_the_region_does_not_have_is_not_told_as_a_wrong_region(cloud: Sandbox) -> None:
    said = "The storage class DeepColdArchive is not supported in this region."
    cloud.world.faults = [Fault("status", request="put", status=400, code="InvalidArgument", message=said)]
    problem = refused(cloud, DEEP, ["*"])
    both = ("DeepColdArchive", "`storage-class`", BUCKET, "cn-hangzhou")
    assert_said(problem, Kind.OSS_CLASS, both, "does not take the storage class", "不接受存储类型")


def test_a_storage_class_that_is_none_is_told_by_its_name(cloud: Sandbox) -> None:
    problem = refused(cloud, {"x-oss-storage-class": "Lukewarm"}, ["*"])
    assert_said(problem, Kind.OSS_CLASS, ("Lukewarm", "`storage-class`"), "does not take", "不接受存储类型")


def test_a_refusal_has_both_clocks() -> None:
    skewed = refusal.read(403, {}, b"<Error><Code>RequestTimeTooSkewed</Code></Error>")
    stop = refusal.stop(skewed, Place("b", "r", "e", "p/"), right="", key="", offset=-400_000)
    facts = stop.problem.facts
    assert facts["ours"] > facts["theirs"] and facts["ours"][:4].isdigit()
    for language in ("en", "zh"):
        sentence = wording.sentence(stop.problem, "zh" if language == "zh" else "en")
        assert facts["ours"] in sentence.what and facts["theirs"] in sentence.what and "NTP" in sentence.advice
