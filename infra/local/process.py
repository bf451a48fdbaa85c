"""Detached processes, identified by their process ID and start time: a system uses process IDs again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

_POLL = 0.02  # seconds
_KILL_TIMEOUT = 5.0  # seconds

# Waits for a line on standard input before it runs the program, and exits if the input ends before that.
_LAUNCHER = 'read -r go && exec "$@" </dev/null'


@dataclass(frozen=True)
class Process:
    """A process ID with its start time, in the system's format."""

    pid: int
    began: str

    def is_alive(self) -> bool:
        """Return whether this process runs, rather than none or another one with its ID."""
        return start_time(self.pid) == self.began


def start_time(pid: int) -> str | None:
    """Return when the process started, in the system's format; None if it does not run or is a zombie."""
    return _from_proc(pid) if Path("/proc/self/stat").exists() else _from_ps(pid)


def _from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # After the name in parentheses (proc_pid_stat(5)): [0] the state, [17] the threads, [19] the start in ticks.
    fields = stat.rpartition(")")[2].split()
    # While other threads run, a zombie still has its ports and files.
    has_ended = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if has_ended else f"{boot} {fields[19]}"


def _from_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    environ = {**os.environ, "LC_ALL": "C"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    state, _, started = result.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    record: Callable[[Process], None],
) -> Process:
    """Start a detached process: its own session, no terminal, umask 077, its output in `log`.

    The program runs only after `record` returned. If `record` raises, or this process is killed before that, the
    program never runs, so that no server runs without a record.

    Raises:
        OSError: the log cannot be written, or there is no shell.
    """
    with log.open("wb") as output:
        log.chmod(0o600)
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _LAUNCHER, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=dict(env),
            umask=0o077,
            start_new_session=True,
        )
    shell.returncode = 0  # it is not waited for, and Popen would warn that it still runs
    with cast("IO[bytes]", shell.stdin) as gate:
        began = start_time(shell.pid)
        if began is None:
            raise ChildProcessError(f"process {shell.pid} ended before its program started")
        process = Process(shell.pid, began)
        record(process)
        gate.write(b"go\n")
    return process


def terminate(process: Process, grace: float) -> bool:
    """End a process with SIGTERM, and after `grace` seconds with SIGKILL; return False if it did not run.

    No other process that got its ID is ever signalled.
    """
    if not process.is_alive():
        return False
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_TIMEOUT)):
        if process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
            deadline = time.monotonic() + seconds
            while process.is_alive() and time.monotonic() < deadline:
                time.sleep(_POLL)
    return True
