"""Uploading one file: the object is whole, or it is not there."""

from __future__ import annotations

import errno
import os
import stat
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from core.storage import _telemetry
from core.storage._client import current_settings
from core.storage._clock import header_time
from core.storage._content_types import content_type_of
from core.storage._errors import IntegrityError
from core.storage._keys import check_new_key
from core.storage._progress import Progress, Report
from core.storage._request import Reply, Request, call
from core.storage._verify import etag_of, is_md5, md5

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo
    from core.storage.settings import Settings

#: Bytes. Up to here a file goes in one request, from memory; above, in parts.
THRESHOLD = 32 * 1024 * 1024


def upload_file(
    path: str | os.PathLike[str],
    bucket: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Upload the file `path` as the object `key` of `bucket`, replacing an object that is there.

    Atomic: readers see the old object or the new one. Verified: every request carries its Content-MD5, by
    which the store refuses flipped bits, and the ETag that comes back is compared (`ObjectInfo.verified_by`).
    Retried, each request. Up to 32 MiB go in one request; above, parts of 16 MiB or more go from up to 4
    threads, and the parts are discarded after any failure, KeyboardInterrupt included. Safe from many threads
    and processes. No ACL is ever sent: R2, GCS and most AWS buckets refuse one.

    Args:
        path: a regular file.
        bucket: its name, such as `core.storage.BUCKET_OUT`.
        key: the object's key, relative, without parts that are empty, ``.`` or ``..``.
        content_type: by default, by the suffix of the key.
        metadata: names and values to keep with the object, ASCII; 2 KiB in all on AWS.
        progress: called with the number of bytes that the store has newly taken, from one thread at a time. If
            it raises, that is logged and the upload goes on.

    Raises:
        UnsafeKeyError: some stores would not keep the object under this key.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError: as they say.
        IntegrityError: the file changed while it was read (nothing was put in place), or the store's ETag is
            not the hash of what was sent.
        OSError: the file cannot be read.
    """
    headers = _headers(content_type or content_type_of(key), metadata or {})
    with _telemetry.span("upload_file", bucket, key) as span:
        return span.moved(put(path, bucket, key, headers, Progress(progress)))


def put(
    path: str | os.PathLike[str],
    bucket: str,
    key: str,
    headers: dict[str, str],
    report: Report,
    settings: Settings | None = None,
) -> ObjectInfo:
    """`upload_file`, with the headers that the object shall have."""
    check_new_key(key)
    with _telemetry.measured("upload", bucket) as measure, _opened(path) as file:
        source = Source(file, bucket, key, settings or current_settings())
        if source.size <= THRESHOLD:
            return measure.moved(_put(source, headers, report))
        from core.storage._multipart import put_parts  # noqa: PLC0415  # threads, for large files alone

        return measure.moved(put_parts(source, headers, report))


def _headers(content_type: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """The headers of an object, of which none ends before its time."""
    headers = {"Content-Type": content_type}
    headers |= {f"x-amz-meta-{name.lower()}": value for name, value in metadata.items()}
    for name, value in headers.items():
        if not (f"{name}{value}".isascii() and f"{name}{value}".isprintable()):
            raise ValueError(f"content types and metadata must be printable ASCII, got {name}: {value!r}")
    return headers


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    # Looked at before it is opened: opening a pipe would wait for its other end.
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, name a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "this is no regular file, its size is not known", str(path))
    return open(path, "rb", buffering=0)  # the caller closes it


class Source:
    """The open file, which must stay what it was when it was opened."""

    def __init__(self, file: BinaryIO, bucket: str, key: str, settings: Settings) -> None:
        self._file = file
        self._settings = settings
        self._state = self._look()
        self.size = os.fstat(file.fileno()).st_size
        self.bucket = bucket
        self.key = key

    def read(self, start: int, size: int) -> bytes:
        """The bytes from `start` on; safe from many threads."""
        data = os.pread(self._file.fileno(), size, start)
        while len(data) < size:
            more = os.pread(self._file.fileno(), size - len(data), start + len(data))
            if not more:
                raise self._changed()
            data += more
        return data

    def must_be_unchanged(self) -> None:
        """Called when all is read and nothing is in place yet."""
        if self._look() != self._state:
            raise self._changed()

    def call(self, operation: str, query: str = "", **more: Any) -> Reply:
        """Ask the store for something about the object."""
        return call(Request(operation, self.bucket, self.key, query, **more), self._settings)

    def uploaded(self, headers: Mapping[str, str], etag: str, verified_by: str) -> ObjectInfo:
        """What is known of the object that the answer with these headers confirms."""
        from core.storage._objects import ObjectInfo  # noqa: PLC0415  # dataclasses cost 12 ms

        return ObjectInfo(self.key, self.size, etag, header_time(headers, "date"), verified_by, self.bucket)

    def damaged(self, operation: str, etag: str, expected: str) -> IntegrityError:
        """The error for an answer whose ETag is not the hash of what was sent."""
        return IntegrityError(
            f"the store keeps {self.bucket}/{self.key} with the ETag {etag}, and what was sent has {expected}; "
            "upload it again",
            bucket=self.bucket,
            key=self.key,
            operation=operation,
        )

    def _look(self) -> tuple[int, int]:
        found = os.fstat(self._file.fileno())
        return (found.st_size, found.st_mtime_ns)

    def _changed(self) -> IntegrityError:
        return IntegrityError(
            f"the file {self._file.name} changed while it was uploaded to {self.bucket}/{self.key}; nothing was "
            "put in place, upload it when it is finished",
            bucket=self.bucket,
            key=self.key,
        )


def content_md5(digest: bytes) -> str:
    """The header by which the store refuses a body that was changed on the way."""
    return b64encode(digest).decode()


def _put(source: Source, headers: dict[str, str], report: Report) -> ObjectInfo:
    # In memory, so that what is hashed is what is sent.
    body = source.read(0, source.size)
    source.must_be_unchanged()
    digest = md5(body)
    headers["Content-MD5"] = content_md5(digest.digest())
    answer = source.call("PutObject", signed=headers, body=body)
    etag = etag_of(answer.headers)
    comparable = is_md5(answer.headers)
    if comparable and etag != digest.hexdigest():
        raise source.damaged("PutObject", etag, digest.hexdigest())
    report.advanced(source.size)
    return source.uploaded(answer.headers, etag, "md5" if comparable else "content-md5")
