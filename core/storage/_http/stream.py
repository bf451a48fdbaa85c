"""A socket in the event loop, whose every wait has a time limit."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from core.storage._http import limits, watch
from core.storage._http.watch import Watch

#: Bytes that are sent in one system call, and received ahead.
PIECE = 256 * 1024


class Stream:
    """A non-blocking socket, with or without TLS.

    Not a transport of asyncio: after a failed write, that drops the response that a server sent before it closed
    the connection because of an unwanted body.
    """

    def __init__(self, connected: socket.socket) -> None:
        """Take over a connected socket."""
        connected.settimeout(0)
        self._loop = asyncio.get_running_loop()
        self._descriptor = connected.fileno()
        self._socket: Any = connected
        #: What the socket raises instead of blocking.
        self._blocked: tuple[type[OSError], ...] = (BlockingIOError,)
        #: Why no more can be received.
        self._failure: OSError | None = None
        #: Counts the bytes of a body, for a minimum rate; None while a head is received.
        self.watch: Watch | None = None
        #: The current wait, and whether it is for sending.
        self._waiter: asyncio.Future[None] | None = None
        self._is_sending = False
        #: Whether the loop watches for bytes to receive. It does so from one wait to the next.
        self._has_reader = False
        self._has_sent = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def secure(self, context: ssl.SSLContext, name: str) -> None:
        """Do the TLS handshake with the host of this name; raise an `OSError` if it fails."""
        self._socket = context.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
        self._blocked = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
        while True:
            try:
                self._socket.do_handshake()
            except ssl.SSLWantReadError:
                await self._wait()
            except ssl.SSLWantWriteError:
                await self._wait(sending=True)
            else:
                return

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of the data; raise an `OSError` if the connection breaks or stalls."""
        view, sent, counter = memoryview(data), 0, None
        while sent < len(data):
            try:
                count = self._socket.send(view[sent : sent + PIECE])
            except self._blocked:
                await self._wait(sending=True)
                continue
            sent += count
            if sent < len(data):
                counter = counter or Watch()
                counter.moved(count)
        self._has_sent = True

    async def receive(self, buffer: memoryview) -> int:
        """Receive some bytes; return 0 at the end. After an error, every call raises it again."""
        if self._failure is not None:
            raise self._failure
        try:
            if self._has_sent:  # no response can be there yet: an attempt would cost a system call
                self._has_sent = False
                await self._wait()
            while True:
                try:
                    count: int = self._socket.recv_into(buffer)
                except self._blocked:
                    await self._wait()
                    continue
                if self.watch is not None:
                    self.watch.moved(count)
                return count
        except OSError as error:
            self._failure = error
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor >= 0 and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)
            self._descriptor = -1
        self._socket.close()

    async def _wait(self, *, sending: bool = False) -> None:
        """Wait until bytes can be received or sent; raise a `TimeoutError` after `limits.READ_TIMEOUT` seconds."""
        waiter = self._loop.create_future()
        if sending:
            self._loop.add_writer(self._descriptor, _wake, waiter)
        elif not self._has_reader:
            self._loop.add_reader(self._descriptor, self._readable)
            self._has_reader = True
        self._deadline = watch.now() + limits.READ_TIMEOUT
        if self._timer is None:
            self._timer = self._loop.call_later(limits.READ_TIMEOUT, self._expire)
        self._waiter, self._is_sending = waiter, sending
        try:
            await waiter
        finally:
            self._waiter = None
            if sending and self._descriptor >= 0:
                self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        if self._waiter is None or self._is_sending:  # the loop would call this again and again until a receive
            self._loop.remove_reader(self._descriptor)
            self._has_reader = False
        else:
            _wake(self._waiter)

    def _expire(self) -> None:
        """End a wait that took too long. One timer serves many waits, because a timer for each costs more."""
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        left = self._deadline - watch.now()
        if left > 0:
            self._timer = self._loop.call_later(left, self._expire)
        else:
            self._waiter.set_exception(TimeoutError(f"no byte for {limits.READ_TIMEOUT:g} s"))


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
