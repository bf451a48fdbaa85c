"""Uploading one large file in parts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from core.storage._engine import all_done
from core.storage._errors import InvalidResponseError, StorageError
from core.storage._http.limits import READ_TIMEOUT
from core.storage._http.request import Reply
from core.storage._http.response import leaves
from core.storage._log import logger
from core.storage._objects import ObjectInfo
from core.storage._progress import Report
from core.storage._transfer.checksums import PART_SIZE, content_md5, etag_of, is_hash, is_md5_of_parts, md5
from core.storage._transfer.upload_source import UploadSource

_MIB = 1024 * 1024
#: Bytes of a part. Measured: 16 to 32 MiB are the best; every part but the last must be equal (R2) and of at
#: least 5 MiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
_PART = 16 * _MIB
_MOST_PARTS = 10_000
#: More gain nothing (measured).
_CONNECTIONS = 4
#: Bytes of parts in memory at once.
_MEMORY = 256 * _MIB


async def put_parts(source: UploadSource, headers: dict[str, str], report: Report) -> ObjectInfo:
    """Upload in parts; after any failure the parts are discarded and the object is as it was."""
    size = part_size(source.size)
    upload = _Upload(source, await _create(source, {**headers, PART_SIZE: str(size)}), size, report)
    try:
        await upload.send_all()
        source.must_be_unchanged()
        completed = await upload.complete()
    except (Exception, asyncio.CancelledError):
        await _abort(source, upload.id)
        raise
    return upload.verified(completed)


async def _create(source: UploadSource, headers: dict[str, str]) -> str:
    """Return the ID of a new multipart upload. A cancellation waits for the ID, and aborts the upload."""
    creating = asyncio.create_task(source.call("CreateMultipartUpload", "uploads=", signed=headers))
    try:
        return leaves((await asyncio.shield(creating)).body)["UploadId"]
    except asyncio.CancelledError:
        await asyncio.wait([creating], timeout=READ_TIMEOUT)
        if not creating.cancel() and not creating.exception():
            await _abort(source, leaves(creating.result().body)["UploadId"])
        raise


def part_size(size: int) -> int:
    """Bytes of each part of a file of `size` bytes: 16 MiB, or as many MiB as make at most 10,000 parts."""
    return max(_PART, -(-size // (_MOST_PARTS * _MIB)) * _MIB)


async def _abort(source: UploadSource, upload_id: str) -> None:
    """Discard the parts. An error is logged, because the caller raises the error that led here."""
    try:
        await source.call("AbortMultipartUpload", f"uploadId={quote(upload_id, safe='')}")
    except StorageError as error:
        logger.warning("parts of %s may be left: %s", source.key, error)


class _Upload:
    """One multipart upload."""

    def __init__(self, source: UploadSource, upload_id: str, part_size: int, report: Report) -> None:
        self._source = source
        self.id = upload_id
        self._report = report
        self._part_size = part_size
        self._digests: dict[int, bytes] = {}
        self._etags: dict[int, str] = {}
        #: Whether a key of KMS encrypts the parts. MinIO names it in responses to UploadPart, and not at the end.
        self._encrypted = False

    async def send_all(self) -> None:
        """Send every part; the first failure stops the others."""
        numbers = iter(range(1, -(-self._source.size // self._part_size) + 1))
        connections = max(1, min(_CONNECTIONS, _MEMORY // self._part_size))
        # It ends when all have ended: a part that arrived after the abort would be kept, and paid for.
        await all_done(self._send_each(numbers) for _ in range(connections))

    async def complete(self) -> Mapping[str, str]:
        """Have the parts become the object; the headers of the answer, with its ETag."""
        numbered = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(self._etags[number])}</ETag></Part>"
            for number in sorted(self._etags)
        )
        body = f"<CompleteMultipartUpload>{numbered}</CompleteMultipartUpload>".encode()
        try:
            done = await self._call("CompleteMultipartUpload", body=body)
        except StorageError as error:
            if error.code != "NoSuchUpload" and not isinstance(error, InvalidResponseError):
                raise
            return await self._found_complete(error)
        return {**done.headers, "etag": leaves(done.body)["ETag"]}

    def verified(self, headers: Mapping[str, str]) -> ObjectInfo:
        # Under a key of KMS the ETag has the same form and is no hash of the content.
        etag = etag_of(headers)
        comparable = is_md5_of_parts(headers) and not self._encrypted
        if comparable and etag.lower() != self._expected():
            raise self._source.damaged("CompleteMultipartUpload", etag, self._expected())
        return self._source.uploaded(headers, etag, "md5" if comparable else "content-md5")

    async def _found_complete(self, error: StorageError) -> Mapping[str, str]:
        """The object, if an earlier try made it whose answer was lost: then there is no such upload any more."""
        try:
            headers = (await self._source.call("HeadObject")).headers
        except StorageError:
            raise error from None
        if etag_of(headers).lower() != self._expected():
            raise error
        return headers

    def _expected(self) -> str:
        digests = b"".join(self._digests[number] for number in sorted(self._digests))
        return f"{md5(digests).hexdigest()}-{len(self._digests)}"

    async def _send_each(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._send(number)

    async def _send(self, number: int) -> None:
        start = (number - 1) * self._part_size
        part = await self._source.part(start, min(self._part_size, self._source.size - start))
        signed = {"Content-MD5": content_md5(part.md5)}
        response = await self._call(
            "UploadPart", f"partNumber={number}&", signed=signed, body=part.body, body_sha256=part.sha256
        )
        self._digests[number] = part.md5
        self._etags[number] = f'"{etag_of(response.headers)}"'
        self._encrypted = self._encrypted or not is_hash(response.headers)
        self._report.advanced(len(part.body))

    async def _call(self, operation: str, query: str = "", **more: Any) -> Reply:
        query += f"uploadId={quote(self.id, safe='')}"
        return await self._source.call(operation, query, **more)
