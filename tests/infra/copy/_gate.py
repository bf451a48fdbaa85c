"""A TCP proxy before a store: another address of it, whose connections can be held after some bytes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

_PIECE = 16 * 1024


class Gate:
    """Listens on loopback. A connection that has carried `limit` bytes of requests stands until `open` is set."""

    def __init__(self, endpoint: str, limit: int | None = None) -> None:
        url = urlsplit(endpoint)
        self._store = (url.hostname or "", url.port or 0)
        self._limit = limit
        #: Some connection stands.
        self.reached = threading.Event()
        self.open = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Refuse new connections and end those that stand: the store is gone, seen from here."""
        for end in (self._listener, *self._sockets):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.open.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._store)
                self._sockets |= {near, far}
                for source, target, limit in ((near, far, self._limit), (far, near, None)):
                    threading.Thread(target=self._pump, args=(source, target, limit), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                passed += len(piece)
                if limit is not None and passed > limit:
                    self.reached.set()
                    self.open.wait()
                target.sendall(piece)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
