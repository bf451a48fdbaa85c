"""Start, stop and remove the embedded store. Several processes may do so at once."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from infra.command_name import COMMAND
from infra.errors import InfraError
from infra.local import ports, process, server
from infra.local.folder import Server, StoreFolder
from infra.local.lock import locked
from infra.local.running import Console, EmbeddedStore, find, find_console, is_open, is_ready
from infra.stores.access_key import AccessKey

__all__ = ["Console", "EmbeddedStore", "find", "find_console", "remove", "start", "start_console", "stop"]

#: Seconds. SeaweedFS ends in one to three, but at times waits half a minute longer for a connection of its own on
#: which nothing was sent. By then, all data is in its files.
_GRACE = 6.0
_START_TIMEOUT = 30.0  # seconds until it responds
_POLL = 0.05  # seconds
#: The lines of the log that a message quotes.
_TAIL = 15
#: Another program, such as the store of another clone, can take a port after it was chosen.
_ATTEMPTS = 3
_PORT_TAKEN = re.compile("Port allocation failed|bind: address already in use")

_MEGABYTE = 1_000_000
#: With less free space, SeaweedFS could fail to write its own metadata.
_MINIMUM_FREE = 200 * _MEGABYTE
#: SeaweedFS accepts no objects if a smaller share of the disk is free.
_RESERVED_SHARE = 0.01

Report = Callable[[str], None]


def start(root: Path | None = None, *, report: Report = lambda _message: None) -> EmbeddedStore:
    """Start the store, or return the running one.

    The server is detached: it outlives the caller and its terminal. When this returns, signed requests succeed.
    Data, users, access keys and, as far as they are free, ports are those of the last start. If two processes
    start the store at once, one starts the server and both return it. An interrupted start leaves no server.

    Args:
        root: the folder that has the store's folder, by default the project's `.local`.
        report: called with messages, for example if the port is another than before.

    Raises:
        UsageError: SeaweedFS is not installed, or the folder cannot be written.
        InfraError: the disk is full, or the server did not start; the message quotes the end of its log.
    """
    if running := find(root):
        return running
    folder = StoreFolder(root)
    weed = server.program()
    folder.create()
    with locked(folder.lock):
        return find(root) or _adopt(folder) or _start(folder, weed, report)


def start_console(root: Path | None = None, *, report: Report = lambda _message: None) -> Console:
    """Start the store with its console, or return the console that is on. The next start is without it.

    A store that runs without its console is restarted, because SeaweedFS reads this setting at its start.

    Args:
        root: the folder that has the store's folder, by default the project's `.local`.
        report: called with messages, for example before the restart.

    Raises:
        UsageError: SeaweedFS is not installed, or the folder cannot be written.
        InfraError: the disk is full, or the server did not start; the message quotes the end of its log.
    """
    folder = StoreFolder(root)
    weed = server.program()
    folder.create()
    with locked(folder.lock):
        if find_console(root) is None:
            _check_space(folder.path, report)  # before a running store is stopped
            recorded = folder.server()
            if recorded and recorded.process.is_alive():
                report("restarting the store with its console; requests fail for a few seconds")
            _end(recorded)
            _start(folder, weed, report, console=True)
        return _wait_for_console(folder, root)


def stop(root: Path | None = None) -> bool:
    """Stop the server gracefully, or by force after 6 seconds. The data stays. Return False if it did not run."""
    folder = StoreFolder(root)
    if not folder.lock.exists():
        return False
    with locked(folder.lock):
        return _end(folder.server())


def remove(root: Path | None = None) -> None:
    """Stop the server and delete the store's folder with its data, users and access keys."""
    folder = StoreFolder(root)
    if not folder.lock.exists():
        return
    with locked(folder.lock):
        _end(folder.server())
        shutil.rmtree(folder.path)


def _adopt(folder: StoreFolder) -> EmbeddedStore | None:
    """Return the server of a start that was killed while it waited."""
    recorded, admin = folder.server(), folder.admin()
    if recorded and admin and recorded.process.is_alive():
        return _wait_for(folder, recorded, admin)
    _end(recorded)  # if the access key is lost, the server cannot be used
    return None


