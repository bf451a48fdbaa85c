"""The bytes of one connection, in the event loop: each wait ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from core.storage._http import limits, watch
from core.storage._http.watch import Watch

#: Bytes that are sent in one call of the system, and received ahead.
PIECE = 256 * 1024


class Stream:
    """A socket that blocks nothing, also with TLS.

    Not a transport of asyncio: that ends with an error of a write, and drops the response that a server sent
    before it closes the connection on a body that it does not want.
    """

    def __init__(self, connected: socket.socket) -> None:
        """Take over a connected socket."""
        connected.settimeout(0)
        self._loop = asyncio.get_running_loop()
        self._descriptor = connected.fileno()
        self._socket: Any = connected
        #: What a socket raises that has to wait.
        self._blocked: tuple[type[OSError], ...] = (BlockingIOError,)
        #: Why no more can be received.
        self._failure: OSError | None = None
        #: Counts the bytes of a body; none while a head is received.
        self.watch: Watch | None = None
        #: The wait that goes on, and the same if it is for bytes to receive.
        self._waiting: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        #: Whether the loop looks for what can be received. It stays so from one wait to the next.
        self._is_reading = False
        self._has_sent = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def secure(self, context: ssl.SSLContext, name: str) -> None:
        """Do the TLS handshake with the host of this name.

        Raises:
            OSError: it failed, also with `ssl.SSLError`.
        """
        self._socket = context.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
        self._blocked = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
        while True:
            try:
                self._socket.do_handshake()
            except ssl.SSLWantReadError:
                await self._wait()
            except ssl.SSLWantWriteError:
                await self._wait(writing=True)
            else:
                return

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of it.

        Raises:
            OSError: the connection broke, or stalled.
        """
        view, sent, moved = memoryview(data), 0, None
        while sent < len(data):
            try:
                count = self._socket.send(view[sent : sent + PIECE])
            except self._blocked:
                await self._wait(writing=True)
                continue
            sent += count
            if sent < len(data):
                moved = moved or Watch()
                moved.moved(count)
        self._has_sent = True

    async def receive(self, buffer: memoryview) -> int:
        """Receive some bytes; 0: no more will come. What it raises once, it raises from then on."""
        if self._failure is not None:
            raise self._failure
        try:
            if self._has_sent:  # no response is there at once: to look for it first costs a call of the system
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

    def has_input(self) -> bool:
        """Whether something came, or the other side has ended. With TLS: any bytes at all."""
        try:
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    async def input_within(self, seconds: float) -> bool:
        """Wait until something comes or the other side ends; whether that happened in this time."""
        try:
            async with asyncio.timeout(seconds):
                await self._wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """End it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._descriptor = -1
        self._socket.close()

    async def _wait(self, *, writing: bool = False) -> None:
        """Wait until bytes can be received, or sent.

        Raises:
            TimeoutError: none could for `limits.READ_TIMEOUT` seconds.
        """
        waiter = self._loop.create_future()
        if writing:
            self._loop.add_writer(self._descriptor, _wake, waiter)
        else:
            self._waiter = waiter
            if not self._is_reading:
                self._loop.add_reader(self._descriptor, self._readable)
                self._is_reading = True
        self._deadline = watch.now() + limits.READ_TIMEOUT
        if self._timer is None:
            self._timer = self._loop.call_later(limits.READ_TIMEOUT, self._expire)
        self._waiting = waiter
        try:
            await waiter
        finally:
            self._waiter = self._waiting = None
            if writing and self._descriptor >= 0:
                self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        if self._waiter is None:  # what came is taken later, and until then it would be reported without end
            self._loop.remove_reader(self._descriptor)
            self._is_reading = False
        else:
            _wake(self._waiter)

    def _expire(self) -> None:
        """End a wait that took too long. One timer serves many waits."""
        self._timer = None
        if self._waiting is None or self._waiting.done():
            return
        left = self._deadline - watch.now()
        if left > 0:
            self._timer = self._loop.call_later(left, self._expire)
        else:
            self._waiting.set_exception(TimeoutError(f"no byte for {limits.READ_TIMEOUT:g} s"))


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
