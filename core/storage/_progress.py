"""Reports of progress that cannot harm a transfer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from core.storage._engine import ENDED, Started, run
from core.storage._log import logger

_T = TypeVar("_T")


class Report(Protocol):
    """What a transfer reports to, in the event loop."""

    def reached(self, position: int) -> None:
        """Take note that the transfer stands at `position` bytes."""

    def advanced(self, count: int) -> None:
        """Take note that further `count` bytes are done."""


class Progress:
    """Calls `callback` with the number of bytes that newly arrived, in the thread that waits for the transfer.

    The numbers are positive and add up to the size of the object, also when a part of it is sent twice. A
    callback that raises is logged once and not called again: a broken progress bar is no reason to lose a
    transfer of an hour.
    """

    def __init__(self, callback: Callable[[int], object] | None) -> None:
        self._callback = callback
        self._position = 0
        self._reported = 0
        #: Whether the waiting thread is going to look at the position.
        self._posted = False
        self._post: Callable[[object], None] | None = None

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a transfer that reports here."""
        if self._callback is None:
            return run(coroutine)
        with Started[_T]() as started:
            self._post = started.post
            started.start(coroutine)
            while started.receive() is not ENDED:
                self._deliver()
            self._deliver()
            return started.result()

    def reached(self, position: int) -> None:
        """Take note that the transfer stands at `position` bytes; what was there before is not reported again."""
        if position > self._position:
            self._position = position
            if self._post and not self._posted:
                self._posted = True
                self._post(None)

    def advanced(self, count: int) -> None:
        """Take note that further `count` bytes are done."""
        self.reached(self._position + count)

    def _deliver(self) -> None:
        self._posted = False
        count = self._position - self._reported
        if not count or self._callback is None:
            return
        self._reported += count
        try:
            self._callback(count)
        except Exception:  # noqa: BLE001  # it is the caller's code: anything may come out of it
            self._callback = None
            logger().exception("the progress callback failed; the transfer goes on without it")
