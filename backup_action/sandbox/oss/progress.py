"""ListParts and ListMultipartUploads: what is under way."""

from __future__ import annotations

from . import rights
from .call import Answer, Call
from .content import simple_etag
from .multipart import find_upload
from .objects import Part, Upload
from .paging import Query, common_prefix
from .xml import document, element, url

MOST = 1000


async def parts(call: Call) -> Answer:
    """ListParts, by number; both markers are always told."""
    rights.on_object(call, "oss:ListParts", version=False)
    bucket = call.bucket()
    upload = find_upload(call, bucket)
    encode = call.url_encodes()
    most = call.number("max-parts", MOST, 1, MOST)
    marker = call.number("part-number-marker", 0, 0, 10_000)
    later = [upload.parts[number] for number in sorted(upload.parts) if number > marker]
    shown = later[: min(most, max(call.world.knobs.page_size, 1))]
    inner = (element("EncodingType", "url") if encode else "") + element("Bucket", bucket.facts.name)
    inner += element("Key", url(upload.key, encode=encode)) + element("UploadId", upload.upload_id)
    inner += element("StorageClass", upload.traits.storage_class) + element("PartNumberMarker", marker)
    inner += element("NextPartNumberMarker", shown[-1].number if shown else marker) + element("MaxParts", most)
    inner += element("IsTruncated", len(shown) < len(later))
    return Answer(body=document("ListPartsResult", inner + "".join(_part(one) for one in shown)))


def _part(one: Part) -> str:
    inner = element("PartNumber", one.number) + element("LastModified", one.modified)
    inner += (
        element("ETag", f'"{simple_etag(one.md5)}"')
        + element("HashCrc64ecma", one.crc)
        + element("Size", one.piece.size)
    )
    return f"<Part>{inner}</Part>"


async def uploads(call: Call) -> Answer:
    """ListMultipartUploads, by key and then upload id."""
    rights.on_bucket(call, "oss:ListMultipartUploads")
    bucket = call.bucket()
    encode = call.url_encodes()
    most = call.number("max-uploads", MOST, 1, MOST)
    query = Query(call.params.get("prefix", ""), call.params.get("delimiter", ""), call.params.get("key-marker", ""))
    id_marker = call.params.get("upload-id-marker", "") if query.after else ""
    entries = _entries(list(bucket.uploads.values()), query, id_marker)
    shown = entries[: min(most, max(call.world.knobs.page_size, 1))]
    truncated = len(shown) < len(entries)
    next_key, next_id = _marker(shown[-1]) if truncated else ("", "")
    inner = element("Bucket", bucket.facts.name) + (element("EncodingType", "url") if encode else "")
    inner += element("KeyMarker", url(query.after, encode=encode)) + element("UploadIdMarker", id_marker)
    inner += element("NextKeyMarker", url(next_key, encode=encode))
    inner += element("NextUploadIdMarker", next_id)
    inner += element("Delimiter", url(query.delimiter, encode=encode)) + element(
        "Prefix", url(query.prefix, encode=encode)
    )
    inner += element("MaxUploads", most) + element("IsTruncated", truncated)
    return Answer(
        body=document("ListMultipartUploadsResult", inner + "".join(_entry(one, encode=encode) for one in shown))
    )


def _entries(found: list[Upload], query: Query, id_marker: str) -> list[Upload | str]:
    """Uploads and, as text, common prefixes that come after the markers, in order."""
    entries: list[Upload | str] = []
    for upload in sorted(found, key=lambda upload: (upload.key, upload.upload_id)):
        if not upload.key.startswith(query.prefix) or not _is_later(upload, query, id_marker):
            continue
        group = common_prefix(upload.key, query)
        if not group:
            entries.append(upload)
        elif group != query.after and (not entries or entries[-1] != group):
            entries.append(group)
    return entries


def _is_later(upload: Upload, query: Query, id_marker: str) -> bool:
    """Without an upload id the marker's own key has been told; with one, its greater ids have not."""
    if upload.key == query.after and id_marker:
        return upload.upload_id > id_marker
    return not query.after or upload.key > query.after


def _marker(entry: Upload | str) -> tuple[str, str]:
    return (entry, "") if isinstance(entry, str) else (entry.key, entry.upload_id)


def _entry(entry: Upload | str, *, encode: bool) -> str:
    if isinstance(entry, str):
        return f"<CommonPrefixes>{element('Prefix', url(entry, encode=encode))}</CommonPrefixes>"
    inner = element("Key", url(entry.key, encode=encode)) + element("UploadId", entry.upload_id)
    inner += element("StorageClass", entry.traits.storage_class) + element("Initiated", entry.initiated)
    return f"<Upload>{inner}</Upload>"
