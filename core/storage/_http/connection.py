"""One connection to a store: it sends requests and receives responses. Only the event loop uses it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from core.storage._http import watch
from core.storage._http.faults import BrokenError, StaleError, StallError
from core.storage._http.head import parse_head
from core.storage._http.stream import PIECE, Stream

#: Bytes. No S3 response has longer headers.
_LONGEST_HEAD = 64 * 1024
#: Seconds from the end of a request to the end of the head of its response.
HEAD_TIME = 20.0
#: Seconds to wait for the response of a server that stopped reading the body, as with 403 or 413.
_EARLY = 1.0
#: Responses such as 100 Continue before the final one.
_INTERIM = 10


class Connection(Stream):
    """One connection to a store, for one request at a time."""

    def __init__(self, connected: socket.socket) -> None:
        """Take over a connected socket."""
        super().__init__(connected)
        #: The bytes between the two positions were received and not yet consumed.
        self._room = bytearray(PIECE)
        self._view = memoryview(self._room)
        self._start = self._end = 0
        #: Whether a response was received on it before: only then can it be stale.
        self._used = False

    async def request(
        self, head: bytes, body: bytes | memoryview, *, changes: bool = False
    ) -> tuple[int, dict[str, str]]:
        """Send a request; return the status and the headers of its response, as `parse_head` does.

        If it `changes` something, a cancellation waits for the response: the server has the request, and must not
        process it after the clean-up.

        Raises:
            StaleError: no response came, on a connection that was used before.
            OSError: the connection broke, or stalled.
        """
        try:
            if len(body) <= PIECE:
                await self.send(head + body)
            else:
                await self.send(head)
                await self.send(body)
        except (BrokenPipeError, ConnectionResetError) as error:
            # The server may have responded before it had read the whole body, as with 403 or 413.
            try:
                async with asyncio.timeout(_EARLY):
                    await self._wait()
            except TimeoutError:
                raise self._lost() from error
        try:
            return await self._response_head()
        except asyncio.CancelledError:
            if changes:
                with suppress(OSError):
                    await self._response_head()
            raise

    def is_dead(self) -> bool:
        """Return whether the server has closed the connection, or sent bytes that were not requested.

        Such bytes would be taken for the response to the next request, checksum included.
        """
        if self._start != self._end:
            return True
        try:
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)  # beneath TLS
        except OSError as error:
            return not isinstance(error, BlockingIOError)
        return True

    async def piece(self, most: int) -> memoryview:
        """Return the next bytes: `most`, or as many as there is room for, fewer before an error; none at the end.

        The view is valid until the next call.
        """
        if self._start == self._end:
            self._start = self._end = 0
        room = self._view[self._start :]
        count = await self._fill(room, self._end - self._start, min(most, len(room)))
        self._end = self._start + count
        piece = room[: min(count, most)]
        self._start += len(piece)
        return piece

    async def into(self, buffer: memoryview) -> int:
        """Fill the buffer; return the number of bytes, fewer before an error, 0 at the end."""
        count = min(len(buffer), self._end - self._start)
        buffer[:count] = self._view[self._start : self._start + count]
        self._start += count
        return await self._fill(buffer, count, len(buffer))

    async def line(self) -> bytes:
        """Return the next line, without its end."""
        return await self._until(b"\r\n", watch.now() + HEAD_TIME)

    async def _response_head(self) -> tuple[int, dict[str, str]]:
        deadline = watch.now() + HEAD_TIME
        for _ in range(_INTERIM + 1):
            status, headers = parse_head(await self._until(b"\r\n\r\n", deadline))
            if status // 100 != 1:
                self._used = True
                return status, headers
        raise BrokenError(f"more than {_INTERIM} responses with a status 1xx")

    def _lost(self) -> BrokenError:
        return StaleError("closed") if self._used else BrokenError("the connection was closed before a response")

    async def _fill(self, buffer: memoryview, count: int, least: int) -> int:
        """Receive into the buffer, which holds `count` bytes, until it holds `least`; return how many it holds."""
        while count < least:
            try:
                received = await self.receive(buffer[count:])
            except OSError:
                if not count:
                    raise
                break  # the next call raises it
            if not received:
                break
            count += received
        return count

    async def _until(self, mark: bytes, deadline: float) -> bytes:
        """Return the bytes before the mark, and consume both."""
        searched = self._start
        while (position := self._room.find(mark, searched, self._end)) < 0:
            count = self._end - self._start
            if count > _LONGEST_HEAD:
                raise BrokenError("the response is not HTTP: a header without end")
            if watch.now() > deadline:
                raise StallError(f"the head of the response took longer than {HEAD_TIME:g} s")
            if self._start:
                self._room[:count] = self._room[self._start : self._end]
                self._start, self._end = 0, count
            searched = max(0, count - len(mark) + 1)
            try:
                received = await self.receive(self._view[count:])
            except ConnectionResetError:
                received = 0
            if not received:
                raise BrokenError("the response ended early") if count else self._lost()
            self._end += received
        found = bytes(self._view[self._start : position])
        self._start = position + len(mark)
        return found
