"""HTTP/1.1 over one connection: requests out, answers in that know whether they are whole.

botocore decides what is asked of whom, and signs it; this carries the bytes. botocore's own way costs ten times
the CPU for each request, which is most of the time of small objects (docs/transfers.md).
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable, Mapping

from core.storage._http.head import BrokenError, is_chunked, length_of, parse_head
from core.storage._http.watch import Patience, StallError, Watch

#: Bytes for each call of the system.
_PIECE = 256 * 1024
#: Bytes. No server that means well sends longer headers.
_LONGEST_HEAD = 64 * 1024
#: Bytes. A page of 1,000 keys, each of 1,024 bytes and percent-encoded, has 4 MiB.
_LONGEST_BODY = 16 * 1024 * 1024
#: Seconds from the end of a request to the end of the head of its response.
HEAD_TIME = 20.0
#: Responses such as 100 Continue before the one that counts.
_INTERIM = 10
_NOTHING = memoryview(b"")
#: Lines after the last chunk.
_MOST_TRAILERS = 100
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*")


class StaleError(BrokenError):
    """The connection had been kept, and the server had closed it: nothing of the request was answered."""


class Connection:
    """One connection to a store, for one request at a time. Not thread-safe."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        #: What was received and not yet taken is between the two marks.
        self._room = bytearray(_PIECE)
        self._view = memoryview(self._room)
        self._start = self._end = 0
        #: Whether a request was answered on it before: only then can it have gone stale.
        self._used = False
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)

    def request(self, head: bytes, body: bytes, *, bodiless: bool = False) -> Answer:
        """Send a request, and read the head of its answer.

        Args:
            head: the request line and headers, with the empty line that ends them.
            body: what follows.
            bodiless: whether the answer has no body whatever its headers say, as to HEAD.

        Raises:
            StaleError: nothing came, on a connection that was used before.
            OSError: the connection broke, or stalled.
        """
        try:
            if len(body) <= _PIECE:
                self._send(head + body)
            else:
                self._send(head)
                self._send(body)
        except (BrokenPipeError, ConnectionResetError) as error:
            # The server may have answered before it had read the whole body, as with 403 or 413.
            if not select.select([self._socket], [], [], 1)[0]:
                raise self._lost() from error
        deadline = time.monotonic() + HEAD_TIME
        for _ in range(_INTERIM + 1):
            status, headers = self._head(deadline)
            if status // 100 != 1:
                break
        else:
            raise BrokenError(f"more than {_INTERIM} responses with a status 1xx")
        self._used = True
        return Answer(self, status, headers, bodiless=bodiless or status in {204, 304})

    def is_dead(self) -> bool:
        """Whether the server has closed it, or said something that nobody asked for, since it was used.

        What nobody asked for would pass for the answer to the next request, hash and all.
        """
        return self._start != self._end or bool(self._poll.poll(0))

    def close(self) -> None:
        self._socket.close()

    def piece(self, most: int) -> memoryview:
        """The next bytes, up to `most`, as they come; none: the other side has ended.

        The view holds until the next call.
        """
        if self._start == self._end:
            self._start, self._end = 0, self._socket.recv_into(self._room)
        end = min(self._end, self._start + most)
        found = self._view[self._start : end]
        self._start = end
        return found

    def line(self) -> bytes:
        """Return the next line, without its end."""
        return self._until(b"\r\n", time.monotonic() + HEAD_TIME)

    def _send(self, data: bytes) -> None:
        # Not sendall: its time limit is for the whole, and a slow line would never get a large part through.
        sent = self._socket.send(data) if len(data) <= _PIECE else 0
        if sent == len(data):
            return
        view, watch = memoryview(data), Watch()
        while sent < len(data):
            count = self._socket.send(view[sent : sent + _PIECE])
            watch.moved(count)
            sent += count

    def _lost(self) -> BrokenError:
        return StaleError("closed") if self._used else BrokenError("the connection was closed before an answer")

    def _head(self, deadline: float) -> tuple[int, dict[str, str]]:
        return parse_head(self._until(b"\r\n\r\n", deadline))

    def _until(self, mark: bytes, deadline: float) -> bytes:
        """Return what comes before the mark, and take both."""
        looked_at = self._start
        while (found := self._room.find(mark, looked_at, self._end)) < 0:
            looked_at = max(self._start, self._end - len(mark) + 1)
            if self._end - self._start > _LONGEST_HEAD:
                raise BrokenError("the answer is no HTTP: a header without end")
            if time.monotonic() > deadline:
                raise StallError(f"the head of the response took longer than {HEAD_TIME:g} s")
            looked_at -= self._make_room()
            if not self._receive_more():
                raise self._lost() if self._start == self._end else BrokenError("the answer ended early")
        taken = bytes(self._view[self._start : found])
        self._start = found + len(mark)
        return taken

    def _receive_more(self) -> bool:
        try:
            count = self._socket.recv_into(self._view[self._end :])
        except ConnectionResetError:
            return False
        self._end += count
        return bool(count)

    def _make_room(self) -> int:
        """Move what is there to the beginning; by how much."""
        moved = self._start
        if moved:
            there = self._end - moved
            self._room[:there] = self._room[moved : self._end]
            self._start, self._end = 0, there
        return moved


