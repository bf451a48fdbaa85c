"""An object in the store while it is downloaded: every response must describe the same object."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.storage._errors import IntegrityError, ObjectChangedError, StorageError
from core.storage._http.clock import header_time
from core.storage._http.framing import Response
from core.storage._http.request import Request, send
from core.storage._objects import ObjectInfo
from core.storage._transfer.checksums import Check, check_for, etag_of
from core.storage.settings import Settings

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
PARTIAL_CONTENT = 206


class Source:
    """The object in the store, as its first response described it."""

    def __init__(self, bucket: str, key: str, settings: Settings) -> None:
        self.bucket = bucket
        self.key = key
        self.size = -1
        self._settings = settings
        self._headers: Mapping[str, str] = {}

    async def open(self, position: int = 0) -> Response:
        """Request the object from `position` on; a server that ignores ranges sends all of it."""
        plain = {"Range": f"bytes={position}-", "If-Match": f'"{etag_of(self._headers)}"'} if position else {}
        # Only AWS is sure to know the header.
        signed = {"x-amz-checksum-mode": "ENABLED"} if self._settings.dialect.checksums == "when_supported" else {}
        response = await send(
            Request("GetObject", self.bucket, self.key, signed=signed, plain=plain), self._settings
        )
        try:
            self._compare(response, position)
        except StorageError:
            response.close()
            raise
        return response

    def check(self) -> Check:
        """Return a new check of the object's bytes."""
        return check_for(self._headers, self.size)

    def info(self, verified_by: str) -> ObjectInfo:
        """Return the description of the downloaded object."""
        modified = header_time(self._headers, "last-modified")
        return ObjectInfo(self.key, self.size, etag_of(self._headers), modified, verified_by, self.bucket)

    def error(self, kind: type[StorageError], message: str) -> StorageError:
        """Return an error about the object."""
        return kind(message, bucket=self.bucket, key=self.key, operation="GetObject")

    def _compare(self, response: Response, position: int) -> None:
        """Compare a response with the first one; the first describes the object."""
        size = self._size(response, position)
        if not self._headers:
            self._headers, self.size = response.headers, size
        elif (size, etag_of(response.headers)) != (self.size, etag_of(self._headers)):
            message = f"{self.bucket}/{self.key} was replaced while it was read; read it again"
            raise self.error(ObjectChangedError, message)

    def _size(self, response: Response, position: int) -> int:
        """Return the size of the whole object, from a response that begins at `position` or has all of it."""
        if response.status != PARTIAL_CONTENT:
            if response.length is None:
                raise self.error(
                    IntegrityError,
                    f"the response for {self.bucket}/{self.key} has no Content-Length, so an incomplete object "
                    "could not be detected: a proxy may have removed the header, connect without it",
                )
            return response.length
        content_range = response.headers.get("content-range", "")
        match = _CONTENT_RANGE.fullmatch(content_range)
        if not match or int(match[1]) != position:
            raise self.error(
                IntegrityError,
                f"the request for {self.bucket}/{self.key} from byte {position} on received another range, "
                f"{content_range!r}: a proxy may change responses, connect without it",
            )
        return int(match[2])
