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
#: The last byte that a range can have: stores read it as a signed integer of 64 bits, and refuse a larger one.
MAX_POSITION = 2**63 - 1


class Source:
    """An object in the store, or a range of it, as the first response described it."""

    def __init__(
        self,
        bucket: str,
        key: str,
        settings: Settings,
        start: int = 0,
        length: int | None = None,
        known: ObjectInfo | None = None,
    ) -> None:
        """Prepare requests for `length` bytes from `start` on, or up to the end; of the `known` version only."""
        self.bucket = bucket
        self.key = key
        #: Bytes to receive, and bytes of the whole object.
        self.size = self.total = -1
        self._settings = settings
        self._start = start
        self._length = length
        self._headers: Mapping[str, str] = {}
        if known is not None:
            self._describe({"etag": f'"{known.etag}"'}, known.size)

    @property
    def is_range(self) -> bool:
        """Return whether a range was requested, which a response with the whole object does not serve."""
        return self._start > 0 or self._length is not None

    async def open(self, position: int = 0) -> Response:
        """Request the bytes from `position` on; a server that ignores ranges sends the whole object."""
        first = self._start + position
        plain = {"If-Match": f'"{etag_of(self._headers)}"'} if self._headers else {}
        if first or self._length is not None:
            last = "" if self._length is None else min(self._start + self._length - 1, MAX_POSITION)
            plain["Range"] = f"bytes={first}-{last}"
        # Only AWS is sure to know the header.
        signed = {"x-amz-checksum-mode": "ENABLED"} if self._settings.dialect.checksums == "when_supported" else {}
        response = await send(
            Request("GetObject", self.bucket, self.key, signed=signed, plain=plain), self._settings
        )
        try:
            self._compare(response, first)
        except StorageError:
            response.close()
            raise
        return response

    def check(self) -> Check:
        """Return a new check of the bytes; those of a range have no checksum."""
        return check_for(self._headers, self.total) if self.size == self.total else Check.of_size()

    def info(self, verified_by: str) -> ObjectInfo:
        """Return the description of the whole object."""
        modified = header_time(self._headers, "last-modified")
        return ObjectInfo(self.key, self.total, etag_of(self._headers), modified, verified_by, self.bucket)

    def error(self, kind: type[StorageError], message: str) -> StorageError:
        """Return an error about the object."""
        return kind(message, bucket=self.bucket, key=self.key, operation="GetObject")

    def _compare(self, response: Response, first: int) -> None:
        """Compare a response with the first one; the first describes the object."""
        total = self._total_of(response, first)
        if not self._headers:
            self._describe(response.headers, total)
        elif (total, etag_of(response.headers)) != (self.total, etag_of(self._headers)):
            message = f"{self.bucket}/{self.key} was replaced while it was read; read it again"
            raise self.error(ObjectChangedError, message)

    def _describe(self, headers: Mapping[str, str], total: int) -> None:
        self._headers, self.total = headers, total
        rest = total - self._start
        self.size = rest if self._length is None else min(rest, self._length)

    def _total_of(self, response: Response, first: int) -> int:
        """Return the size of the whole object, from a response that begins at byte `first` or has all of it."""
        if response.status != PARTIAL_CONTENT:
            is_whole = not self._start and (self._length or 0) >= (response.length or 0)
            if self.is_range and not is_whole:
                raise self.error(
                    IntegrityError,
                    f"the request for {self.bucket}/{self.key} from byte {first} on received the whole object: a "
                    "proxy may remove the header Range, connect without it",
                )
            if response.length is None:
                raise self.error(
                    IntegrityError,
                    f"the response for {self.bucket}/{self.key} has no Content-Length, so an incomplete object "
                    "could not be detected: a proxy may have removed the header, connect without it",
                )
            return response.length
        if not first and self._length is None:
            raise self.error(
                IntegrityError,
                f"the request for {self.bucket}/{self.key} without a range received a partial response (206): a "
                "proxy may change responses, connect without it",
            )
        content_range = response.headers.get("content-range", "")
        match = _CONTENT_RANGE.fullmatch(content_range)
        if not match or int(match[1]) != first or int(match[2]) <= first:
            raise self.error(
                IntegrityError,
                f"the request for {self.bucket}/{self.key} from byte {first} on received another range, "
                f"{content_range!r}: a proxy may change responses, connect without it",
            )
        return int(match[2])
