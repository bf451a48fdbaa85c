"""Detect a transfer that has stalled although bytes still move."""

from __future__ import annotations

import time

from core.storage._http.faults import StallError

#: The clock of all time limits of a connection, in seconds.
now = time.monotonic

#: Seconds and bytes: a transfer that moves less than this in that time has stalled, however alive it looks.
WINDOW = 30.0
LEAST = 32 * 1024


class Watch:
    """The bytes of one transfer: no single wait is long while it trickles, and it would never end."""

    def __init__(self) -> None:
        self._since = now()
        self._bytes = 0

    def moved(self, count: int) -> None:
        """Count bytes that were moved.

        Raises:
            StallError: they are too few.
        """
        self._bytes += count
        if self._bytes >= LEAST:
            self._since, self._bytes = now(), 0
        elif now() - self._since > WINDOW:
            raise StallError(f"fewer than {LEAST} bytes in {WINDOW:g} s")


class Patience(Watch):
    """A transfer that may trickle."""

    def moved(self, count: int) -> None:
        pass
