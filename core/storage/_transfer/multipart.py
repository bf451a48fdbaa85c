"""Uploading one large file in parts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
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
from core.storage._transfer.checksums import PART_SIZE, content_md5, etag_of, etag_of_parts, has_encrypted_etag
from core.storage._transfer.upload_source import Part, UploadSource

_MIB = 1024 * 1024
#: Bytes of a part. Measured: 16 to 32 MiB are the best; every part but the last must be equal (R2) and of at
#: least 5 MiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
_PART = 16 * _MIB
_MOST_PARTS = 10_000
#: Measured: more connections are not faster.
_CONNECTIONS = 4
#: Bytes of parts in memory at once.
_MEMORY = 256 * _MIB


def part_size(size: int) -> int:
    """Return the part size of a file of `size` bytes: 16 MiB, or more if that would make over 10,000 parts."""
    return max(_PART, -(-size // (_MOST_PARTS * _MIB)) * _MIB)


async def put_parts(
    source: UploadSource, headers: dict[str, str], report: Report, first: Part | None = None
) -> ObjectInfo:
    """Upload in parts; after any failure the parts are discarded and the object is unchanged.

    `first` is a part that was read already, because only the end of a stream tells its size.
    """
    upload = _Upload(source, report)
    await upload.create(headers)
    try:
        await upload.send_all(first)
        source.check_unchanged()
        completed = await upload.complete()
    except (Exception, asyncio.CancelledError):
        await upload.abort()
        raise
    return source.uploaded("CompleteMultipartUpload", completed, upload.etag(), encrypted=upload.encrypted)


class _Upload:
    """One multipart upload."""

    def __init__(self, source: UploadSource, report: Report) -> None:
        #: Whether a key of KMS encrypts the parts. MinIO reports it in responses to UploadPart, not at the end.
        self.encrypted = False
        self._source = source
        self._report = report
        self._part_size = part_size(source.content.size or 0)
        self._id = ""
        #: The MD5 digest and the store's ETag of each part, by its number.
        self._parts: dict[int, tuple[bytes, str]] = {}

    async def create(self, headers: dict[str, str]) -> None:
        """Create the upload. A cancellation waits for its ID, and aborts it."""
        signed = {**headers, PART_SIZE: str(self._part_size)}
        creating = asyncio.create_task(self._source.call("CreateMultipartUpload", "uploads=", signed=signed))
        try:
            self._id = leaves((await asyncio.shield(creating)).body)["UploadId"]
        except asyncio.CancelledError:
            await asyncio.wait([creating], timeout=READ_TIMEOUT)
            if not creating.cancel() and not creating.exception():
                self._id = leaves(creating.result().body)["UploadId"]
                await self.abort()
            raise

    async def send_all(self, first: Part | None) -> None:
        """Send every part; the first failure stops the others."""
        connections = max(1, min(_CONNECTIONS, _MEMORY // self._part_size))
        # Returns when all have ended: a part that arrives after the abort would be kept, and billed.
        await all_done(self._send(first if number == 0 else None) for number in range(connections))

    async def complete(self) -> Mapping[str, str]:
        """Complete the upload, and return the headers of the response, with the ETag of the object."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, (_, etag) in sorted(self._parts.items())
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        try:
            response = await self._call("CompleteMultipartUpload", body=body)
        except StorageError as error:
            if error.code != "NoSuchUpload" and not isinstance(error, InvalidResponseError):
                raise
            # An earlier attempt may have completed the upload, and its response was lost.
            try:
                headers = (await self._source.call("HeadObject")).headers
            except StorageError:
                raise error from None
            if etag_of(headers).lower() != self.etag():
                raise
            return headers
        return {**response.headers, "etag": leaves(response.body)["ETag"]}

    async def abort(self) -> None:
        """Discard the parts. An error is logged, because the caller raises the error that led here."""
        try:
            await self._call("AbortMultipartUpload")
        except StorageError as error:
            logger.warning("parts of %s may be left: %s", self._source.key, error)

    def etag(self) -> str:
        """Return the ETag that the object must have."""
        return etag_of_parts([digest for _, (digest, _) in sorted(self._parts.items())])

    async def _send(self, part: Part | None) -> None:
        # One buffer for each connection: new ones would stay with the allocator of each worker thread.
        buffer = self._source.content.buffer(self._part_size)
        while part := part or await self._source.next_part(buffer):
            if part.number > _MOST_PARTS:
                raise StorageError(
                    f"the stream for {self._source.bucket}/{self._source.key} is longer than {_MOST_PARTS} parts "
                    f"of {self._part_size} bytes, and its size is not known: save it to a file, and upload that",
                    bucket=self._source.bucket,
                    key=self._source.key,
                    operation="UploadPart",
                )
            signed = {"Content-MD5": content_md5(part.md5)}
            query = f"partNumber={part.number}&"
            response = await self._call(
                "UploadPart", query, signed=signed, body=part.body, body_sha256=part.sha256
            )
            self._parts[part.number] = part.md5, f'"{etag_of(response.headers)}"'
            self.encrypted = self.encrypted or has_encrypted_etag(response.headers)
            self._report.advanced(len(part.body))
            part = None

    async def _call(self, operation: str, query: str = "", **more: Any) -> Reply:
        return await self._source.call(operation, f"{query}uploadId={quote(self._id, safe='')}", **more)
