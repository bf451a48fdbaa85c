"""The embedded store: started, stopped and removed. Safe to call from several processes at once."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.errors import InfraError
from infra.local import _disk, _health, _keys, _lock, _ports, _process, _server, _state
from infra.local._keys import AdminKey
from infra.local._layout import Layout, local_folder
from infra.local._state import State
from infra.local.running import EmbeddedStore, described, find

__all__ = ["EmbeddedStore", "find", "remove", "start", "stop"]

#: Seconds for a graceful end, which takes one to three. Now and then SeaweedFS waits half a minute longer for one
#: of its own connections, on which nothing was ever sent; by then all that it was given is in its files.
_GRACE = 6.0
#: Lines of the log that a message quotes.
_TAIL = 15
#: A port can be taken between the moment it was found free and the server's start.
_ATTEMPTS = 3
_PORT_TAKEN = "Port allocation failed"


def _silent(_message: str) -> None:
    """Nobody listens."""


def start(
    root: Path | None = None, *, wait: float = 30.0, report: Callable[[str], None] = _silent
) -> EmbeddedStore:
    """Start the store whose files are in `root`, or return the one that runs.

    The server is detached: it outlives the caller and its terminal. When this returns, signed requests succeed.
    Data, users, keys and, as far as they are free, ports are those of the last start. Of two starts at once, one
    starts the server and both return it. An interrupted start leaves no server behind.

    Args:
        root: by default the folder `.local` of the project.
        wait: seconds that the server may take until it answers.
        report: hears sentences about what happens, such as another port than the usual one.

    Raises:
        UsageError: SeaweedFS is not installed, or the folder cannot be written.
        InfraError: the disk is full, or the server did not start; the message ends with the end of its log.
    """
    running = find(root)
    if running is not None:
        return running
    layout = Layout(root or local_folder())
    weed = _server.program()
    _disk.prepare(layout)
    with _lock.exclusive(layout.lock):
        return find(root) or _adopt(layout, wait) or _start(layout, weed, wait, report)


def stop(root: Path | None = None) -> bool:
    """Stop the server gracefully, or by force after 6 seconds; the data stays. False if none ran.

    No process but the server itself is ever signalled, whatever the record says.
    """
    layout = Layout(root or local_folder())
    if not layout.lock.exists():
        return False
    with _lock.exclusive(layout.lock):
        return _end(_state.read(layout.state))


def remove(root: Path | None = None) -> None:
    """Stop the server and delete its data, users and keys: everything in `root/store`, and nothing else."""
    layout = Layout(root or local_folder())
    if not layout.lock.exists():
        return
    with _lock.exclusive(layout.lock):
        _end(_state.read(layout.state))
        shutil.rmtree(layout.folder)


def _adopt(layout: Layout, wait: float) -> EmbeddedStore | None:
    """The server of a start that was killed while it waited, once it answers."""
    state = _state.read(layout.state)
    key = _keys.read(layout.admin)
    if state is None or key is None:
        _end(state)  # with its key lost, a server is of no use to anybody
        return None
    return _wait_for(layout, state, key, wait) if state.process.is_alive() else None


def _start(layout: Layout, weed: str, wait: float, report: Callable[[str], None]) -> EmbeddedStore:
    _disk.check_space(layout.folder, report)
    key = _keys.ensure(layout.admin)
    _server.write_settings(layout)
    for _ in range(_ATTEMPTS - 1):
        try:
            return _wait_for(layout, _spawn(layout, weed, key, report), key, wait)
        except _PortTakenError:
            continue
    return _wait_for(layout, _spawn(layout, weed, key, report), key, wait)


def _spawn(layout: Layout, weed: str, key: AdminKey, report: Callable[[str], None]) -> State:
    if layout.log.exists():
        layout.log.replace(layout.log.with_name("store.log.old"))
    since = time.time()
    try:
        ports = _choose_ports(layout, report)
        process = _process.spawn(
            _server.command(weed, ports),
            cwd=layout.config,
            env=_server.environment(layout, key),
            log=layout.log,
            record=lambda process: _state.write(layout.state, State(process, since, ports)),
        )
    except OSError as error:
        raise InfraError(f"the store could not be launched: {error}") from error
    return State(process, since, ports)


def _choose_ports(layout: Layout, report: Callable[[str], None]) -> Mapping[str, int]:
    last = _state.read(layout.state)
    if last is None:
        return _ports.choose({}, report)
    _server.sweep(last.ports)
    return _ports.choose(last.ports, report)


class _PortTakenError(InfraError):
    """Somebody was faster at one of the ports."""


def _wait_for(layout: Layout, state: State, key: AdminKey, wait: float) -> EmbeddedStore:
    healthy = False
    try:
        healthy = _health.wait(state.s3_port, state.process.is_alive, wait)
        alive = state.process.is_alive()
    finally:
        if not healthy:  # an interruption as well: a server that was never reported must not stay
            _end(state)
    if not healthy:
        raise _failure(layout, wait, stopped=alive)
    return described(state, key)


def _failure(layout: Layout, wait: float, *, stopped: bool) -> InfraError:
    what = f"did not answer within {wait:g} seconds and was stopped" if stopped else "ended as it started"
    log = layout.log.read_text(encoding="utf-8", errors="replace")
    tail = "\n".join(f"  {line}" for line in _before_stacks(log).splitlines()[-_TAIL:]) or "  (nothing)"
    kind = _PortTakenError if _PORT_TAKEN in log else InfraError
    return kind(
        f"the store {what}. Its data is kept in {layout.data}. The log {layout.log} ends with:\n{tail}\n"
        "Mend what it names and run `python -m infra store start` again."
    )


def _before_stacks(log: str) -> str:
    """The log up to where Go lists what each of its threads did: the cause stands above that."""
    return re.split(r"^goroutine \d", log, maxsplit=1, flags=re.MULTILINE)[0]


def _end(state: State | None) -> bool:
    if state is None:
        return False
    ended = _process.terminate(state.process, _GRACE)
    _server.sweep(state.ports)
    return ended
