"""Operations on buckets and on the account: make, remove, and tell what a bucket is."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from . import rights
from .address import check_bucket_name
from .call import Answer, Call
from .failure import Failure, invalid_argument, malformed_xml
from .objects import STORAGE_CLASSES, Bucket
from .properties import acl_document, owner
from .xml import document, element, parse

_BODY_MAX = 1 << 20
_MOST_BUCKETS = 100  # of an account in a region


async def listing(call: Call) -> Answer:
    """ListBuckets: all of the account's, in all regions, by name."""
    rights.on_service(call, "oss:ListBuckets")
    prefix, marker = call.params.get("prefix", ""), call.params.get("marker", "")
    most = call.number("max-keys", 100, 1, 1000)
    names = [name for name in sorted(call.store.buckets) if name.startswith(prefix) and name > marker]
    shown = "".join(f"<Bucket>{_outline(call.store.buckets[name])}</Bucket>" for name in names[:most])
    page = ""
    if len(names) > most:
        page = (
            element("Prefix", prefix)
            + element("Marker", marker)
            + element("MaxKeys", most)
            + element("IsTruncated", True)
        )
        page += element("NextMarker", names[most - 1])
    return Answer(body=document("ListAllMyBucketsResult", f"{page}{owner()}<Buckets>{shown}</Buckets>"))


def _outline(bucket: Bucket) -> str:
    facts = bucket.facts
    return (
        element("CreationDate", facts.created)
        + element("ExtranetEndpoint", f"oss-{facts.region}.aliyuncs.com")
        + element("IntranetEndpoint", f"oss-{facts.region}-internal.aliyuncs.com")
        + element("Location", f"oss-{facts.region}")
        + element("Name", facts.name)
        + element("Region", facts.region)
        + element("StorageClass", facts.storage_class)
    )


async def put(call: Call) -> Answer:
    """PutBucket, in the region of the endpoint that is called."""
    name = call.address.bucket
    check_bucket_name(name)
    rights.on_bucket(call, "oss:PutBucket")
    if name in call.store.buckets:
        message = (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system."
        )
        raise Failure(409, "BucketAlreadyExists", message, fields={"BucketName": name})
    if sum(bucket.facts.region == call.address.region for bucket in call.store.buckets.values()) >= _MOST_BUCKETS:
        raise Failure(400, "TooManyBuckets", "You have attempted to create more buckets than allowed.")
    storage_class = _storage_class((await call.receive(_BODY_MAX)).data)
    call.store.create_bucket(name, region=call.address.region, storage_class=storage_class, created=call.now)
    return Answer(200, {"Location": f"/{name}"})


def _storage_class(body: bytes) -> str:
    if not body:
        return "Standard"
    found = (read_xml(body, "CreateBucketConfiguration").findtext("StorageClass") or "Standard").strip()
    if found not in STORAGE_CLASSES:
        raise invalid_argument("The storage class you specified is invalid.", "StorageClass", found)
    return found


def read_xml(body: bytes, root: str) -> Element:
    """A request's XML; Failure (MalformedXML) if it is not of that root."""
    try:
        return parse(body, root)
    except ValueError as error:
        raise malformed_xml() from error


async def delete(call: Call) -> Answer:
    """DeleteBucket; versions, delete markers and uploads under way keep a bucket from being empty."""
    rights.on_bucket(call, "oss:DeleteBucket")
    bucket = call.bucket()
    if bucket.versions or bucket.uploads:
        message = "The bucket has objects. Please delete them first."
        raise Failure(409, "BucketNotEmpty", message, fields={"BucketName": bucket.facts.name})
    call.store.delete_bucket(bucket)
    return Answer(204)


async def info(call: Call) -> Answer:
    """GetBucketInfo."""
    rights.on_bucket(call, "oss:GetBucketInfo")
    facts = call.bucket().facts
    rule = element("SSEAlgorithm", facts.encryption or "None")
    if facts.encryption_key:
        rule += element("KMSMasterKeyID", facts.encryption_key)
    inner = _outline(call.bucket()) + owner() + f"<AccessControlList>{element('Grant', facts.acl)}</AccessControlList>"
    inner += f"<ServerSideEncryptionRule>{rule}</ServerSideEncryptionRule>"
    inner += (
        element("DataRedundancyType", "LRS")
        + element("AccessMonitor", "Disabled")
        + element("BlockPublicAccess", False)
    )
    if facts.versioning:
        inner += element("Versioning", facts.versioning)
    return Answer(body=document("BucketInfo", f"<Bucket>{inner}</Bucket>"))


async def location(call: Call) -> Answer:
    """GetBucketLocation: `oss-` and the region."""
    rights.on_bucket(call, "oss:GetBucketLocation")
    return Answer(body=document("LocationConstraint", f"oss-{call.bucket().facts.region}"))


async def versioning(call: Call) -> Answer:
    """GetBucketVersioning and PutBucketVersioning; once enabled, versioning can only be suspended."""
    if call.method == "GET":
        rights.on_bucket(call, "oss:GetBucketVersioning")
        status = call.bucket().facts.versioning
        return Answer(body=document("VersioningConfiguration", element("Status", status) if status else ""))
    rights.on_bucket(call, "oss:PutBucketVersioning")
    bucket = call.bucket()
    asked = (read_xml((await call.receive(_BODY_MAX)).data, "VersioningConfiguration").findtext("Status") or "").strip()
    if asked == "Enabled":
        bucket.facts.versioning = "Enabled"
    elif asked == "Suspended":
        bucket.facts.versioning = "Suspended"
    else:
        raise malformed_xml()
    call.store.save_facts(bucket)
    return Answer()


async def stat(call: Call) -> Answer:
    """GetBucketStat; OSS's figures may be hours old, these are not."""
    rights.on_bucket(call, "oss:GetBucketStat")
    bucket = call.bucket()
    every = [version for stack in bucket.versions.values() for version in stack]
    whole = [version for version in every if not version.marker]
    latest = max((version.modified for version in every), default=bucket.facts.created)
    inner = element("Storage", sum(version.size for version in whole)) + element("ObjectCount", len(whole))
    inner += element("MultipartUploadCount", len(bucket.uploads)) + element("LiveChannelCount", 0)
    inner += element("LastModifiedTime", int(latest))
    for storage_class, name in zip(STORAGE_CLASSES, _STAT_NAMES, strict=True):
        of_class = [version.size for version in whole if version.traits.storage_class == storage_class]
        inner += element(f"{name}Storage", sum(of_class)) + element(f"{name}ObjectCount", len(of_class))
    inner += element("MultipartPartCount", sum(len(upload.parts) for upload in bucket.uploads.values()))
    return Answer(body=document("BucketStat", inner + element("DeleteMarkerCount", len(every) - len(whole))))


_STAT_NAMES = ("Standard", "InfrequentAccess", "Archive", "ColdArchive", "DeepColdArchive")


async def acl(call: Call) -> Answer:
    """GetBucketAcl and PutBucketAcl; kept and told, it gives nobody a right here."""
    rights.on_bucket(call, "oss:GetBucketAcl" if call.method == "GET" else "oss:PutBucketAcl")
    bucket = call.bucket()
    if call.method == "GET":
        return Answer(body=acl_document(bucket.facts.acl))
    grant = call.headers.get("x-oss-acl", "")
    if grant not in ("private", "public-read", "public-read-write"):
        raise invalid_argument("The ACL you specified is invalid.", "x-oss-acl", grant)
    bucket.facts.acl = grant
    call.store.save_facts(bucket)
    return Answer()
