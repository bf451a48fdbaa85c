"""Detect a transfer that has stalled although bytes still move."""

from __future__ import annotations

import time

#: Seconds and bytes: a transfer that moves less than this in that time has stalled, however alive it looks.
WINDOW = 30.0
LEAST = 32 * 1024


class StallError(TimeoutError):
    """Bytes still move, but fewer than `LEAST` in `WINDOW` seconds."""


class Watch:
    """The bytes of one transfer: no single wait is long while it trickles, and it would never end."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._bytes = 0

    def moved(self, count: int) -> None:
        """Count bytes that were moved.

        Raises:
            StallError: they are too few.
        """
        self._bytes += count
        if self._bytes >= LEAST:
            self._since, self._bytes = time.monotonic(), 0
        elif time.monotonic() - self._since > WINDOW:
            raise StallError(f"fewer than {LEAST} bytes in {WINDOW:g} s")


class Patience(Watch):
    """A transfer that may trickle."""

    def moved(self, count: int) -> None:
        pass
