"""A content while it is uploaded as an object: its parts with their hashes, and the requests about the object."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from core.storage._engine import in_worker
from core.storage._errors import IntegrityError
from core.storage._http.clock import header_time
from core.storage._http.request import Reply, Request, exchange
from core.storage._objects import ObjectInfo
from core.storage._transfer.checksums import ETAG, etag_of, has_encrypted_etag, md5
from core.storage._transfer.contents import Content
from core.storage.settings import Settings

#: Bytes. A content up to this size is read and hashed in the event loop.
_SMALL = 1024 * 1024


class Part(NamedTuple):
    """The body of a request, with its hashes."""

    #: From 1.
    number: int
    body: memoryview
    md5: bytes
    #: In hexadecimal; empty if it is not signed.
    sha256: str


class UploadSource:
    """A content, and the object that it becomes."""

    def __init__(self, content: Content, bucket: str, key: str, settings: Settings) -> None:
        self.content = content
        self.bucket = bucket
        self.key = key
        #: Bytes that were read.
        self.position = 0
        self._settings = settings
        self._parts = 0
        self._ended = False
        self._turn = asyncio.Lock()
        #: Over TLS the body is not part of the signature, but its MD5 is.
        self._is_signed = (settings.endpoint_url or "").lower().startswith("http:")

    async def next_part(self, buffer: memoryview) -> Part | None:
        """Return the next bytes, as many as the buffer has, or None at the end. An empty content has one part.

        Several parts are read at once if the content allows that. The buffer is in use until the part is sent.

        Raises:
            IntegrityError: the content ended before its size.
        """
        if not self.content.sequential:
            return await self._next_part(buffer)
        async with self._turn:
            return await self._next_part(buffer)

    def check_unchanged(self) -> None:
        """Raise an IntegrityError if the content has changed; called when all is read and nothing is in place."""
        if self.content.has_changed():
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
        return ObjectInfo(self.key, self.position, etag, header_time(headers, "date"), verified_by, self.bucket)

    async def _next_part(self, buffer: memoryview) -> Part | None:
        size = self.content.size
        wanted = len(buffer) if size is None else min(len(buffer), size - self.position)
        if self._ended or (self._parts and not wanted):
            return None
        position, self.position = self.position, self.position + wanted
        self._parts += 1
        number = self._parts
        if wanted <= _SMALL and not self.content.sequential:
            part = self._part(number, position, buffer[:wanted])
        else:
            part = await in_worker(self._part, number, position, buffer[:wanted])
        count = len(part.body)
        if size is None:
            self.position = position + count
            self._ended = count < wanted
            return part if count or number == 1 else None
        if count < wanted:
            raise self._changed()
        return part

    def _part(self, number: int, position: int, buffer: memoryview) -> Part:
        body = self.content.read(position, buffer)
        sha256 = hashlib.sha256(body).hexdigest() if self._is_signed else ""
        return Part(number, body, md5(body).digest(), sha256)

    def _changed(self) -> IntegrityError:
        return IntegrityError(
            f"{self.content.name} changed while it was uploaded to {self.bucket}/{self.key}; nothing was put in "
            "place, upload it when it is finished",
            bucket=self.bucket,
            key=self.key,
        )
