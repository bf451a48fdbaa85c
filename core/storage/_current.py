"""The settings that hold right now, without reading them anew at each call."""

from __future__ import annotations

import os

from core.storage.settings import ENV_FILE_VARIABLE, Settings, variables

_NAMES = (ENV_FILE_VARIABLE, *(name for _, row in variables() for name in row.names))

_State = tuple[object, ...]
#: One tuple, replaced in one step, so that threads need no lock.
_cached: tuple[_State, Settings] | None = None


def current_settings() -> Settings:
    """`Settings.load()`, read again only when one of its variables or its file has changed.

    So a process that runs for weeks takes rotated keys from a rewritten env file at its next call.

    Raises:
        StorageConfigError: as `Settings.load`.
    """
    global _cached  # noqa: PLW0603  # a cache of this process
    state = _state()
    cached = _cached
    if cached is None or cached[0] != state:
        cached = _cached = (state, Settings.load())
    return cached[1]


def _state() -> _State:
    values = tuple(map(os.environ.get, _NAMES))
    return values if not values[0] else (*values, _file_state(values[0]))


def _file_state(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # a Path costs more than the rest of this function
    except OSError:
        return None  # Settings.load says what is wrong with it
    return (found.st_mtime_ns, found.st_size, found.st_ino)
