"""Processes that outlive the command that started them, told apart from later ones that got the same number."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL = 0.02  # seconds
_DEATH = 5.0  # seconds that the system may take to clear a killed process away

# The shell leaves at once, so that the server belongs to nobody's job list and becomes nobody's zombie; the server
# itself waits behind the gate (descriptor 3) until it is on record, and never runs if the gate closes before that.
_LAUNCHER = 'exec 3<&0; { read -r go <&3 && exec "$@" </dev/null 3<&-; } >&2 & echo $!'


@dataclass(frozen=True)
class Process:
    """A process for good: its number, and the moment that it began, as the system writes it."""

    pid: int
    began: str

    def is_alive(self) -> bool:
        """Whether this very process runs, rather than none or a later one with its number."""
        return beginning(self.pid) == self.began


def beginning(pid: int) -> str | None:
    """When process `pid` began, in the system's own words; None when there is none, or it is a zombie."""
    if Path("/proc/self/stat").exists():
        return _beginning_by_proc(pid)
    return _beginning_by_ps(pid)


def _beginning_by_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything. Then: the state, 17 on the threads, 19 on the ticks since boot.
    fields = stat.rpartition(")")[2].split()
    # A process ends with its last thread. Its first may be a zombie before, with ports and files still held.
    is_over = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if is_over else f"{boot} {fields[19]}"


def _beginning_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    state, _, began = found.stdout.strip().partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    record: Callable[[Process], None],
) -> Process:
    """Start a detached process: its own session, no terminal, umask 077, its output in `log`.

    `record` is called before the program runs. Should this process die or `record` raise by then, it never runs:
    there is no moment at which a server runs that is not on record.

    Raises:
        OSError: the log cannot be written, or there is no shell.
    """
    with log.open("wb") as output:
        log.chmod(0o600)
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _LAUNCHER, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=cwd,
            env=dict(env),
            umask=0o077,
            start_new_session=True,
        )
    with shell:
        return _open_gate(shell, record)


def _open_gate(shell: subprocess.Popen[bytes], record: Callable[[Process], None]) -> Process:
    if shell.stdin is None or shell.stdout is None:
        raise OSError("the launcher has no pipes")
    pid = int(shell.stdout.readline())
    began = beginning(pid)
    if began is None:
        raise ChildProcessError(f"process {pid} ended before it began")
    process = Process(pid, began)
    record(process)
    shell.stdin.write(b"go\n")
    shell.stdin.flush()
    return process


def terminate(process: Process, grace: float) -> bool:
    """End a process: SIGTERM, and SIGKILL when `grace` seconds were not enough. False if it did not run.

    Only this very process is signalled, never a later one with its number.
    """
    if not process.is_alive():
        return False
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, _DEATH)):
        if process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
            _wait_for_end(process, seconds)
    return True


def _wait_for_end(process: Process, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(_POLL)
