"""Stories of neighbours that speak TLS with certificates of an authority that nobody knows but by `ca-bundle`."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path

import pytest
from box import Box, Ended, uploads, wanted
from forward_proxy import ForwardProxy, running
from tls_front import Authority, fronting

SERVICES = ("github", "sts", "oss", "dingtalk")
LANGUAGES = {"en": "Certificate", "zh": "证书"}


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tree(box: Box) -> Box:
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "large").write_bytes(os.urandom((9 << 20) + 7))
    return box


def port(box: Box, service: str) -> int:
    return urllib.parse.urlsplit(box.sandbox.urls[service]).port or 0


def secured(box: Box, fronts: dict[int, int]) -> dict[str, str]:
    """The environment, the fronts' services by https."""
    told = box.environment
    for plain, front in fronts.items():
        told = {k: v.replace(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{front}") for k, v in told.items()}
    return told


def assert_refused(box: Box, ended: Ended, reason: str) -> None:
    assert ended.code == 5, ended.text
    assert [problem.kind for problem in ended.told.problems] == ["certificate"], ended.text
    assert f"certificate not accepted: {reason}" in ended.text and "`ca-bundle`" in ended.text
    assert not box.sent("oss.put")


@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "through a proxy"])
def test_with_the_bundle_everything_works(tree: Box, authority: Authority, proxied: bool) -> None:
    with (
        fronting(authority.certificate(), *(port(tree, name) for name in SERVICES)) as fronts,
        running(ForwardProxy()) as proxy,
    ):
        told = secured(tree, fronts) | ({"OSS_BACKUP_PROXY": proxy.url} if proxied else {})
        ended = tree.backup(**told, OSS_BACKUP_CA_BUNDLE=str(authority.bundle))
    assert ended.code == 0 and ended.told.problems == [], ended.text
    assert tree.objects() == wanted(tree) and uploads(tree) == []
    assert tree.sent("oss.part") == 2 and len(tree.messages()) == 1
    expected = {f"127.0.0.1:{front}" for front in fronts.values()} if proxied else set()
    assert {one.target for one in proxy.asked} == expected
    assert {one.method for one in proxy.asked} <= {"CONNECT"}


@pytest.mark.parametrize("service", ["github", "sts", "oss"])
def test_without_the_bundle_no_neighbour_is_trusted(tree: Box, authority: Authority, service: str) -> None:
    with fronting(authority.certificate(), port(tree, service)) as fronts:
        told = secured(tree, fronts)
        ended = tree.backup(**told, SSL_CERT_FILE=str(authority.bundle), REQUESTS_CA_BUNDLE=str(authority.bundle))
    assert_refused(tree, ended, "unable to get local issuer certificate")
    assert not any(
        name.startswith(f"{service}.") and "openid" not in name and "jwks" not in name for name in tree.counts()
    )


def test_without_the_bundle_the_message_is_not_delivered(tree: Box, authority: Authority) -> None:
    with fronting(authority.certificate(), port(tree, "dingtalk")) as fronts:
        ended = tree.backup(**secured(tree, fronts))
    assert ended.code == 0 and [problem.kind for problem in ended.told.problems] == ["notify.failed"]
    assert "certificate not accepted" in ended.text and tree.messages() == []


@pytest.mark.parametrize("service", ["github", "sts", "oss"])
@pytest.mark.parametrize(
    ("host", "days", "reason"),
    [("other.example", 1, "IP address mismatch"), ("127.0.0.1", -1, "certificate has expired")],
    ids=["another host", "expired"],
)
def test_a_certificate_of_the_authority_is_not_enough(
    tree: Box, authority: Authority, service: str, host: str, days: int, reason: str
) -> None:
    with fronting(authority.certificate(host, days), port(tree, service)) as fronts:
        ended = tree.backup(**secured(tree, fronts), OSS_BACKUP_CA_BUNDLE=str(authority.bundle))
    assert_refused(tree, ended, reason)


def absent(folder: Path) -> str:
    return str(folder / "absent.pem")


def a_folder(folder: Path) -> str:
    return str(folder)


def no_certificate(folder: Path) -> str:
    (folder / "x.pem").write_text("not a certificate\n")
    return str(folder / "x.pem")


def empty(folder: Path) -> str:
    (folder / "empty.pem").write_text("")
    return str(folder / "empty.pem")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (absent, "no such file or directory"),
        (a_folder, "is a directory"),
        (no_certificate, "no certificate in PEM form"),
        (empty, "no certificate in PEM form"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_named_before_anything_is_asked(
    tree: Box, tmp_path: Path, language: str, make: object, reason: str
) -> None:
    assert callable(make)
    file = make(tmp_path)
    ended = tree.backup("--language", language, OSS_BACKUP_CA_BUNDLE=file)
    assert ended.code == 2 and ended.told.status == "usage", ended.text
    assert [problem.kind for problem in ended.told.problems][:1] == ["config.ca-bundle"]
    for word in (
        file,
        reason,
        "`ca-bundle`",
        {"en": "Check the path" if "PEM" not in reason else "PEM", "zh": "证书"}[language],
    ):
        assert word.lower() in ended.text.lower(), word
    assert not any(tree.sent(kind) for kind in ("oss.list", "oss.put", "github.token"))