class Answer:
    """What came back: the head is read, the body is read with `piece` or `read`. Close it, whatever happens."""

    def __init__(
        self, connection: Connection, status: int, headers: Mapping[str, str], *, bodiless: bool = False
    ) -> None:
        self.status = status
        #: By name in lower case.
        self.headers = headers
        #: Bytes of the body, if the server said so before.
        self.length = length_of(headers)
        #: Called once, when it is closed, with whether the connection can be used again.
        self.released: Callable[[Connection, bool], object] = lambda used, _usable: used.close()
        self._connection = connection
        self._watch: Watch | None = None
        self._chunked = is_chunked(headers)
        #: Bytes until the end of the body, or of the chunk; negative: until the connection ends.
        self._left = 0 if bodiless or self._chunked else -1 if self.length is None else self.length
        self._ended = not self._left and not (self._chunked and not bodiless)
        self._first_chunk = True
        self._closed = False

    def piece(self) -> memoryview:
        """The next bytes of the body, as they come; none: it is whole. The view holds until the next call.

        Raises:
            BrokenError: it ended before it was whole.
            OSError: the connection broke, or stalled.
        """
        if self._ended or (self._chunked and not self._left and not self._next_chunk()):
            return _NOTHING
        found = self._connection.piece(self._left if self._left >= 0 else _PIECE)
        if self._left < 0:
            self._ended = not found
        elif not found:
            raise BrokenError("the body ended early")
        else:
            self._left -= len(found)
            self._ended = not self._left and not self._chunked
        if not self._ended:
            self._watch = self._watch or Watch()
            self._watch.moved(len(found))
        return found

    def read(self) -> bytes:
        """Return the whole body, for those that are short.

        Raises:
            BrokenError: it is longer than any that S3 sends, or ended before it was whole.
            OSError: the connection broke, or stalled.
        """
        body = bytearray()
        while found := self.piece():
            body += found
            if len(body) > _LONGEST_BODY:
                raise BrokenError(f"the body is longer than {_LONGEST_BODY} bytes")
        return bytes(body)

    def be_patient(self) -> None:
        """Wait for as long as something comes: a store may send white space for minutes before it is done.

        As S3 does while it completes an upload
        (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
        """
        self._watch = Patience()

    def close(self) -> None:
        """Give the connection back, if the body was read to its end and both sides want to go on; else end it."""
        if self._closed:
            return
        self._closed = True
        ends = "close" in self.headers.get("connection", "").lower() or self.headers[""] == "HTTP/1.0"
        self.released(self._connection, self._ended and not ends and self._left >= 0)

    def _next_chunk(self) -> bool:
        """Read up to the next chunk; False: that was the last."""
        if not self._first_chunk and self._connection.line():
            raise BrokenError("bytes follow a chunk where its end should be")
        self._first_chunk = False
        size = self._connection.line().partition(b";")[0]
        if not _CHUNK_SIZE.fullmatch(size):
            raise BrokenError(f"no chunk begins with {size[:20]!r}")
        self._left = int(size, 16)
        if self._left:
            return True
        trailers = 0
        while self._connection.line():
            trailers += 1
            if trailers > _MOST_TRAILERS:
                raise BrokenError(f"more than {_MOST_TRAILERS} lines follow the last chunk")
        self._ended = True
        return False
