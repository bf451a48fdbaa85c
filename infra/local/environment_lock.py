"""The lock of an environment: if two commands on one machine change an environment, the second one waits.

The lock file is in the folder of the env files, and is removed when the command ends. So it also works in a
container that can write to no other folder, and between containers that share this one. Another machine is not
locked out; if the environment is deployed with Pulumi, the lock of Pulumi's backend does that.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from infra.command_name import COMMAND
from infra.config import stack_files
from infra.config.environment import EMBEDDED, EnvironmentConfig
from infra.errors import UsageError
from infra.local.folder import local_folder
from infra.local.lock import locked

#: Environment variable of a started `pulumi`: the ID of the process that holds the lock for it.
HOLDER = "MPR_LOCK_HOLDER"
_ATTEMPTS, _PAUSE = 20, 0.01  # seconds


def lock_file(environment: str) -> Path:
    """Return the path of the lock file of an environment."""
    return stack_files.ENVIRONMENTS / f".{environment}.lock"


@contextmanager
def environment_lock(config: EnvironmentConfig, command: str, *, stops_store: bool = False) -> Iterator[None]:
    """Lock the environment; if another command holds the lock, print which one and wait for it.

    Load the configuration again inside, because `rotate` changes it.

    Args:
        config: the environment.
        command: the name of the command, for the message of those that wait.
        stops_store: whether the command may stop the embedded store. Then it also waits for the commands of other
            environments that use the store.

    Raises:
        UsageError: the folder of the env files cannot be written.
    """
    file = lock_file(config.environment)
    with ExitStack() as locks:
        locks.enter_context(
            _named(
                file,
                f"{COMMAND} {command} {config.environment}",
                lambda: _say_waiting_for(f"{_holder(file)}, which changes the same environment"),
            )
        )
        if config.endpoint == EMBEDDED:
            lock = local_folder() / "store.lock"
            others = "the commands of other environments that use the embedded store" if stops_store else "`down`"
            locks.enter_context(locked(lock, shared=not stops_store, blocked=lambda: _say_waiting_for(others)))
        yield


def lock_for_program(environment: str) -> None:
    """Lock the environment until this process, which runs Pulumi's program, ends.

    Does nothing if the command that started `pulumi` holds the lock. Does not wait for another command: that may
    change the configuration, which `pulumi` has read by now.

    Raises:
        UsageError: another command holds the lock.
    """
    file = lock_file(environment)
    starter = os.environ.get(HOLDER)
    if starter and _holder(file).endswith(_process(starter)):
        return

    def refuse() -> None:
        raise UsageError(f"{_holder(file)} changes {environment} now: run this command again when it has ended")

    lock = ExitStack()
    lock.enter_context(_named(file, f"pulumi up --stack {environment}", refuse))
    atexit.register(lock.close)


def for_pulumi() -> dict[str, str]:
    """Return the environment variable for a `pulumi` that this process starts while it holds the lock."""
    return {HOLDER: str(os.getpid())}


@contextmanager
def _named(file: Path, holder: str, blocked: Callable[[], None]) -> Iterator[None]:
    """Lock a file, and keep the name of the command and its process ID in it."""
    with locked(file, blocked=blocked) as opened:
        opened.truncate(0)
        opened.write(f"{holder} {_process(str(os.getpid()))}".encode())
        opened.flush()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def _process(process_id: str) -> str:
    return f"(process {process_id})"


def _holder(file: Path) -> str:
    """Return the command that holds the lock, with its process ID."""
    with suppress(OSError):  # it has just ended
        for _ in range(_ATTEMPTS):  # it writes its name just after it has locked the file
            if holder := file.read_text(encoding="utf-8"):
                return holder
            time.sleep(_PAUSE)
    return "another command"


def _say_waiting_for(holder: str) -> None:
    sys.stderr.write(f"waiting for {holder}\n")  # not click's: its import would take 10 ms of each `pulumi up`
