"""What belongs to an object beside its bytes and can be changed later: tags, ACL, and an archive's thawed copy.

RestoreObject, by class (https://www.alibabacloud.com/help/en/oss/developer-reference/restoreobject):

| case | answer |
|---|---|
| first call | 202, and `restore_seconds` later the content can be read |
| under way | 409 RestoreAlreadyInProgress |
| readable | 200, and it stays readable for the days asked, from now on |
| not an archive | 400 OperationNotSupported |
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from ..world import ACCOUNT
from . import rights, traits
from .call import Answer, Call
from .failure import Failure, malformed_xml, method_not_allowed
from .objects import ARCHIVES, Version
from .reading import find, is_restored, version_headers
from .xml import document, element, parse

_BODY_MAX = 1 << 20
_TIERS = {"ColdArchive": ("Expedited", "Standard", "Bulk"), "DeepColdArchive": ("Expedited", "Standard")}
_DAYS = {"Archive": 7, "ColdArchive": 365, "DeepColdArchive": 365}
DAY = 86_400


async def tagging(call: Call) -> Answer:
    """GetObjectTagging, PutObjectTagging, DeleteObjectTagging; Last-Modified stays as it is."""
    verb = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}[call.method]
    rights.on_object(call, f"oss:{verb}ObjectTagging")
    bucket = call.bucket()
    version = find(call, bucket)
    headers = version_headers(bucket, version)
    if call.method == "GET":
        pairs = (element("Key", name) + element("Value", value) for name, value in version.traits.tags.items())
        inner = "".join(f"<Tag>{pair}</Tag>" for pair in pairs)
        return Answer(200, headers, document("Tagging", f"<TagSet>{inner}</TagSet>"))
    version.traits.tags = _tags((await call.receive(_BODY_MAX)).data) if call.method == "PUT" else {}
    call.store.changed(bucket, version.key)
    return Answer(200 if call.method == "PUT" else 204, headers)


def _tags(body: bytes) -> dict[str, str]:
    try:
        nodes = parse(body, "Tagging").findall("TagSet/Tag")
    except ValueError as error:
        raise malformed_xml() from error
    found = {node.findtext("Key") or "": node.findtext("Value") or "" for node in nodes}
    if len(found) < len(nodes):
        raise traits.invalid_tag("Duplicate tag keys are not allowed.")
    traits.check_tags(found)
    return found


async def acl(call: Call) -> Answer:
    """GetObjectACL, PutObjectACL. The ACL is kept and told; it gives nobody a right here."""
    rights.on_object(call, "oss:GetObjectAcl" if call.method == "GET" else "oss:PutObjectAcl")
    bucket = call.bucket()
    version = find(call, bucket)
    headers = version_headers(bucket, version)
    if call.method == "GET":
        return Answer(200, headers, acl_document(version.traits.acl))
    if call.method != "PUT":
        raise method_not_allowed(call.method)
    version.traits.acl = traits.acl(call.headers.get("x-oss-object-acl", ""))
    call.store.changed(bucket, version.key)
    return Answer(200, headers)


def acl_document(grant: str) -> bytes:
    """An ACL as OSS writes it, for objects and for buckets."""
    return document(
        "AccessControlPolicy", owner() + f"<AccessControlList>{element('Grant', grant)}</AccessControlList>"
    )


def owner() -> str:
    """The element that names who owns everything here."""
    return f"<Owner>{element('ID', ACCOUNT)}{element('DisplayName', ACCOUNT)}</Owner>"


async def restore(call: Call) -> Answer:
    """RestoreObject, by the table above."""
    rights.on_object(call, "oss:RestoreObject")
    bucket = call.bucket()
    version = find(call, bucket)
    days, tier = _request((await call.receive(_BODY_MAX)).data, version)
    if call.now < version.restored_at:
        message = "The restore operation is in progress."
        raise Failure(409, "RestoreAlreadyInProgress", message, fields={"ObjectName": version.key})
    ready = is_restored(version, call.now)
    if not ready:
        version.restored_at = call.now + call.world.knobs.restore_seconds
    version.restored_until = (call.now if ready else version.restored_at) + days * DAY
    call.store.changed(bucket, version.key)
    headers = version_headers(bucket, version)
    if version.traits.storage_class != "Archive":
        headers["x-oss-object-restore-priority"] = tier
    return Answer(200 if ready else 202, headers)


def _request(body: bytes, version: Version) -> tuple[int, str]:
    """Days and tier, checked against the object's class; an empty body asks for one day."""
    storage_class = version.traits.storage_class
    if storage_class not in ARCHIVES:
        message = "The operation is not supported for this object's storage class."
        raise Failure(400, "OperationNotSupported", message, fields={"ObjectName": version.key})
    if not body:
        return 1, "Standard"
    try:
        tree = parse(body, "RestoreRequest")
        days = int(tree.findtext("Days") or "1")
    except ValueError as error:
        raise malformed_xml() from error
    tier = _tier(tree, storage_class)
    if not 1 <= days <= _DAYS[storage_class]:
        raise malformed_xml()
    return days, tier


def _tier(tree: Element, storage_class: str) -> str:
    tier = tree.findtext("JobParameters/Tier")
    if tier is None:
        return "Standard"
    if tier not in _TIERS.get(storage_class, ()):
        raise malformed_xml()
    return tier
