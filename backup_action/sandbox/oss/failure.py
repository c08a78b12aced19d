"""A refusal in OSS's own words: status, code, message, EC, and the elements that only some errors have.

`Failure` is raised anywhere below the door and becomes the answer there. An EC is given only where a published page or
a client's own tests state it; elsewhere the element and the header `x-oss-ec` are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .xml import document, element


@dataclass(eq=False)
class Failure(Exception):
    """One error answer; `fields` are extra elements of its body, `headers` extra headers of the answer."""

    status: int
    code: str
    message: str
    ec: str = ""
    fields: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, *, request_id: str, host: str) -> bytes:
        """The XML that OSS sends for it, in OSS's order of elements."""
        extra = "".join(_field(name, value) for name, value in self.fields.items())
        code = ""
        if self.ec:
            advice = f"https://api.aliyun.com/troubleshoot?q={self.ec}"
            code = element("EC", self.ec) + element("RecommendDoc", advice)
        head = element("Code", self.code) + element("Message", self.message)
        place = element("RequestId", request_id) + element("HostId", host)
        return document("Error", head + place + extra + code, lenient=True)


def _field(name: str, value: str | Mapping[str, str]) -> str:
    if isinstance(value, str):
        return element(name, value)
    return f"<{name}>{''.join(element(inner, text) for inner, text in value.items())}</{name}>"


def invalid_argument(message: str, name: str = "", value: str = "", *, ec: str = "") -> Failure:
    """400 for a header or parameter outside its grammar, named as OSS names it."""
    fields = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return Failure(400, "InvalidArgument", message, ec, fields)


def malformed_xml() -> Failure:
    """400 for a body that is not the XML of its operation."""
    return Failure(
        400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our schema."
    )


def no_such_bucket(name: str) -> Failure:
    """404 for a bucket that nobody has made."""
    message = "The specified bucket does not exist."
    return Failure(404, "NoSuchBucket", message, "0015-00000101", {"BucketName": name})


def no_such_key(key: str, headers: Mapping[str, str] | None = None) -> Failure:
    """404 for an object that is not there, or whose newest version is a delete marker."""
    return Failure(404, "NoSuchKey", "The specified key does not exist.", "0026-00000001", {"Key": key}, headers or {})


def no_such_upload(upload_id: str) -> Failure:
    """404 for a multipart upload that was never begun, or has ended."""
    message = (
        "The specified upload does not exist. "
        "The upload ID may be invalid, or the upload may have been aborted or completed."
    )
    return Failure(404, "NoSuchUpload", message, "0017-00000244", {"UploadId": upload_id})


def precondition_failed(condition: str) -> Failure:
    """412 for a condition that does not hold; `condition` is the header that states it."""
    message = "At least one of the pre-conditions you specified did not hold."
    return Failure(412, "PreconditionFailed", message, fields={"Condition": condition})


def entity_too_large(limit: int, size: int) -> Failure:
    """400 for a body, a part or a copy above its limit, both in bytes."""
    message = "Your proposed upload exceeds the maximum allowed size."
    return Failure(400, "EntityTooLarge", message, fields={"MaxSizeAllowed": str(limit), "ProposedSize": str(size)})


def not_implemented(what: str) -> Failure:
    """501 for an operation of OSS that this stand-in does not have."""
    message = "A header or parameter you provided implies functionality that is not implemented."
    return Failure(501, "NotImplemented", message, fields={"Header": what})


def method_not_allowed(method: str, headers: Mapping[str, str] | None = None) -> Failure:
    """405 for a method that its resource does not take."""
    message = "The specified method is not allowed against this resource."
    return Failure(405, "MethodNotAllowed", message, fields={"Method": method}, headers=headers or {})
