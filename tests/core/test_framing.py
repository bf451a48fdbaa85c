"""The framing of HTTP/1.1, against a peer that writes what a test says, cut into pieces anywhere."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from core.storage._engine import run
from core.storage._http import connection as module
from core.storage._http import framing, watch
from core.storage._http.connection import Connection
from core.storage._http.faults import BrokenError, StaleError, StallError

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
bodies = st.binary(max_size=5000)
cuts = st.lists(st.integers(1, 400), max_size=30)


class Waiting:
    """A connection of the event loop, for a test that waits for each step."""

    def __init__(self, near: socket.socket) -> None:
        self._connection = run(self._made(near))

    async def _made(self, near: socket.socket) -> Connection:
        return Connection(near)

    def request(self, head: bytes, body: bytes, *, bodiless: bool = False) -> WaitingResponse:
        async def response() -> framing.Response:
            head_of = await self._connection.request(head, body)
            return framing.Response(self._connection, *head_of, bodiless=bodiless)

        return WaitingResponse(run(response()))

    def is_dead(self) -> bool:
        return self._connection.is_dead()

    def close(self) -> None:
        async def close() -> None:
            self._connection.close()

        run(close())


class WaitingResponse:
    """A response on such a connection."""

    def __init__(self, response: framing.Response) -> None:
        self._response = response
        self.status = response.status
        self.length = response.length
        self.be_patient = response.be_patient

    def released(self, released: list[bool]) -> None:
        """Note whether the connection can be used again."""
        self._response.released = lambda _used, usable: released.append(usable)

    def piece(self) -> bytes:
        return bytes(run(self._response.piece()))

    def read(self) -> bytes:
        return run(self._response.read())

    def into(self, size: int) -> bytes:
        buffer = memoryview(bytearray(size))
        return bytes(buffer[: run(self._response.into(buffer))])

    def close(self) -> None:
        async def close() -> None:
            self._response.close()

        run(close())


@contextmanager
def responding(response: bytes, pieces: list[int] | None = None) -> Iterator[Waiting]:
    """Connect to a peer that responds with these bytes, in pieces of these sizes, and closes."""
    near, far = socket.socketpair()

    def serve() -> None:
        left = response
        with suppress(OSError):  # the test has seen enough
            for size in [*(pieces or []), len(response)]:
                far.sendall(left[:size])
                left = left[size:]
            far.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    connection = Waiting(near)
    try:
        yield connection
    finally:
        connection.close()
        thread.join()
        far.close()


def framed(body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), more, body)


def chunked(body: bytes, sizes: list[int]) -> bytes:
    made, left = b"", body
    for size in [*sizes, len(body)]:
        if piece := left[:size]:
            made += b"%x;name=value\r\n%b\r\n" % (len(piece), piece)
        left = left[size:]
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + made + b"0\r\nTrailer: x\r\n\r\n"


@settings(deadline=None)
@given(body=bodies, pieces=cuts)
def test_a_body_with_a_length_arrives_however_it_is_cut(body, pieces):
    with responding(framed(body), pieces) as connection:
        response = connection.request(HEAD, b"")
        assert (response.status, response.length, response.read()) == (200, len(body), body)


@settings(deadline=None)
@given(body=bodies, sizes=cuts, pieces=cuts)
def test_a_body_in_chunks_arrives_however_it_is_cut(body, sizes, pieces):
    with responding(chunked(body, sizes), pieces) as connection:
        response = connection.request(HEAD, b"")
        assert (response.length, response.read()) == (None, body)


@settings(deadline=None)
@given(
    body=bodies.filter(bool), cut=st.integers(1, 5000), kind=st.sampled_from([framed, lambda b: chunked(b, [7])])
)
def test_a_body_that_ends_early_never_counts_as_complete(body, cut, kind):
    whole = kind(body)
    short = whole[: -min(cut, len(whole) - 1)]
    with responding(short) as connection, pytest.raises(BrokenError):
        connection.request(HEAD, b"").read()


def test_responses_follow_each_other_on_one_connection():
    released: list[bool] = []
    with responding(framed(b"one") + chunked(b"two", []) + framed(b"three")) as connection:
        for expected in (b"one", b"two", b"three"):
            response = connection.request(HEAD, b"")
            response.released(released)
            assert response.read() == expected
            response.close()
            response.close()
    assert released == [True, True, True]


@pytest.mark.parametrize(
    "response",
    [
        framed(b"x", b"Connection: close\r\n"),
        framed(b"x").replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"HTTP/1.1 200 OK\r\n\r\nx",
    ],
    ids=["close", "old", "unframed"],
)
def test_a_connection_that_ends_with_its_response_is_not_kept(response):
    released: list[bool] = []
    with responding(response) as connection:
        got = connection.request(HEAD, b"")
        got.released(released)
        assert got.read() == b"x"
        got.close()
    assert released == [False]


@pytest.mark.parametrize("together", [True, False])
def test_a_connection_on_which_more_came_than_was_asked_for_is_not_used_again(together):
    twice = framed(b"one") * 2
    near, far = socket.socketpair()
    connection = Waiting(near)
    far.sendall(twice if together else framed(b"one"))
    assert connection.request(HEAD, b"").read() == b"one"
    if not together:
        assert not connection.is_dead()
        far.sendall(framed(b"one"))
    assert connection.is_dead()
    connection.close()
    far.close()


def test_a_connection_whose_response_is_not_read_to_its_end_is_not_kept():
    released: list[bool] = []
    with responding(framed(b"much")) as connection:
        got = connection.request(HEAD, b"")
        got.released(released)
        got.close()
    assert released == [False]


@pytest.mark.parametrize("status", [204, 304])
def test_an_response_that_has_no_body_ends_at_once(status):
    with responding(b"HTTP/1.1 %d x\r\nContent-Length: 7\r\n\r\n" % status) as connection:
        assert connection.request(HEAD, b"").read() == b""
    with responding(framed(b"1234567")) as connection:
        assert connection.request(HEAD, b"", bodiless=True).read() == b""


def test_what_comes_before_the_response_is_passed_over():
    with responding(b"HTTP/1.1 100 Continue\r\n\r\n" + framed(b"x")) as connection:
        assert connection.request(HEAD, b"").read() == b"x"


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nConte"])
def test_a_head_that_ends_early_is_an_error(response):
    with responding(response) as connection, pytest.raises(BrokenError) as caught:
        connection.request(HEAD, b"")
    assert not isinstance(caught.value, StaleError)


def test_a_connection_closed_while_idle_is_distinguished_from_a_broken_one():
    with responding(framed(b"x")) as connection:
        connection.request(HEAD, b"").read()
        with pytest.raises(StaleError):
            connection.request(HEAD, b"")


@pytest.mark.parametrize("response", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 200_000])
def test_what_is_no_http_is_refused(response):
    with responding(response) as connection, pytest.raises(BrokenError, match="not HTTP"):
        connection.request(HEAD, b"")


@pytest.mark.parametrize("size", [b"", b"xyz", b"-1"])
def test_what_is_no_chunk_is_refused(size):
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nabc"
    with responding(response) as connection, pytest.raises(BrokenError):
        connection.request(HEAD, b"").read()


def test_a_refusal_that_comes_before_the_body_was_sent_is_heard():
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    far.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    far.shutdown(socket.SHUT_RD)
    connection = Waiting(near)
    response = connection.request(HEAD, b"x" * 10_000_000)
    assert (response.status, response.read()) == (403, b"no")
    connection.close()
    far.close()


@pytest.mark.parametrize("changes", [True, False])
def test_a_cancellation_waits_for_the_response_to_a_request_that_changes_something(changes):
    near, far = socket.socketpair()

    async def cancelled() -> bool:
        connection = Connection(near)
        task = asyncio.create_task(connection.request(HEAD, b"", changes=changes))
        await asyncio.to_thread(far.recv, 1)
        task.cancel()
        await asyncio.sleep(0.1)
        waited = not task.done()
        far.sendall(framed(b"x"))
        await asyncio.wait([task])
        connection.close()
        return waited and task.cancelled()

    assert run(cancelled()) == changes
    far.close()


def test_a_slow_transfer_is_ended(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watch, "now", lambda: now[0])
    monkeypatch.setattr(module, "PIECE", 64)
    with responding(framed(b"x" * 1000)) as connection:
        response = connection.request(HEAD, b"")

        def read_slowly() -> None:
            while response.piece():
                now[0] += 10  # a few bytes every ten seconds: no single wait is too long

        with pytest.raises(StallError):
            read_slowly()


def test_a_slow_transfer_that_moves_enough_is_not_given_up(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watch, "now", lambda: now[0])
    body = b"x" * (watch.LEAST * 20)
    with responding(framed(body)) as connection:
        response = connection.request(HEAD, b"")
        got = 0
        while piece := response.piece():
            got += len(piece)
            now[0] += watch.WINDOW * len(piece) / watch.LEAST * 0.9
        assert got == len(body)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 2000 OK\r\nContent-Length: 1",
        b"HTTP/1.1 20 OK\r\nContent-Length: 1",
        b"HTTP/1.1 2x0 OK\r\nContent-Length: 1",
        b"HTTP/1.1 200OK\r\nContent-Length: 1",
        b"HTTP/2 200 OK\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: b\nc: d",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: b\rc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: b\0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: b\r\n continued",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nno header",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: a\r\nETag: b",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(head):
    with responding(head + b"\r\n\r\nx") as connection, pytest.raises(BrokenError):
        connection.request(HEAD, b"")


@pytest.mark.parametrize(
    "body",
    [b"1\r\nxy\r\n0\r\n\r\n", b"1\r\nx0\r\n\r\n", b"0\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"1" * 20 + b"\r\nx"],
    ids=["bytes after a chunk", "no end of a chunk", "trailers without end", "a chunk of any size"],
)
def test_chunks_that_can_be_read_in_two_ways_are_refused(body):
    with responding(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body) as connection:
        response = connection.request(HEAD, b"")
        with pytest.raises(BrokenError):
            response.read()


def test_interim_responses_end(monkeypatch):
    monkeypatch.setattr(module, "_INTERIM", 3)
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    with responding(interim * 3 + framed(b"x")) as connection:
        assert connection.request(HEAD, b"").read() == b"x"
    with responding(interim * 4 + framed(b"x")) as connection, pytest.raises(BrokenError, match="status 1xx"):
        connection.request(HEAD, b"")


def test_a_slow_response_head_is_ended(monkeypatch):
    now = iter(range(0, 10**6, 20))
    monkeypatch.setattr(module, "HEAD_TIME", 10)
    monkeypatch.setattr(watch, "now", lambda: next(now))
    with (
        responding(framed(b"x"), [1] * 40) as connection,
        pytest.raises(StallError, match="took longer than 10 s"),
    ):
        connection.request(HEAD, b"")


def test_a_body_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(framing, "_LONGEST_BODY", 1000)
    with responding(framed(b"x" * 1001)) as connection:
        response = connection.request(HEAD, b"")
        with pytest.raises(BrokenError, match="longer than 1000 bytes"):
            response.read()


def test_white_space_that_keeps_a_response_alive_is_waited_for(monkeypatch):
    """As S3 sends it for minutes while it completes an upload."""
    now = iter(range(0, 10**6, 20))
    monkeypatch.setattr(module, "PIECE", 64)
    monkeypatch.setattr(watch, "now", lambda: next(now))
    for patient in (True, False):
        with responding(framed(b" " * 1000 + b"<a/>")) as connection:
            response = connection.request(HEAD, b"")
            if patient:
                response.be_patient()
                assert response.read().strip() == b"<a/>"
            else:
                with pytest.raises(StallError):
                    response.read()


#: Lines of a response, right and wrong, that generated responses are made of.
_LINES = st.sampled_from(
    [
        b"Content-Length: 3",
        b"Content-Length: 4",
        b"content-length: 3",
        b"Content-Length: 03",
        b"Content-Length: 3, 3",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked",
        b"Transfer-Encoding: identity",
        b"Connection: close",
        b"X: y",
        b"X : y",
        b" folded",
        b"",
        b"X: \xff",
    ]
)
_BODIES = st.sampled_from(
    [b"", b"ab", b"abc", b"abcd", b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n", b"3\nabc\n0\n\n"]
)
_STATUSES = st.sampled_from(
    # Not 204, which has no body (RFC 9112, 6.3): urllib3 reads one if the headers say so.
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 404 No", b"HTTP/1.1 2000"]
)


def read_by_urllib3(response: bytes) -> bytes | None:
    """Return the body as urllib3 reads it, or None if it refuses the response."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(response)
        far.shutdown(socket.SHUT_WR)
        connection = urllib3.connection.HTTPConnection("x")
        connection.sock = near
        try:
            connection.request("GET", "/", preload_content=True)
            return bytes(connection.getresponse().data)
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError):
            return None


@settings(deadline=None)
@given(status=_STATUSES, lines=st.lists(_LINES, max_size=3), body=_BODIES)
def test_a_response_is_read_as_urllib3_reads_it_or_refused(status, lines, body):
    response = b"\r\n".join([status, *lines, b"", b""]) + body
    with responding(response) as connection:
        try:
            found = connection.request(HEAD, b"").read()
        except OSError:
            return
    assert found == read_by_urllib3(response)


@settings(deadline=None)
@given(body=bodies, sizes=cuts, pieces=cuts, room=st.integers(1, 4000), in_chunks=st.booleans())
def test_a_body_fills_buffers_however_it_is_cut(body, sizes, pieces, room, in_chunks):
    with responding(chunked(body, sizes) if in_chunks else framed(body), pieces) as connection:
        response = connection.request(HEAD, b"")
        found = b""
        while piece := response.into(room):
            found += piece
        assert found == body
