"""Signatures against published vectors, and that nothing that is signed can be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.sandbox.oss import signature
from backup_action.sandbox.oss.signature import Signable

VECTOR = Signable(
    "PUT",
    "/examplebucket/dir/a b.txt",
    (),
    {
        "content-type": "text/plain",
        "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
        "x-oss-date": "20260102T030405Z",
        "x-oss-forbid-overwrite": "true",
        "x-oss-security-token": "TOKENEXAMPLE",
        "user-agent": "not signed",
    },
)


def sign(
    request: Signable, additional: tuple[str, ...] = (), region: str = "cn-hangzhou", secret: str = "SECRETEXAMPLE"
) -> str:
    canonical = signature.canonical(request, additional)
    text = signature.string_to_sign(canonical, date="20260102T030405Z", day="20260102", region=region)
    return signature.v4(secret, text, day="20260102", region=region)


def test_v4_vector() -> None:
    assert signature.canonical(VECTOR) == (
        "PUT\n/examplebucket/dir/a%20b.txt\n\ncontent-type:text/plain\nx-oss-content-sha256:UNSIGNED-PAYLOAD\n"
        "x-oss-date:20260102T030405Z\nx-oss-forbid-overwrite:true\nx-oss-security-token:TOKENEXAMPLE\n\n\nUNSIGNED-PAYLOAD"
    )
    assert sign(VECTOR) == "679479a231ad1919b3846e2f73754702955bf9865e8e7e77c33a4f4cb0ecb280"


def test_v1_vector() -> None:
    """The example of OSS's page on signatures in headers."""
    request = Signable(
        "PUT",
        "/oss-example/nelson",
        (),
        {
            "content-md5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=",
            "content-type": "text/html",
            "x-oss-magic": "abracadabra",
            "x-oss-meta-author": "foo@bar.com",
        },
    )
    text = signature.v1_string(request, "Thu, 17 Nov 2005 18:49:58 GMT")
    assert signature.v1("OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV", text) == "26NBxoKdsyly4EDv6inkoDft/yA="


def test_v1_takes_listed_parameters_only() -> None:
    request = Signable("GET", "/b/k", (("uploadId", "1"), ("max-keys", "2"), ("acl", "")), {})
    assert signature.v1_string(request, "D") == "GET\n\n\nD\n/b/k?acl&uploadId=1"


def test_v4_query_is_sorted_encoded_and_an_empty_value_has_no_sign() -> None:
    request = Signable("GET", "/b/", (("b", "x y/z"), ("a", ""), ("x-oss-signature", "never")), {})
    assert signature.canonical(request).split("\n")[2] == "a&b=x%20y%2Fz"


def test_v4_additional_headers_are_signed_and_named() -> None:
    request = Signable("GET", "/b/k", (), {"range": "bytes=0-1", "host": "h"})
    lines = signature.canonical(request, ("range", "host")).split("\n")
    assert lines[3:] == ["host:h", "range:bytes=0-1", "", "host;range", "UNSIGNED-PAYLOAD"]


@pytest.mark.parametrize(
    "other",
    [
        Signable("GET", VECTOR.resource, VECTOR.pairs, VECTOR.headers),
        Signable("PUT", "/examplebucket/dir/a+b.txt", VECTOR.pairs, VECTOR.headers),
        Signable("PUT", VECTOR.resource, (("acl", ""),), VECTOR.headers),
        Signable("PUT", VECTOR.resource, (), {**VECTOR.headers, "x-oss-meta-a": "1"}),
        Signable("PUT", VECTOR.resource, (), {**VECTOR.headers, "content-md5": "1"}),
        Signable("PUT", VECTOR.resource, (), {**VECTOR.headers, "x-oss-content-sha256": "0" * 64}),
    ],
)
def test_v4_depends_on_every_part(other: Signable) -> None:
    assert sign(other) != sign(VECTOR)


def test_v4_depends_on_region_and_secret() -> None:
    assert len({sign(VECTOR), sign(VECTOR, region="cn-shanghai"), sign(VECTOR, secret="other")}) == 3


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_keys_that_differ_are_signed_differently(one: str, two: str) -> None:
    first, second = (signature.canonical(Signable("GET", f"/b/{key}", (), {})) for key in (one, two))
    assert (first == second) == (one == two)
