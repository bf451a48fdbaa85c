"""Uploading one large file in parts."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from threading import Event
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from core.storage._errors import InvalidResponseError, StorageError
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
_THREADS = 4
#: Bytes of parts in memory at once.
_MEMORY = 256 * _MIB


def put_parts(source: UploadSource, headers: dict[str, str], report: Report) -> ObjectInfo:
    """Upload in parts; after any failure the parts are discarded and the object is as it was."""
    size = part_size(source.size)
    signed = {**headers, PART_SIZE: str(size)}
    created = source.call("CreateMultipartUpload", "uploads=", signed=signed)
    upload = _Upload(source, leaves(created.body)["UploadId"], size, report)
    try:
        upload.send_all()
        source.must_be_unchanged()
        completed = upload.complete()
    except BaseException:
        upload.abort()
        raise
    return upload.verified(completed)


def part_size(size: int) -> int:
    """Bytes of each part of a file of `size` bytes: 16 MiB, or as many MiB as make at most 10,000 parts."""
    return max(_PART, -(-size // (_MOST_PARTS * _MIB)) * _MIB)


class _Upload:
    """One multipart upload."""

    def __init__(self, source: UploadSource, upload_id: str, part_size: int, report: Report) -> None:
        self._source = source
        self._id = upload_id
        self._report = report
        self._part_size = part_size
        self._digests: dict[int, bytes] = {}
        self._etags: dict[int, str] = {}
        #: Whether a key of KMS encrypts the parts. MinIO names it in responses to UploadPart, and not at the end.
        self._encrypted = False
        self._stop = Event()

    def send_all(self) -> None:
        """Send every part; the first failure stops the others."""
        count = -(-self._source.size // self._part_size)
        threads = max(1, min(_THREADS, _MEMORY // self._part_size))
        with ThreadPoolExecutor(threads, "mpr-upload") as pool:
            futures = [pool.submit(copy_context().run, self._send, number) for number in range(1, count + 1)]
            try:
                _first_failure(futures)
            except BaseException:
                # The pool waits for the parts on their way: one that arrives after the abort would be kept,
                # and paid for.
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def complete(self) -> Mapping[str, str]:
        """Have the parts become the object; the headers of the answer, with its ETag."""
        numbered = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(self._etags[number])}</ETag></Part>"
            for number in sorted(self._etags)
        )
        body = f"<CompleteMultipartUpload>{numbered}</CompleteMultipartUpload>".encode()
        try:
            done = self._call("CompleteMultipartUpload", body=body)
        except StorageError as error:
            if error.code != "NoSuchUpload" and not isinstance(error, InvalidResponseError):
                raise
            return self._found_complete(error)
        return {**done.headers, "etag": leaves(done.body)["ETag"]}

    def abort(self) -> None:
        """Discard the parts. A failure is logged: the one that led here is the one to raise."""
        try:
            self._call("AbortMultipartUpload")
        except StorageError as error:
            logger().warning("parts of %s may be left: %s", self._source.key, error)

    def verified(self, headers: Mapping[str, str]) -> ObjectInfo:
        # Under a key of KMS the ETag has the same form and is no hash of the content.
        etag = etag_of(headers)
        comparable = is_md5_of_parts(headers) and not self._encrypted
        if comparable and etag.lower() != self._expected():
            raise self._source.damaged("CompleteMultipartUpload", etag, self._expected())
        return self._source.uploaded(headers, etag, "md5" if comparable else "content-md5")

    def _found_complete(self, error: StorageError) -> Mapping[str, str]:
        """The object, if an earlier try made it whose answer was lost: then there is no such upload any more."""
        try:
            headers = self._source.call("HeadObject").headers
        except StorageError:
            raise error from None
        if etag_of(headers).lower() != self._expected():
            raise error
        return headers

    def _expected(self) -> str:
        digests = b"".join(self._digests[number] for number in sorted(self._digests))
        return f"{md5(digests).hexdigest()}-{len(self._digests)}"

    def _send(self, number: int) -> None:
        if self._stop.is_set():
            return
        start = (number - 1) * self._part_size
        body = self._source.read(start, min(self._part_size, self._source.size - start))
        digest = md5(body).digest()
        signed = {"Content-MD5": content_md5(digest)}
        answer = self._call("UploadPart", f"partNumber={number}&", signed=signed, body=body)
        self._digests[number] = digest
        self._etags[number] = f'"{etag_of(answer.headers)}"'
        self._encrypted = self._encrypted or not is_hash(answer.headers)
        self._report.advanced(len(body))

    def _call(self, operation: str, query: str = "", **more: Any) -> Reply:
        query += f"uploadId={quote(self._id, safe='')}"
        return self._source.call(operation, query, **more)


def _first_failure(futures: list[Future[None]]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
