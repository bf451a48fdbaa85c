"""Pass the output of a started program on, also when nothing reads it any more.

A program that inherits a pipe is killed by SIGPIPE when its reader ends, as with `| head`. `pulumi` would then
leave resources that its state does not have.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import IO, TextIO

_TO_END = 5.0  # seconds in which the rest of the output is read: a process of the program may keep the pipe open


def destination(stream: TextIO) -> int | None:
    """Return the value of Popen's `stdout` or `stderr`: a terminal is inherited, because it is never a pipe."""
    return None if stream.isatty() else subprocess.PIPE


@contextmanager
def relayed(*pipes: tuple[IO[str] | None, TextIO]) -> Iterator[None]:
    """Copy each pipe to its stream, line by line, until the program has closed it."""
    threads = [Thread(target=_copy, args=pipe, daemon=True) for pipe in pipes if pipe[0]]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(_TO_END)


def _copy(pipe: IO[str], stream: TextIO) -> None:
    with pipe:
        for line in pipe:
            with suppress(OSError, ValueError):  # its reader has ended; ValueError: the stream is closed
                stream.write(line)
                stream.flush()
