"""A local file while it is uploaded: it must stay what it was when it was opened."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

from core.storage._engine import in_worker
from core.storage._errors import IntegrityError
from core.storage._http.clock import header_time
from core.storage._http.request import Reply, Request, exchange
from core.storage._objects import ObjectInfo
from core.storage._transfer.checksums import md5
from core.storage.settings import Settings

#: Bytes. Up to here a file goes in one request, from memory; above, in parts.
THRESHOLD = 32 * 1024 * 1024
#: Bytes. Up to here a file is read and hashed in the event loop.
_SMALL = 1024 * 1024


class Part(NamedTuple):
    """Bytes to send, with the hashes that go with them."""

    body: bytes
    md5: bytes
    #: In hexadecimal; empty where it is not signed.
    sha256: str


class UploadSource:
    """The open file, which must stay what it was when it was opened."""

    def __init__(self, file: BinaryIO, bucket: str, key: str, settings: Settings) -> None:
        self._file = file
        self._settings = settings
        self._state = self._look()
        #: The content of a file whose size the file system reports as 0 (in /proc, on some FUSE).
        self._content = b"" if self._state[0] else _content_of(file)
        self.size = self._state[0] or len(self._content)
        self.bucket = bucket
        self.key = key
        #: Over TLS the body is not part of the signature, but its MD5 is.
        self._is_signed = (settings.endpoint_url or "").lower().startswith("http:")

    def read(self, start: int, size: int) -> bytes:
        """Return the bytes from `start` on. Thread-safe."""
        if self._content:
            return self._content[start : start + size]
        data = os.pread(self._file.fileno(), size, start)
        while len(data) < size:
            more = os.pread(self._file.fileno(), size - len(data), start + len(data))
            if not more:
                raise self._changed()
            data += more
        return data

    def must_be_unchanged(self) -> None:
        """Compare the file with what it was; called when all is read and nothing is in place yet.

        Raises:
            IntegrityError: it has changed.
        """
        if self._look() != self._state:
            raise self._changed()

    async def part(self, start: int, size: int) -> Part:
        """Return the bytes from `start` on, with their hashes."""
        if size <= _SMALL:
            return self._part(start, size)
        return await in_worker(self._part, start, size)

    def _part(self, start: int, size: int) -> Part:
        body = self.read(start, size)
        return Part(body, md5(body).digest(), hashlib.sha256(body).hexdigest() if self._is_signed else "")

    async def call(self, operation: str, query: str = "", **more: Any) -> Reply:
        """Request something about the object."""
        return await exchange(Request(operation, self.bucket, self.key, query, **more), self._settings)

    def uploaded(self, headers: Mapping[str, str], etag: str, verified_by: str) -> ObjectInfo:
        """What is known of the object that the answer with these headers confirms."""
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


def _content_of(file: BinaryIO) -> bytes:
    content = b""
    while found := file.read(THRESHOLD + 1 - len(content)):
        content += found
    if len(content) > THRESHOLD:
        raise OSError(
            errno.EINVAL,
            f"the file system reports the size 0, and the file has more than {THRESHOLD} bytes: copy it to a "
            "regular file first",
            str(file.name),
        )
    return content
