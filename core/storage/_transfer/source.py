"""An object in the store while it is read: every response must describe the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.storage._errors import IntegrityError, ObjectChangedError, StoreUnreachableError
from core.storage._http import retry
from core.storage._http.clock import header_time
from core.storage._http.framing import Response
from core.storage._http.request import Request, send
from core.storage._objects import ObjectInfo
from core.storage._transfer.checksums import Check, check_for, etag_of
from core.storage.settings import Settings

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


def is_partial(response: Response) -> bool:
    """Whether the response is the part that was requested, and not the whole object."""
    return response.status == 206  # noqa: PLR2004  # Partial Content


class Source:
    """The object in the store, as its first response described it. Every later one must describe the same."""

    def __init__(self, bucket: str, key: str, settings: Settings) -> None:
        self.bucket = bucket
        self.key = key
        self.size = -1
        self._settings = settings
        self._headers: Mapping[str, str] = {}

    async def open(self) -> Response:
        """Request the whole object."""
        response = await self._get({})
        size = self._size(response, 0)
        if not self._headers:
            self._headers, self.size = response.headers, size
        self._must_be_the_same(response, size)
        return response

    async def resume(self, position: int) -> Response:
        """Request the object from `position` on; all of it comes from a server that ignores ranges."""
        if not position:
            return await self.open()
        response = await self._get({"Range": f"bytes={position}-", "If-Match": f'"{etag_of(self._headers)}"'})
        self._must_be_the_same(response, self._size(response, position))
        return response

    def check(self) -> Check:
        """A fresh check of its bytes."""
        return check_for(self._headers, self.size)

    def info(self, verified_by: str) -> ObjectInfo:
        modified = header_time(self._headers, "last-modified")
        return ObjectInfo(self.key, self.size, etag_of(self._headers), modified, verified_by, self.bucket)

    def broken(self, position: int) -> StoreUnreachableError:
        return StoreUnreachableError(
            f"the connection broke {retry.ATTEMPTS} times at byte {position} of {self.size} of "
            f"{self.bucket}/{self.key}; nothing was kept, try again later",
            **self._place(),
        )

    def damaged(self, verified_by: str) -> IntegrityError:
        return IntegrityError(
            f"what arrived of {self.bucket}/{self.key} does not have the {verified_by} that the store names; the "
            "object is damaged, or a proxy on the way changes it",
            **self._place(),
        )

    def oversized(self) -> IntegrityError:
        return IntegrityError(
            f"the store sent more of {self.bucket}/{self.key} than the {self.size} bytes that it named",
            **self._place(),
        )

    async def _get(self, plain: Mapping[str, str]) -> Response:
        # Only AWS is sure to know the header.
        known = self._settings.dialect.checksums == "when_supported"
        signed = {"x-amz-checksum-mode": "ENABLED"} if known else {}
        return await send(Request("GetObject", self.bucket, self.key, signed=signed, plain=plain), self._settings)

    def _size(self, response: Response, position: int) -> int:
        """Return the size of the whole object, by a response that begins at `position` or holds all of it."""
        return self._total(response, position) if is_partial(response) else self._length(response)

    def _length(self, response: Response) -> int:
        if response.length is None:
            response.close()
            raise IntegrityError(
                f"the store did not say how long {self.bucket}/{self.key} is, so that a part of it could pass for "
                "the whole; a proxy on the way may have removed Content-Length",
                **self._place(),
            )
        return response.length

    def _total(self, response: Response, position: int) -> int:
        named = response.headers.get("content-range", "")
        found = _CONTENT_RANGE.fullmatch(named)
        if not found or int(found[1]) != position:
            response.close()
            raise IntegrityError(
                f"the store was asked for {self.bucket}/{self.key} from byte {position}, and sent {named!r}",
                **self._place(),
            )
        return int(found[2])

    def _must_be_the_same(self, response: Response, size: int) -> None:
        if (size, etag_of(response.headers)) != (self.size, etag_of(self._headers)):
            response.close()
            raise ObjectChangedError(
                f"{self.bucket}/{self.key} was replaced while it was read; read it again", **self._place()
            )

    def _place(self) -> Any:
        return {"bucket": self.bucket, "key": self.key, "operation": "GetObject"}
