"""Detect a transfer that has stalled although bytes still arrive."""

from __future__ import annotations

import time

from core.storage._http.faults import StallError

#: The clock of all time limits of a connection, in seconds.
now = time.monotonic

#: The minimum rate of a transfer: `LEAST` bytes in `WINDOW` seconds.
WINDOW = 30.0
LEAST = 32 * 1024


class Watch:
    """The minimum rate of one transfer: the time limit of a single wait does not end a slow transfer."""

    def __init__(self) -> None:
        self._since = now()
        self._bytes = 0

    def moved(self, count: int) -> None:
        """Count bytes that were transferred; raise a `StallError` if they are too few."""
        self._bytes += count
        if self._bytes >= LEAST:
            self._since, self._bytes = now(), 0
        elif now() - self._since > WINDOW:
            raise StallError(f"fewer than {LEAST} bytes in {WINDOW:g} s")
