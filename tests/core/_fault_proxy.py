"""A TCP proxy before a real store that harms connections: what a bad network does once a month, at will.

Each new connection takes the next fault of the schedule; when that is used up, connections are left alone.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

_PIECE = 16 * 1024


@dataclass(frozen=True)
class Fault:
    """What happens to one connection after `at` bytes in one direction."""

    #: ``cut``: it ends; ``reset``: it is torn down; ``stall``: nothing moves any more; ``slow``: a byte at a
    #: time for a while; ``flip``: one bit changes; ``duplicate``: a piece comes twice.
    kind: Literal["cut", "reset", "stall", "slow", "flip", "duplicate"]
    at: int = 0
    #: Whether the bytes counted and harmed are those of the store's response, or of the request.
    response: bool = True


class FaultProxy:
    """Listens on loopback and passes everything on to the store."""

    def __init__(self, host: str, port: int) -> None:
        self._store = (host, port)
        self.schedule: deque[Fault] = deque()
        #: Connections that came.
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the wait for the next connection
        self._listener.close()
        self._closed = True
        self.drop_all()

    def drop_all(self) -> None:
        """Close every open connection, as a store does that is restarted."""
        with self._lock:
            there, self._open = self._open, set()
        for one in there:
            _end(one)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self.schedule.popleft() if self.schedule else None
            far = socket.create_connection(self._store)
            with self._lock:
                self._open |= {near, far}
            if self._closed:  # while this one was being made
                self.drop_all()
            pair = _Pair(near, far, fault)
            for source, target, responses in ((near, far, False), (far, near, True)):
                pump = partial(pair.pump, source, target, responses=responses)
                threading.Thread(target=pump, daemon=True).start()


@dataclass(frozen=True)
class _Pair:
    near: socket.socket
    far: socket.socket
    fault: Fault | None

    def pump(self, source: socket.socket, target: socket.socket, *, responses: bool) -> None:
        mine = self.fault if self.fault and self.fault.response == responses else None
        left = mine.at if mine else None
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                if mine is None or left is None or len(piece) <= left:
                    target.sendall(piece)
                    left = None if left is None else left - len(piece)
                    continue
                target.sendall(piece[:left])
                if not self._harm(mine, target, piece[left:]):
                    return
                left = None
        self._end()

    def _harm(self, fault: Fault, target: socket.socket, rest: bytes) -> bool:
        """Whether the connection goes on after it."""
        if fault.kind == "stall":
            time.sleep(3)
        elif fault.kind == "slow":
            for index in range(min(20, len(rest))):
                target.sendall(rest[index : index + 1])
                time.sleep(0.002)
            target.sendall(rest[20:])
            return True
        elif fault.kind == "flip":
            target.sendall(bytes([rest[0] ^ 1]) + rest[1:])
            return True
        elif fault.kind == "duplicate":
            target.sendall(rest + rest)
            return True
        elif fault.kind == "reset":
            for one in (self.near, self.far):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end()
        return False

    def _end(self) -> None:
        for one in (self.near, self.far):
            _end(one)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
