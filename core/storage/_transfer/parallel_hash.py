"""Hashing a large file while it is still being written, on another core."""

from __future__ import annotations

import os
from threading import Condition, Thread

from core.storage._transfer.checksums import Check

_PIECE = 1024 * 1024


class Follower:
    """Reads what was written to a file, as it grows, into the hash of a check.

    What is hashed is what the file holds, so that a fault on the way to the disk is seen too. `stop` ends it, and
    must be called; `finish` waits until all is hashed.
    """

    def __init__(self, descriptor: int, check: Check) -> None:
        self._descriptor = descriptor
        self._check = check
        self._changed = Condition()
        self._written = 0
        self._ended = False
        self._error: OSError | None = None
        self._thread = Thread(target=self._follow, name="mpr-hash", daemon=True)
        self._thread.start()

    def wrote(self, position: int) -> None:
        """The file holds that many bytes now."""
        # A whole piece wakes the other thread, and not each of the small ones that make it.
        whole = position // _PIECE > self._written // _PIECE
        self._written = position
        if whole:
            with self._changed:
                self._changed.notify()

    def finish(self) -> None:
        """Wait until everything that was written is hashed.

        Raises:
            OSError: the file could not be read.
        """
        self._end()
        if self._error:
            raise self._error

    def stop(self) -> None:
        """End it, however far it is."""
        with self._changed:
            self._written = 0
        self._end()

    def _end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _follow(self) -> None:
        room, hashed = memoryview(bytearray(_PIECE)), 0
        try:
            while (ready := self._ready(hashed)) > 0:
                count = os.preadv(self._descriptor, [room[: min(ready, _PIECE)]], hashed)
                self._check.hash.update(room[:count])
                hashed += count
        except OSError as error:
            self._error = error

    def _ready(self, hashed: int) -> int:
        """How much there is to hash; 0 or less: it is over."""
        with self._changed:
            while not self._ended and self._written - hashed < _PIECE:
                self._changed.wait()
            return self._written - hashed
