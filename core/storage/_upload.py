"""Uploading one file: the object is whole, or it is not there."""

from __future__ import annotations

import errno
import os
import stat
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from core.storage._client import get_s3_client
from core.storage._clock import store_time
from core.storage._content_types import content_type_of
from core.storage._errors import IntegrityError
from core.storage._keys import check_new_key
from core.storage._progress import Progress
from core.storage._translate import translated
from core.storage._verify import is_md5, md5

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo

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
    check_new_key(key)
    headers: dict[str, Any] = {"ContentType": content_type or content_type_of(key)}
    if metadata:
        headers["Metadata"] = dict(metadata)
    with _opened(path) as file:
        source = Source(file, bucket, key)
        if source.size <= THRESHOLD:
            return _put(source, headers, Progress(progress))
        from core.storage._multipart import put_parts  # noqa: PLC0415  # threads, for large files alone

        return put_parts(source, headers, Progress(progress))


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    # Looked at before it is opened: opening a pipe would wait for its other end.
    mode = os.stat(path).st_mode  # noqa: PTH116
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, name a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "this is no regular file, its size is not known", str(path))
    return open(path, "rb")  # noqa: PTH123  # the caller closes it


class Source:
    """The open file, which must stay what it was when it was opened."""

    def __init__(self, file: BinaryIO, bucket: str, key: str) -> None:
        self._file = file
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

    def place(self) -> Any:
        """The request's address."""
        return {"Bucket": self.bucket, "Key": self.key}

    def uploaded(self, answer: Any, etag: str, verified_by: str) -> ObjectInfo:
        """What is known of the object that `answer` confirms."""
        from core.storage._objects import ObjectInfo  # noqa: PLC0415  # dataclasses cost 12 ms

        when = store_time(answer["ResponseMetadata"]) or datetime.now(UTC)
        return ObjectInfo(self.key, self.size, etag, when, verified_by)

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


def _put(source: Source, headers: dict[str, Any], report: Progress) -> ObjectInfo:
    # In memory, so that what is hashed is what is sent.
    body = source.read(0, source.size)
    source.must_be_unchanged()
    digest = md5(body)
    with translated("PutObject", source.bucket, source.key):
        answer: Any = get_s3_client().put_object(
            **source.place(), **headers, Body=body, ContentMD5=content_md5(digest.digest())
        )
    etag = answer["ETag"].strip('"')
    comparable = is_md5(etag, answer)
    if comparable and etag != digest.hexdigest():
        raise source.damaged("PutObject", etag, digest.hexdigest())
    report.advanced(source.size)
    return source.uploaded(answer, etag, "md5" if comparable else "content-md5")
