"""Reports of progress that cannot harm a transfer."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from core.storage._log import logger


class Report(Protocol):
    """Who is told how far a transfer has come."""

    def reached(self, position: int) -> None:
        """The transfer stands at `position` bytes."""

    def advanced(self, count: int) -> None:
        """A further `count` bytes are done."""


class Progress:
    """Calls `callback` with the number of bytes that newly arrived, from one thread at a time.

    The numbers are positive and add up to the size of the object, also when a part of it is sent twice. A
    callback that raises is logged once and not called again: a broken progress bar is no reason to lose a
    transfer of an hour.
    """

    def __init__(self, callback: Callable[[int], object] | None) -> None:
        self._callback = callback
        self._reached = 0
        self._lock = Lock()

    def reached(self, position: int) -> None:
        """The transfer stands at `position` bytes; what was reported before is not reported again."""
        with self._lock:
            if position > self._reached:
                self._report(position - self._reached)
                self._reached = position

    def advanced(self, count: int) -> None:
        """A further `count` bytes are done."""
        with self._lock:
            self._reached += count
            if count:
                self._report(count)

    def _report(self, count: int) -> None:
        if self._callback is None:
            return
        try:
            self._callback(count)
        except Exception:  # noqa: BLE001  # it is the caller's code: anything may come out of it
            self._callback = None
            logger().exception("the progress callback failed; the transfer goes on without it")
