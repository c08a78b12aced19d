"""What happens around the data of a large object: multipart uploads begun, continued, completed and aborted.

What an upload has already is asked through oss2, and nothing else: to import it takes longer than most runs take to
begin. It retries nothing, follows redirects with the token, reads `.netrc` and proxies from the environment, and
prints headers at DEBUG: all of that is turned off here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from backup_action.adapters import reason
from backup_action.adapters.aside import aside
from backup_action.adapters.oss import refusal, signature
from backup_action.adapters.oss.attempts import Attempts, Broken
from backup_action.adapters.oss.data import Bucket, Written
from backup_action.adapters.oss.pool import CONNECT, SILENCE
from backup_action.adapters.oss.refusal import Refusal
from backup_action.adapters.oss.signature import Credentials
from backup_action.adapters.reason import Reason
from backup_action.core import escape
from backup_action.core.problem import Kind, Stop

ABORT = 3.0  # seconds to end an upload in; a cancelled job has five
TRIES = 3  # answers without an upload's id
LAST_WORD = 2.0  # seconds that a cancelled run waits for the answer to a begin


class Control:
    """Multipart uploads of one bucket."""

    def __init__(self, data: Bucket) -> None:
        """`data` is asked where a reply was lost."""
        self.data = data
        self._attempts: Attempts = data.attempts
        self._session: Any = None

    async def begin(self, key: str, headers: Mapping[str, str]) -> str:
        """Begins an upload; its id. Cancelled while OSS has not answered, it still ends what OSS may have begun."""
        asked = asyncio.ensure_future(self._begun(key, headers))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            with contextlib.suppress(Stop, TimeoutError):
                await self.abort(key, await asyncio.wait_for(asked, LAST_WORD))
            raise

    async def _begun(self, key: str, headers: Mapping[str, str]) -> str:
        for _ in range(TRIES):
            answer = await self.data.call("POST", key, {"uploads": ""}, headers, right="oss:PutObject")
            if upload := answer.text("UploadId"):
                return upload
        raise Stop(Kind.OSS_MALFORMED, key, reason="an upload without an id")

    async def parts(self, key: str, upload: str) -> dict[int, tuple[str, int]] | None:
        """ETag and size of each part that an upload has, by number; None where there is no such upload."""

        async def once(credentials: Credentials) -> dict[int, tuple[str, int]]:
            self.data.requests += 1
            return await aside(lambda: self._listed(credentials, key, upload))

        try:
            return await self._attempts.run(once, right="oss:ListParts", key=key, absent=True)
        except Refusal:
            return None

    async def complete(self, key: str, upload: str, parts: Iterable[Written], crc64: int) -> Written:
        """Makes the object of its parts, in order. `crc64` is the whole object's, as the first reading gave it.

        OSS goes on when the connection breaks: where the upload is gone on a second try, the object itself is asked.
        """
        told = ET.Element("CompleteMultipartUpload")
        for number, part in enumerate(parts, 1):
            row = ET.SubElement(told, "Part")
            ET.SubElement(row, "PartNumber").text = str(number)
            ET.SubElement(row, "ETag").text = f'"{part.etag}"'
        try:
            answer = await self.data.call(
                "POST", key, {"uploadId": upload}, data=ET.tostring(told), right="oss:PutObject", absent=True
            )
            headers: Mapping[str, str] = answer.headers
        except Refusal:
            headers = {}
        proven = await self._proven(key, headers, crc64)
        return Written(proven.get("etag", "").strip('"'), proven.get("x-oss-version-id", ""), crc64)

    async def _proven(self, key: str, told: Mapping[str, str], crc64: int) -> Mapping[str, str]:
        """Headers whose CRC-64 is ours. Where an answer has none, the object is asked; raises Stop."""
        for _ in range(3):
            if told.get("x-oss-hash-crc64ecma"):
                break
            answer = await self.data.head(key)
            told = answer.headers if answer else {}
        stored = told.get("x-oss-hash-crc64ecma", "no x-oss-hash-crc64ecma")
        if stored != str(crc64):
            raise Stop(Kind.STORED_MISMATCH, key, sent=crc64, stored=stored, request_id=told.get("x-oss-request-id"))
        return told

    @contextlib.asynccontextmanager
    async def ending(self, key: str, upload: str) -> AsyncIterator[None]:
        """Ends the upload where what is inside fails; one that is only late stays open, for the next run to go on.

        What went wrong first is what is told.
        """
        try:
            yield
        except BaseException as error:
            if isinstance(error, Stop) and error.problem.kind is Kind.FILE_LATE:
                raise
            with contextlib.suppress(Stop, TimeoutError):
                await asyncio.shield(asyncio.wait_for(self.abort(key, upload), ABORT))
            raise

    async def abort(self, key: str, upload: str) -> None:
        """Ends an upload without an object; one that is gone already is no error."""
        with contextlib.suppress(Refusal):
            await self.data.call("DELETE", key, {"uploadId": upload}, right="oss:AbortMultipartUpload", absent=True)

    def _listed(self, credentials: Credentials, key: str, upload: str) -> dict[int, tuple[str, int]]:
        """Of all pages. Raises Refusal and Broken."""
        import oss2

        found: dict[int, tuple[str, int]] = {}
        marker, more = 0, True
        try:
            while more:
                told = self._bucket(credentials).list_parts(key, upload, marker=str(marker or ""), max_parts=1000)
                found |= {part.part_number: (part.etag.strip('"'), part.size) for part in told.parts}
                before, marker = marker, int(told.next_marker or 0)
                more = told.is_truncated and marker > before  # one that goes back would never end
            return found
        except oss2.exceptions.ServerError as error:
            told = {name.lower(): value for name, value in (error.headers or {}).items()}
            raise Refusal(
                error.status, error.code, escape.quoted(error.message or ""), error.request_id, error.ec or "",
                date=told.get("date", ""), delay=refusal.delay(told),
            ) from None  # fmt: skip
        except oss2.exceptions.OssError as error:
            raise Broken(reason.of(error, type(error).__name__)) from None
        except (ET.ParseError, ValueError, RuntimeError) as error:  # what oss2 makes of an answer that is not OSS's
            raise Broken(Reason(f"{type(error).__name__} in an answer")) from None

    def _bucket(self, credentials: Credentials) -> Any:
        import oss2

        if self._session is None:
            for name in ("oss2", "urllib3"):
                logging.getLogger(name).setLevel(logging.WARNING)
            self._session = oss2.Session(pool_size=16)
            self._attempts.way.prepare(self._session.session)
            self._session.session.max_redirects = 0
        place = self.data.place
        return oss2.Bucket(
            _Signer(credentials, place.region, self._attempts), place.endpoint, place.bucket, region=place.region,
            session=self._session, connect_timeout=(CONNECT, SILENCE), enable_crc=False,
        )  # fmt: skip


class _Signer:
    """What oss2 asks to sign a request: our signature, by the server's clock (oss2's own knows only this machine's)."""

    def __init__(self, credentials: Credentials, region: str, attempts: Attempts) -> None:
        self._credentials = credentials
        self._region = region
        self._attempts = attempts

    def _sign_request(self, request: Any, bucket: str, key: str) -> None:
        query = signature.query_text({name: value or "" for name, value in request.params.items()})
        signed = {name.lower(): value for name, value in request.headers.items() if _is_signed(name.lower())}
        path, now = signature.object_path(bucket, key), self._attempts.now()
        request.headers.update(
            signature.sign(self._credentials, self._region, request.method, path, query, signed, now)
        )


def _is_signed(name: str) -> bool:
    return name.startswith("x-oss-") or name in ("content-type", "content-md5")
