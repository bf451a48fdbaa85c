"""The output of `pulumi`, which is read to its end also if nothing reads that of this process any more.

A program that writes to a pipe is killed by SIGPIPE when its reader ends, as with `| head`. `pulumi` would then
leave resources that its state does not have.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

#: The second `cat` reads on when the first one was killed by SIGPIPE. Both read on if this process is killed.
_COPY = "cat; exec cat >/dev/null"
_TO_END = 5.0  # seconds in which the rest is copied: a process of the program may keep the pipe open


@contextmanager
def relayed(descriptor: int) -> Iterator[int | IO[bytes]]:
    """Yield what takes the output of a program for a file descriptor: that itself, unless it is a pipe."""
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        yield descriptor
        return
    copy = subprocess.Popen(
        ["/bin/sh", "-c", _COPY], stdin=subprocess.PIPE, stdout=descriptor, start_new_session=True
    )
    assert copy.stdin  # noqa: S101  # for mypy: it is a pipe
    try:
        yield copy.stdin
    finally:
        copy.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            copy.wait(_TO_END)
