"""Uploading one large file in parts."""

from __future__ import annotations

import re
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

from core.storage._client import get_s3_client
from core.storage._errors import StorageError
from core.storage._log import logger
from core.storage._objects import ObjectInfo
from core.storage._progress import Progress
from core.storage._translate import translated
from core.storage._upload import Source, content_md5
from core.storage._verify import md5

_MIB = 1024 * 1024
#: Bytes of a part. Measured: 16 to 32 MiB are the best; every part but the last must be equal (R2) and of at
#: least 5 MiB (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
_PART = 16 * _MIB
_MOST_PARTS = 10_000
#: More gain nothing (measured).
_THREADS = 4
#: Bytes of parts in memory at once.
_MEMORY = 256 * _MIB
_ETAG_OF_PARTS = re.compile(r"[0-9a-f]{32}-\d+")


def put_parts(source: Source, headers: dict[str, Any], report: Progress) -> ObjectInfo:
    """Upload in parts; after any failure the parts are discarded and the object is as it was."""
    with translated("CreateMultipartUpload", source.bucket, source.key):
        created = get_s3_client().create_multipart_upload(**source.place(), **headers)
    upload = _Upload(source, created["UploadId"], report)
    try:
        upload.send_all()
        source.must_be_unchanged()
        answer = upload.complete()
    except BaseException:
        upload.abort()
        raise
    return upload.verified(answer)


def part_size(size: int) -> int:
    """Bytes of each part of a file of `size` bytes: 16 MiB, or as many MiB as make at most 10,000 parts."""
    return max(_PART, -(-size // (_MOST_PARTS * _MIB)) * _MIB)


class _Upload:
    """One multipart upload."""

    def __init__(self, source: Source, upload_id: str, report: Progress) -> None:
        self._source = source
        self._id = upload_id
        self._report = report
        self._part_size = part_size(source.size)
        self._digests: dict[int, bytes] = {}
        self._etags: dict[int, str] = {}
        self._stop = Event()

    def send_all(self) -> None:
        """Send every part; the first failure stops the others."""
        count = -(-self._source.size // self._part_size)
        threads = max(1, min(_THREADS, _MEMORY // self._part_size))
        with ThreadPoolExecutor(threads, "mpr-upload") as pool:
            futures = [pool.submit(self._send, number) for number in range(1, count + 1)]
            try:
                _first_failure(futures)
            except BaseException:
                # The pool waits for the parts on their way: one that arrives after the abort would be kept,
                # and paid for.
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def complete(self) -> Any:
        parts = [{"PartNumber": number, "ETag": self._etags[number]} for number in sorted(self._etags)]
        with translated("CompleteMultipartUpload", self._source.bucket, self._source.key):
            return get_s3_client().complete_multipart_upload(
                **self._source.place(),
                UploadId=self._id,
                MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
            )

    def abort(self) -> None:
        """Discard the parts. A failure is logged: the one that led here is the one to raise."""
        try:
            with translated("AbortMultipartUpload", self._source.bucket, self._source.key):
                get_s3_client().abort_multipart_upload(**self._source.place(), UploadId=self._id)
        except StorageError as error:
            logger().warning("parts of %s may be left: %s", self._source.key, error)

    def verified(self, answer: Any) -> ObjectInfo:
        etag = answer["ETag"].strip('"')
        digests = b"".join(self._digests[number] for number in sorted(self._digests))
        expected = f"{md5(digests).hexdigest()}-{len(self._digests)}"
        # Under a key of KMS the ETag has the same form and is no hash of the content.
        comparable = _ETAG_OF_PARTS.fullmatch(etag) and "aws:kms" not in answer.get("ServerSideEncryption", "")
        if comparable and etag != expected:
            raise self._source.damaged("CompleteMultipartUpload", etag, expected)
        return self._source.uploaded(answer, etag, "md5" if comparable else "content-md5")

    def _send(self, number: int) -> None:
        if self._stop.is_set():
            return
        start = (number - 1) * self._part_size
        body = self._source.read(start, min(self._part_size, self._source.size - start))
        digest = md5(body).digest()
        with translated("UploadPart", self._source.bucket, self._source.key):
            answer = get_s3_client().upload_part(
                **self._source.place(),
                UploadId=self._id,
                PartNumber=number,
                Body=body,
                ContentMD5=content_md5(digest),
            )
        self._digests[number] = digest
        self._etags[number] = answer["ETag"]
        self._report.advanced(len(body))


def _first_failure(futures: list[Future[None]]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
