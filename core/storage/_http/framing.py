"""The body of a response of HTTP/1.1, which knows when it is whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from core.storage._http.faults import BrokenError
from core.storage._http.head import is_chunked, length_of
from core.storage._http.watch import Patience, Watch

#: Bytes. A page of 1,000 keys, each of 1,024 bytes and percent-encoded, has 4 MiB.
_LONGEST_BODY = 16 * 1024 * 1024
_NOTHING = memoryview(b"")
#: Lines after the last chunk.
_MOST_TRAILERS = 100
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*")


class Body(Protocol):
    """The connection that a body is received from."""

    #: Counts the bytes of the body.
    watch: Watch | None

    async def piece(self, most: int) -> memoryview: ...
    async def into(self, buffer: memoryview) -> int: ...
    async def line(self) -> bytes: ...
    def close(self) -> None: ...


class Response:
    """A response whose head was read; `piece`, `into` or `read` read its body. Close it, whatever happens."""

    def __init__(
        self, connection: Body, status: int, headers: Mapping[str, str], *, bodiless: bool = False
    ) -> None:
        self.status = status
        #: By name in lower case.
        self.headers = headers
        #: Bytes of the body, if the server said so before.
        self.length = length_of(headers)
        #: Called once, when it is closed, with whether the connection can be used again.
        self.released: Callable[[Any, bool], object] = lambda used, _usable: used.close()
        self._connection = connection
        self._chunked = is_chunked(headers)
        #: Bytes until the end of the body, or of the chunk; negative: until the connection ends.
        self._left = 0 if bodiless or self._chunked else -1 if self.length is None else self.length
        self._ended = not self._left and not (self._chunked and not bodiless)
        self._first_chunk = True
        self._closed = False
        connection.watch = None if self._ended else Watch()

    async def piece(self) -> memoryview:
        """Return the next bytes of the body, up to 256 KiB; none: it is whole.

        The view holds until the next call.

        Raises:
            BrokenError: it ended before it was whole.
            OSError: the connection broke, or stalled.
        """
        if not await self._has_more():
            return _NOTHING
        found = await self._connection.piece(self._left if self._left >= 0 else _LONGEST_BODY)
        self._took(len(found))
        return found

    async def into(self, buffer: memoryview) -> int:
        """Receive the next bytes of the body into the buffer, until it is full or the body whole; their number.

        Raises:
            BrokenError: it ended before it was whole.
            OSError: the connection broke, or stalled.
        """
        if not await self._has_more():
            return 0
        count = await self._connection.into(buffer[: self._left] if self._left >= 0 else buffer)
        self._took(count)
        return count

    async def read(self) -> bytes:
        """Return the whole body, for those that are short.

        Raises:
            BrokenError: it is longer than any that S3 sends, or ended before it was whole.
            OSError: the connection broke, or stalled.
        """
        body = bytearray()
        while found := await self.piece():
            body += found
            if len(body) > _LONGEST_BODY:
                raise BrokenError(f"the body is longer than {_LONGEST_BODY} bytes")
        return bytes(body)

    def be_patient(self) -> None:
        """Wait for as long as something comes: a store may send white space for minutes before it is done.

        As S3 does while it completes an upload
        (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
        """
        self._connection.watch = Patience()

    def close(self) -> None:
        """Give the connection back, if the body was read to its end and both sides want to go on; else end it."""
        if self._closed:
            return
        self._closed = True
        self._connection.watch = None
        ends = "close" in self.headers.get("connection", "").lower() or self.headers[""] == "HTTP/1.0"
        self.released(self._connection, self._ended and not ends and self._left >= 0)

    async def _has_more(self) -> bool:
        return not self._ended and not (self._chunked and not self._left and not await self._next_chunk())

    def _took(self, count: int) -> None:
        if self._left < 0:
            self._ended = not count
        elif not count:
            raise BrokenError("the body ended early")
        else:
            self._left -= count
            self._ended = not self._left and not self._chunked

    async def _next_chunk(self) -> bool:
        """Read up to the next chunk; False: that was the last."""
        if not self._first_chunk and await self._connection.line():
            raise BrokenError("bytes follow a chunk where its end should be")
        self._first_chunk = False
        size = (await self._connection.line()).partition(b";")[0]
        if not _CHUNK_SIZE.fullmatch(size):
            raise BrokenError(f"no chunk begins with {size[:20]!r}")
        self._left = int(size, 16)
        if self._left:
            return True
        trailers = 0
        while await self._connection.line():
            trailers += 1
            if trailers > _MOST_TRAILERS:
                raise BrokenError(f"more than {_MOST_TRAILERS} lines follow the last chunk")
        self._ended = True
        return False
