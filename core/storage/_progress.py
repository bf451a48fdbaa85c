"""The progress of a transfer, and the callback that receives it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from core.storage._engine import ENDED, Started
from core.storage._log import logger

_T = TypeVar("_T")


class Report:
    """The position of one transfer in bytes. It only grows, also when bytes are transferred twice."""

    def __init__(self, moved: Callable[[int], object] | None = None) -> None:
        """Call `moved` in the event loop with the number of bytes by which the position grew."""
        self.position = 0
        self._moved = moved

    def reached(self, position: int) -> None:
        """Record that the transfer is at `position`."""
        count = position - self.position
        if count > 0:
            self.position = position
            if self._moved is not None:
                self._moved(count)

    def advanced(self, count: int) -> None:
        """Record that further `count` bytes are transferred."""
        self.reached(self.position + count)


def guarded(callback: Callable[[Any], object] | None) -> Callable[[Any], object]:
    """Return a function that calls the callback until that raises an exception, which is logged once.

    A broken progress bar must not end a transfer of an hour.
    """

    def call(value: Any) -> None:
        nonlocal callback
        if callback is None:
            return
        try:
            callback(value)
        except Exception:  # noqa: BLE001  # the caller's function may raise anything
            callback = None
            logger.exception("the progress callback failed; the transfer goes on without it")

    return call


class Progress(Report):
    """A report that calls `callback` with new bytes, in the thread that waits for the transfer."""

    def __init__(self, callback: Callable[[int], object] | None) -> None:
        super().__init__(self._post if callback else None)
        self._callback = guarded(callback)
        self._started: Started[Any] | None = None
        self._delivered = 0
        #: Whether the waiting thread has a message that it has not received yet.
        self._posted = False

    def run(self, transfer: Coroutine[Any, Any, _T]) -> _T:
        """Run the transfer, which reports here, in the event loop."""
        with Started[_T]() as started:
            self._started = started
            started.start(transfer)
            while started.receive() is not ENDED:
                self._deliver()
            self._deliver()
            return started.result()

    def _post(self, _: int) -> None:
        if self._started and not self._posted:
            self._posted = True
            self._started.post(None)

    def _deliver(self) -> None:
        self._posted = False
        count = self.position - self._delivered
        if count:
            self._delivered += count
            self._callback(count)
