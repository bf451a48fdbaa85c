"""A local file while it is uploaded as an object."""

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
from core.storage._transfer.checksums import ETAG, etag_of, has_encrypted_etag, md5
from core.storage.settings import Settings

#: Bytes. A file up to this size is uploaded in one request, from memory; a larger one in parts.
THRESHOLD = 32 * 1024 * 1024
#: Bytes. A file up to this size is read and hashed in the event loop.
_SMALL = 1024 * 1024


class Part(NamedTuple):
    """The body of a request, with its hashes."""

    body: memoryview
    md5: bytes
    #: In hexadecimal; empty if it is not signed.
    sha256: str


class UploadSource:
    """The open file, which must not change until the object is complete."""

    def __init__(self, file: BinaryIO, bucket: str, key: str, settings: Settings) -> None:
        self._file = file
        self._settings = settings
        self._state = self._current_state()
        #: The content of a file whose size the file system reports as 0 (in /proc, on some FUSE).
        self._content = b"" if self._state[0] else _content_of(file)
        self.size = self._state[0] or len(self._content)
        self.bucket = bucket
        self.key = key
        #: Over TLS the body is not part of the signature, but its MD5 is.
        self._is_signed = (settings.endpoint_url or "").lower().startswith("http:")

    async def part(self, start: int, buffer: memoryview) -> Part:
        """Fill the buffer with the bytes from `start` on, and hash them; more than 1 MiB in a worker thread."""
        return self._part(start, buffer) if len(buffer) <= _SMALL else await in_worker(self._part, start, buffer)

    def _part(self, start: int, body: memoryview) -> Part:
        if self._content:
            body[:] = self._content[start : start + len(body)]
            filled = len(body)
        else:
            filled = os.preadv(self._file.fileno(), [body], start)
        while filled < len(body):
            count = os.preadv(self._file.fileno(), [body[filled:]], start + filled)
            if not count:
                raise self._changed()
            filled += count
        return Part(body, md5(body).digest(), hashlib.sha256(body).hexdigest() if self._is_signed else "")

    def must_be_unchanged(self) -> None:
        """Raise an IntegrityError if the file has changed; called when all is read and nothing is in place."""
        if self._current_state() != self._state:
            raise self._changed()

    async def call(self, operation: str, query: str = "", **more: Any) -> Reply:
        """Return the response to a request about the object."""
        return await exchange(Request(operation, self.bucket, self.key, query, **more), self._settings)

    def uploaded(
        self, operation: str, headers: Mapping[str, str], expected: str, *, encrypted: bool = False
    ) -> ObjectInfo:
        """Return the description of the new object, whose ETag must be `expected` if it is a hash of the content.

        Raises:
            IntegrityError: the ETag is another hash.
        """
        etag = etag_of(headers)
        match = None if encrypted or has_encrypted_etag(headers) else ETAG.fullmatch(etag)
        comparable = match is not None and ("-" in etag) == ("-" in expected)
        if comparable and etag.lower() != expected:
            raise IntegrityError(
                f"checksum mismatch: sent {self.bucket}/{self.key} with the MD5 {expected}, the store's ETag is "
                f"{etag}; upload it again",
                bucket=self.bucket,
                key=self.key,
                operation=operation,
            )
        verified_by = "md5" if comparable else "content-md5"
        return ObjectInfo(self.key, self.size, etag, header_time(headers, "date"), verified_by, self.bucket)

    def _current_state(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return (status.st_size, status.st_mtime_ns)

    def _changed(self) -> IntegrityError:
        return IntegrityError(
            f"the file {self._file.name} changed while it was uploaded to {self.bucket}/{self.key}; nothing was "
            "put in place, upload it when it is finished",
            bucket=self.bucket,
            key=self.key,
        )


def _content_of(file: BinaryIO) -> bytes:
    content = b""
    while data := file.read(THRESHOLD + 1 - len(content)):
        content += data
    if len(content) > THRESHOLD:
        raise OSError(
            errno.EINVAL,
            f"the file system reports the size 0, and the file has more than {THRESHOLD} bytes: copy it to a "
            "regular file first",
            str(file.name),
        )
    return content
