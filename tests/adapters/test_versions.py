"""The listing of versions: every version once and in order, whatever the names and the pages; and what is no page."""

import asyncio

import pytest
from aiohttp import web
from ossserver import bucket

from backup_action.adapters.oss import listing
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.listing import Malformed
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core.problem import Kind, Stop
from backup_action.core.stored import StoredVersion
from backup_action.sandbox.oss.objects import Version
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import REGION, VERSIONED_BUCKET

NAMES = ["p/a", "p/a b+c", "p/a\rb", "p/a\nb", "p/%41", "p/中文&<x>", "p/\U0001f600", "p/~", "q/other"]
PAGE = (
    "<ListVersionsResult><IsTruncated>{more}</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>"
    "<NextVersionIdMarker>{version}</NextVersionIdMarker>{rows}</ListVersionsResult>"
)
ROW = (
    "<Version><Key>a</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>"
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"E\"</ETag><Size>1</Size></Version>"
)  # fmt: skip


def filled(cloud: Sandbox) -> list[StoredVersion]:
    """Three versions of each name, some of them markers; what a listing below `p/` must give."""
    made = cloud.store.buckets[VERSIONED_BUCKET]
    rows = []
    for name in NAMES:
        for number in range(3):
            marker = number == 1 or (number == 2 and name.endswith("b"))
            version = Version(name, cloud.store.new_version_id(made), 1.7e9 + number, marker=marker)
            cloud.store.place(made, version)
    for name in sorted(NAMES):
        for at, version in enumerate(made.versions[name] if name.startswith("p/") else []):
            rows.append(
                StoredVersion(
                    name, version.version_id, version.size, version.etag, int(version.modified), at == 0, version.marker
                )
            )
    return rows


@pytest.mark.parametrize("page", [1, 2, 5, 1000])
def test_every_version_is_listed_once_and_in_order(cloud: Sandbox, page: int) -> None:
    expected = filled(cloud)
    cloud.world.knobs.page_size = page
    owner = cloud.owner

    async def keys(_: Credentials | None) -> Credentials:
        return Credentials(owner.access_key_id, owner.secret)

    async def told() -> list[StoredVersion]:
        at = Place(VERSIONED_BUCKET, REGION, cloud.environment["OSS_BACKUP_ENDPOINT"])
        async with Bucket(Attempts(at, keys), connections=2) as made:
            return [row async for row in made.versions("p/")]

    assert asyncio.run(told()) == expected
    assert cloud.world.counts["oss.list-versions"] == -(-len(expected) // page)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<a/>", b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        PAGE.format(more="maybe", key="", version="", rows="").encode(),
        PAGE.format(more="false", key="", version="", rows=ROW.format(id="", latest="true")).encode(),
        PAGE.format(more="false", key="", version="", rows=ROW.format(id="v", latest="perhaps")).encode(),
        PAGE.format(more="false", key="", version="", rows="<Version><Key>a</Key></Version>").encode(),
        PAGE.format(more="true", key="%ff", version="", rows="<EncodingType>url</EncodingType>").encode(),
    ],
)  # fmt: skip
def test_what_is_no_page_of_versions_is_told(body: bytes) -> None:
    with pytest.raises(Malformed):
        listing.parse_versions(body)


@pytest.mark.parametrize("markers", [("b", "v"), ("b", ""), ("", "")])
def test_a_listing_that_does_not_advance_ends_the_run(markers: tuple[str, str]) -> None:
    async def handler(request: web.Request) -> web.Response:
        key, version = markers if request.query.get("key-marker") != "b" or markers[0] != "b" else ("a", "x")
        return web.Response(text=PAGE.format(more="true", key=key, version=version, rows=""))

    async def told() -> None:
        async with bucket(handler) as made:
            async for _ in made.versions("p/"):
                pass

    with pytest.raises(Stop) as stop:
        asyncio.run(told())
    assert stop.value.problem.kind is Kind.OSS_MALFORMED


def test_a_delete_names_the_version_where_it_is_given_one() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.raw_path}")
        return web.Response(status=204)

    async def told() -> None:
        async with bucket(handler) as made:
            await made.delete("a/b")
            await made.delete("a/b", "v/1")

    asyncio.run(told())
    assert asked == ["DELETE /bucket/a/b", "DELETE /bucket/a/b?versionId=v%2F1"]
