"""What a bucket is set to do by itself: lifecycle rules (kept, never run), encryption, retention."""

from __future__ import annotations

from . import rights
from .buckets import read_xml
from .call import Answer, Call
from .failure import Failure, malformed_xml
from .objects import Bucket
from .xml import document, element

_BODY_MAX = 1 << 20
_RULES = 1000


async def lifecycle(call: Call) -> Answer:
    """GetBucketLifecycle, PutBucketLifecycle, DeleteBucketLifecycle."""
    rights.on_bucket(call, f"oss:{_verb(call)}BucketLifecycle")
    bucket = call.bucket()
    if call.method == "GET":
        if not bucket.facts.lifecycle:
            raise Failure(
                404, "NoSuchLifecycle", "No Row found in Lifecycle Table.", fields={"BucketName": bucket.facts.name}
            )
        return Answer(body=bucket.facts.lifecycle)
    body = (await call.receive(_BODY_MAX)).data if call.method == "PUT" else b""
    if call.method == "PUT" and not 1 <= len(read_xml(body, "LifecycleConfiguration").findall("Rule")) <= _RULES:
        raise malformed_xml()
    bucket.facts.lifecycle = body
    return _saved(call, bucket)


async def encryption(call: Call) -> Answer:
    """GetBucketEncryption, PutBucketEncryption, DeleteBucketEncryption: the default for new objects."""
    rights.on_bucket(call, f"oss:{_verb(call)}BucketEncryption")
    bucket = call.bucket()
    if call.method == "GET":
        return _encryption(bucket)
    algorithm = key_id = ""
    if call.method == "PUT":
        rule = read_xml((await call.receive(_BODY_MAX)).data, "ServerSideEncryptionRule").find(
            "ApplyServerSideEncryptionByDefault"
        )
        algorithm = "" if rule is None else (rule.findtext("SSEAlgorithm") or "").strip()
        key_id = "" if rule is None else (rule.findtext("KMSMasterKeyID") or "").strip()
        if algorithm not in ("AES256", "KMS", "SM4") or (key_id and algorithm != "KMS"):
            raise malformed_xml()
    bucket.facts.encryption, bucket.facts.encryption_key = algorithm, key_id
    return _saved(call, bucket)


def _encryption(bucket: Bucket) -> Answer:
    if not bucket.facts.encryption:
        message = "The server side encryption configuration does not exist."
        raise Failure(404, "NoSuchServerSideEncryptionRule", message, fields={"BucketName": bucket.facts.name})
    inner = element("SSEAlgorithm", bucket.facts.encryption)
    if bucket.facts.encryption_key:
        inner += element("KMSMasterKeyID", bucket.facts.encryption_key)
    rule = f"<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>"
    return Answer(body=document("ServerSideEncryptionRule", rule))


async def worm(call: Call) -> Answer:
    """GetBucketWorm: the retention that the store was told of; it is always locked."""
    rights.on_bucket(call, "oss:GetBucketWorm")
    facts = call.bucket().facts
    if not facts.worm_days:
        message = "The WORM Configuration does not exist."
        raise Failure(404, "NoSuchWORMConfiguration", message, fields={"BucketName": facts.name})
    inner = element("WormId", f"{int(facts.created):032X}") + element("State", "Locked")
    inner += element("RetentionPeriodInDays", facts.worm_days) + element("CreationDate", facts.created)
    return Answer(body=document("WormConfiguration", inner))


def _verb(call: Call) -> str:
    return {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[call.method]


def _saved(call: Call, bucket: Bucket) -> Answer:
    call.store.save_facts(bucket)
    return Answer(204 if call.method == "DELETE" else 200)