def _start(folder: StoreFolder, weed: str, report: Report, *, console: bool = False) -> EmbeddedStore:
    folder.create()  # again: while this waited for the lock, another process may have removed the store
    _check_space(folder.path, report)
    admin = folder.ensure_admin()
    server.write_settings(folder)
    password = secrets.token_urlsafe(24)  # without a console, there is a password that no user knows
    folder.record_console_password(password if console else None)
    environ = server.environment(folder, admin, password)
    spawn = partial(_spawn, folder, weed, environ, report, console=console)
    for _ in range(_ATTEMPTS - 1):
        try:
            return _wait_for(folder, spawn(), admin)
        except _PortTakenError:
            continue
    return _wait_for(folder, spawn(), admin)


def _check_space(folder: Path, report: Report) -> None:
    disk = shutil.disk_usage(folder)
    if disk.free < _MINIMUM_FREE:
        raise InfraError(
            f"only {disk.free // _MEGABYTE} MB are free on the disk of {folder}, and the store needs"
            f" {_MINIMUM_FREE // _MEGABYTE} MB to start; free some space and start it again"
        )
    if disk.free < disk.total * _RESERVED_SHARE:
        report("less than 1 % of the disk is free: the store can be read, but accepts no new objects")


def _spawn(folder: StoreFolder, weed: str, environ: Mapping[str, str], report: Report, *, console: bool) -> Server:
    if folder.log.exists():
        folder.log.replace(folder.log.with_name("store.log.old"))
    since = time.time()
    try:
        if last := folder.server():
            server.remove_sockets(last.ports)
        numbers = ports.choose(last.ports if last else {}, report)
        started = process.spawn(
            server.command(weed, numbers, console=console),
            cwd=folder.config,
            env=environ,
            log=folder.log,
            record=lambda started: folder.record(Server(started, since, numbers)),
        )
    except OSError as error:
        raise InfraError(f"the store could not be launched: {error}") from error
    return Server(started, since, numbers)


class _PortTakenError(InfraError):
    """Another program took one of the ports."""


def _wait_for(folder: StoreFolder, started: Server, admin: AccessKey) -> EmbeddedStore:
    with ExitStack() as cleanup:
        cleanup.callback(_end, started)  # also after an interruption
        if _is_ready(started, admin):
            cleanup.pop_all()
            return EmbeddedStore(ports.url(started.s3_port), admin, started.process.pid)
        raise _failure(folder, was_alive=started.process.is_alive())


def _is_ready(started: Server, admin: AccessKey) -> bool:
    """Wait until the server responds; return False if its process ended, or the time is over."""
    deadline = time.monotonic() + _START_TIMEOUT
    while started.process.is_alive():
        if is_ready(started.s3_port, admin):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return False


def _wait_for_console(folder: StoreFolder, root: Path | None) -> Console:
    """Return the console when it listens: SeaweedFS starts it after S3."""
    deadline = time.monotonic() + _START_TIMEOUT
    while (console := find_console(root)) and time.monotonic() < deadline:
        if is_open(console.port):
            return console
        time.sleep(_POLL)
    raise InfraError(
        f"the store's console did not respond in {_START_TIMEOUT:g} seconds. Its log is {folder.log}. Run"
        f" `{COMMAND} store stop`, then `{COMMAND} store console` again"
    )


def _failure(folder: StoreFolder, *, was_alive: bool) -> InfraError:
    what = (
        f"did not respond in {_START_TIMEOUT:g} seconds and was stopped" if was_alive else "ended during its start"
    )
    log = folder.log.read_text(encoding="utf-8", errors="replace")
    # The cause is above the stacks of Go's goroutines.
    cause = re.split(r"^goroutine \d", log, maxsplit=1, flags=re.MULTILINE)[0]
    tail = "\n".join(f"  {line}" for line in cause.splitlines()[-_TAIL:]) or "  (nothing)"
    kind = _PortTakenError if not was_alive and _PORT_TAKEN.search(log) else InfraError
    return kind(
        f"the store {what}. Its data is kept in {folder.data}. The log {folder.log} ends with:\n{tail}\n"
        f"Solve this problem and run `{COMMAND} store start` again."
    )


def _end(recorded: Server | None) -> bool:
    if recorded is None:
        return False
    ended = process.terminate(recorded.process, _GRACE)
    server.remove_sockets(recorded.ports)
    return ended
