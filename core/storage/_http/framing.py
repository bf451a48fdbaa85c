"""The body of an HTTP/1.1 response, and where it ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from core.storage._http.connection import Connection
from core.storage._http.faults import BrokenError
from core.storage._http.head import framing_of
from core.storage._http.watch import Watch

#: Bytes. A page of 1,000 object keys, each of 1,024 bytes and percent-encoded, has 4 MiB.
_LONGEST_BODY = 16 * 1024 * 1024
#: Lines after the last chunk.
_MOST_TRAILERS = 100
_NOTHING = memoryview(b"")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*")


class Response:
    """A response whose head was read. Read its body with `piece`, `into` or `read`, and always close it.

    They raise a `BrokenError` if the body ends early, and an `OSError` if the connection breaks or stalls. A
    response to HEAD is `bodiless`, whatever its headers say.
    """

    def __init__(
        self, connection: Connection, status: int, headers: Mapping[str, str], *, bodiless: bool = False
    ) -> None:
        self.status = status
        #: By name in lower case.
        self.headers = headers
        #: The Content-Length, if there is one.
        self.length, is_chunked = framing_of(headers)
        #: Called by `close`, once, with the connection and whether it can be used again.
        self.released: Callable[[Connection, bool], object] = lambda used, _usable: used.close()
        self._connection = connection
        bodiless = bodiless or status in {204, 304}
        self._chunked = is_chunked and not bodiless
        #: Bytes until the end of the body or chunk; negative: the end of the connection ends the body.
        self._left = 0 if bodiless or self._chunked else -1 if self.length is None else self.length
        self._ended = not self._left and not self._chunked
        self._first_chunk = True
        self._closed = False
        connection.watch = None if self._ended else Watch()

    async def piece(self) -> memoryview:
        """Return the next bytes of the body, up to 256 KiB, none at its end; valid until the next call."""
        if not await self._has_more():
            return _NOTHING
        piece = await self._connection.piece(self._left if self._left >= 0 else _LONGEST_BODY)
        self._consume(len(piece))
        return piece

    async def into(self, buffer: memoryview) -> int:
        """Receive into the buffer until it is full or the body ends; return the number of bytes."""
        if not await self._has_more():
            return 0
        count = await self._connection.into(buffer[: self._left] if self._left >= 0 else buffer)
        self._consume(count)
        return count

    async def read(self) -> bytes:
        """Return the whole body; raise a `BrokenError` if it is longer than any that S3 sends for a short one."""
        body = bytearray()
        while piece := await self.piece():
            body += piece
            if len(body) > _LONGEST_BODY:
                raise BrokenError(f"the body is longer than {_LONGEST_BODY} bytes")
        return bytes(body)

    def be_patient(self) -> None:
        """Require no minimum rate: S3 sends white space for minutes while it completes an upload.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        """
        self._connection.watch = None

    def close(self) -> None:
        """Release the connection: it is usable if the body was read to its end and both sides keep it open."""
        if self._closed:
            return
        self._closed = True
        self._connection.watch = None
        ends = "close" in self.headers.get("connection", "").lower() or self.headers[""] == "HTTP/1.0"
        self.released(self._connection, self._ended and not ends and self._left >= 0)

    async def _has_more(self) -> bool:
        return not self._ended and (self._left != 0 or await self._next_chunk())

    def _consume(self, count: int) -> None:
        if self._left < 0:
            self._ended = not count
        elif not count:
            raise BrokenError("the body ended early")
        else:
            self._left -= count
            self._ended = not self._left and not self._chunked

    async def _next_chunk(self) -> bool:
        """Read the size of the next chunk; return False after the last."""
        if not self._first_chunk and await self._connection.line():
            raise BrokenError("bytes follow a chunk where its end should be")
        self._first_chunk = False
        size = (await self._connection.line()).partition(b";")[0]
        if not _CHUNK_SIZE.fullmatch(size):
            raise BrokenError(f"no chunk begins with {size[:20]!r}")
        self._left = int(size, 16)
        if self._left:
            return True
        for _ in range(_MOST_TRAILERS + 1):
            if not await self._connection.line():
                self._ended = True
                return False
        raise BrokenError(f"more than {_MOST_TRAILERS} lines follow the last chunk")
