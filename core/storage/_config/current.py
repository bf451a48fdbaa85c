"""Cache of the current settings."""

from __future__ import annotations

import os
import stat
from threading import Lock
from typing import NamedTuple

from core.storage._config.mask import mask
from core.storage._errors import StorageConfigError
from core.storage._log import logger
from core.storage.settings import ENV_FILE_VARIABLE, Settings, variables

_NAMES = (ENV_FILE_VARIABLE, *(name for _, row in variables() for name in row.names))


class _State(NamedTuple):
    """What the settings were read from. The same state means the same settings."""

    variables: tuple[str | None, ...]
    file: tuple[int, int, int] | None


class _Known(NamedTuple):
    state: _State
    settings: Settings


#: Replaced in one step, so that reading it needs no lock.
_known: _Known | None = None
#: One thread at a time reads the env file: a pipe has its content once.
_lock = Lock()
#: Settings that came from an env file in this process: `core.storage._boto.credentials` keeps their keys fresh.
from_file: set[Settings] = set()


def current_settings() -> Settings:
    """Return `Settings.load()`, read again only when one of its variables or its file has changed.

    So a process that runs for weeks takes rotated keys from a rewritten env file at its next call. While the file
    cannot be used (it is empty for a moment, or gone, or a line of it is wrong), the last good settings stay, and
    a warning is logged. A pipe is read once. Thread-safe.

    Raises:
        StorageConfigError: as `Settings.load`, if this process had no settings from these variables before.
    """
    state = _state()
    known = _known
    if known is None or known.state != state:
        with _lock:
            known = _refreshed(state)
    return known.settings


def _refreshed(state: _State) -> _Known:
    global _known  # noqa: PLW0603  # a cache of this process
    before = _known
    if before is not None and before.state == state:
        return before  # read by another thread meanwhile
    _known = _Known(state, _loaded(state, before))
    if before is not None and before.settings != _known.settings:
        _log(before.settings, _known.settings)
    return _known


def _loaded(state: _State, before: _Known | None) -> Settings:
    kept = before.settings if before is not None and before.state.variables == state.variables else None
    try:
        settings = Settings.load()
    except StorageConfigError as error:
        if kept is None:
            raise
        logger.warning("the env file cannot be used, so the settings and the keys stay as they were: %s", error)
        return kept
    if os.environ.get(ENV_FILE_VARIABLE):
        from_file.add(settings)
    return settings


def _log(before: Settings, now: Settings) -> None:
    """Log which variables changed, and of an access key as much as may be shown."""
    old, new = before.to_env(), now.to_env()
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    key = f"; the key is {mask(now.access_key_id)} now" if now.access_key_id else ""
    logger.info("the settings changed: %s%s", ", ".join(names), key)


def _state() -> _State:
    values = tuple(map(os.environ.get, _NAMES))
    return _State(values, _file_state(values[0]) if values[0] else None)


def _file_state(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # a Path costs more than the rest of this function
    except OSError:
        return None  # Settings.load says what is wrong with it
    if not stat.S_ISREG(found.st_mode):
        return (0, -1, 0)  # the times of a pipe change while it is read
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603  # it may have been held by a thread that is not here
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)
