"""What ends a command: Ctrl-C, SIGTERM and SIGHUP, each as KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_TERMINATION = (signal.SIGTERM, signal.SIGHUP)


def handle_termination() -> None:
    """Handle SIGTERM and SIGHUP as Ctrl-C: temporary files are removed, and `pulumi` ends before this process."""
    for number in _TERMINATION:
        if signal.getsignal(number) == signal.SIG_DFL:  # `nohup` ignores SIGHUP
            signal.signal(number, _interrupt)


def ignore_termination() -> None:
    """Ignore SIGTERM and SIGHUP from now on: the command has ended, and its exit code must not change."""
    for number in _TERMINATION:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def deferred() -> Iterator[None]:
    """Have an interruption wait for the end of the block: what the block requests must not be left half done.

    Has no effect outside of the main thread, where no signal is handled.

    Raises:
        KeyboardInterrupt: at the end of the block, if the process was interrupted meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *_TERMINATION)}
    handled = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handled:
        signal.signal(number, lambda number, _frame: received.append(number))
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
        if received:
            raise KeyboardInterrupt


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
