"""One connection to a store: requests out, responses in. The event loop alone uses it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from core.storage._http import watch
from core.storage._http.faults import BrokenError, StaleError, StallError
from core.storage._http.framing import Response
from core.storage._http.head import parse_head
from core.storage._http.stream import PIECE, Stream
from core.storage._http.watch import Watch

#: Bytes. No server that means well sends longer headers.
_LONGEST_HEAD = 64 * 1024
#: Seconds from the end of a request to the end of the head of its response.
HEAD_TIME = 20.0
#: Seconds to wait for the response of a server that took no more of the body, as with 403 or 413.
_EARLY = 1.0
#: Responses such as 100 Continue before the one that counts.
_INTERIM = 10


class Connection:
    """One connection to a store, for one request at a time."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        #: What was received and not yet taken is between the two marks.
        self._room = bytearray(PIECE)
        self._view = memoryview(self._room)
        self._start = self._end = 0
        #: Whether a request was responded to on it before: only then can it have gone stale.
        self._used = False

    async def request(
        self, head: bytes, body: bytes | memoryview, *, bodiless: bool = False, changes: bool = False
    ) -> Response:
        """Send a request, and read the head of its response.

        Args:
            head: the request line and headers, with the empty line that ends them.
            body: what follows.
            bodiless: whether the response has no body whatever its headers say, as to HEAD.
            changes: whether the request changes something. Then a cancellation waits for the response: the server
                has the request, and what it does about it must not come after the clean-up.

        Raises:
            StaleError: nothing came, on a connection that was used before.
            OSError: the connection broke, or stalled.
        """
        try:
            if len(body) <= PIECE:
                await self.stream.send(head + body)
            else:
                await self.stream.send(head)
                await self.stream.send(body)
        except (BrokenPipeError, ConnectionResetError) as error:
            # The server may have responded before it had read the whole body, as with 403 or 413.
            if not await self.stream.input_within(_EARLY):
                raise self._lost() from error
        try:
            return await self._response(bodiless=bodiless)
        except asyncio.CancelledError:
            if changes:
                with suppress(OSError):
                    await self._response(bodiless=bodiless)
            raise

    @property
    def watch(self) -> Watch | None:
        """What counts the bytes of a body; None while a head is received."""
        return self.stream.watch

    @watch.setter
    def watch(self, watch: Watch | None) -> None:
        self.stream.watch = watch

    def is_dead(self) -> bool:
        """Whether the server has closed it, or sent something that was not requested, since it was used.

        What was not requested would pass for the response to the next request, hash and all.
        """
        return self._start != self._end or self.stream.has_input()

    def close(self) -> None:
        """End it."""
        self.stream.close()

    async def piece(self, most: int) -> memoryview:
        """Return the next bytes: `most`, or as many as there is room for, fewer before a fault; none: the end.

        The view holds until the next call.
        """
        if self._start == self._end:
            self._start = self._end = 0
        wanted = min(most, len(self._room) - self._start)
        while self._end - self._start < wanted:
            try:
                count = await self.stream.receive(self._view[self._end :])
            except OSError:
                if self._start == self._end:
                    raise
                break  # the next call raises it
            if not count:
                break
            self._end += count
        end = min(self._end, self._start + most)
        found = self._view[self._start : end]
        self._start = end
        return found

    async def into(self, buffer: memoryview) -> int:
        """Receive into the buffer until it is full; the number of bytes, fewer before a fault, 0: the end."""
        count = min(len(buffer), self._end - self._start)
        buffer[:count] = self._view[self._start : self._start + count]
        self._start += count
        while count < len(buffer):
            try:
                more = await self.stream.receive(buffer[count:])
            except OSError:
                if not count:
                    raise
                break  # the next call raises it
            if not more:
                break
            count += more
        return count

    async def line(self) -> bytes:
        """Return the next line, without its end."""
        return await self._until(b"\r\n", watch.now() + HEAD_TIME)

    async def _response(self, *, bodiless: bool) -> Response:
        deadline = watch.now() + HEAD_TIME
        for _ in range(_INTERIM + 1):
            status, headers = parse_head(await self._until(b"\r\n\r\n", deadline))
            if status // 100 != 1:
                break
        else:
            raise BrokenError(f"more than {_INTERIM} responses with a status 1xx")
        self._used = True
        return Response(self, status, headers, bodiless=bodiless or status in {204, 304})

    def _lost(self) -> BrokenError:
        return StaleError("closed") if self._used else BrokenError("the connection was closed before a response")

    async def _until(self, mark: bytes, deadline: float) -> bytes:
        """Return what comes before the mark, and take both."""
        looked_at = self._start
        while (found := self._room.find(mark, looked_at, self._end)) < 0:
            looked_at = max(self._start, self._end - len(mark) + 1)
            if self._end - self._start > _LONGEST_HEAD:
                raise BrokenError("the response is no HTTP: a header without end")
            if watch.now() > deadline:
                raise StallError(f"the head of the response took longer than {HEAD_TIME:g} s")
            looked_at -= self._make_room()
            if not await self._receive_more():
                raise self._lost() if self._start == self._end else BrokenError("the response ended early")
        taken = bytes(self._view[self._start : found])
        self._start = found + len(mark)
        return taken

    async def _receive_more(self) -> bool:
        try:
            count = await self.stream.receive(self._view[self._end :])
        except ConnectionResetError:
            return False
        self._end += count
        return bool(count)

    def _make_room(self) -> int:
        """Move what is there to the beginning; return by how much."""
        moved = self._start
        if moved:
            rest = self._end - moved
            self._room[:rest] = self._room[moved : self._end]
            self._start, self._end = 0, rest
        return moved
