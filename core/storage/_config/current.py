"""Cache of the current settings."""

from __future__ import annotations

import os
import stat
from threading import Lock

from core.storage._config.mask import mask
from core.storage._errors import StorageConfigError
from core.storage._log import logger
from core.storage.settings import ENV_FILE_VARIABLE, Settings, variables

_NAMES = (ENV_FILE_VARIABLE, *(name for _, row in variables() for name in row.names))


#: What the settings are read from: the values of the variables, and the times, size and inode of the env file.
_State = tuple[tuple[str | None, ...], tuple[int, int, int] | None]
#: Replaced in one step, so that reading it needs no lock.
_cache: tuple[_State, Settings] | None = None
#: One thread at a time reads the env file: the content of a pipe can be read once.
_lock = Lock()
#: Settings that this process read from an env file: `core.storage._config.live_keys` follows their access keys.
from_file: set[Settings] = set()


def current_settings() -> Settings:
    """Return `Settings.load()`, read again only when one of its variables or its file has changed.

    So a process that runs for weeks takes a rotated access key from a rewritten env file at its next call. While
    the file cannot be used (it is missing, empty or wrong at this time), the last good settings stay, and a
    warning is logged. A pipe is read once. Thread-safe.

    Raises:
        StorageConfigError: as `Settings.load`, if this process had no settings from these variables before.
    """
    values = tuple(map(os.environ.get, _NAMES))
    state = (values, _file_state(values[0]) if values[0] else None)
    cache = _cache
    if cache is not None and cache[0] == state:
        return cache[1]
    with _lock:
        return _reload(state)


def _reload(state: _State) -> Settings:
    global _cache  # noqa: PLW0603  # a cache of this process
    cache = _cache
    if cache is not None and cache[0] == state:
        return cache[1]  # another thread has read them
    try:
        settings = Settings.load()
    except StorageConfigError as error:
        if cache is None or cache[0][0] != state[0]:
            raise
        logger.warning("the env file cannot be used, so the settings and the keys stay as they were: %s", error)
        settings = cache[1]
    else:
        if os.environ.get(ENV_FILE_VARIABLE):
            from_file.add(settings)
    _cache = (state, settings)
    if cache is not None and cache[1] != settings:
        _log_change(cache[1], settings)
    return settings


def _log_change(before: Settings, after: Settings) -> None:
    old, new = before.to_env(), after.to_env()
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    key = f"; the key is {mask(after.access_key_id)} now" if after.access_key_id else ""
    logger.info("the settings changed: %s%s", ", ".join(names), key)


def _file_state(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None  # Settings.load raises the error
    if not stat.S_ISREG(status.st_mode):
        return (0, -1, 0)  # the times of a pipe change while it is read
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603  # a thread that is not in the child may have held it
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)
