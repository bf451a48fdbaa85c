"""The settings that hold right now, without reading them anew at each call."""

from __future__ import annotations

import os

from core.storage._config.mask import hint
from core.storage._log import logger
from core.storage.settings import ENV_FILE_VARIABLE, Settings, variables

_NAMES = (ENV_FILE_VARIABLE, *(name for _, row in variables() for name in row.names))

_State = tuple[object, ...]
#: One tuple, replaced in one step, so that threads need no lock.
_cached: tuple[_State, Settings] | None = None
#: What came from an env file in this process: `core.storage._boto.credentials` keeps its keys fresh.
from_file: set[Settings] = set()


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
        now = Settings.load()
        if os.environ.get(ENV_FILE_VARIABLE):
            from_file.add(now)
        if cached is not None and cached[1] != now:
            _log(cached[1], now)
        cached = _cached = (state, now)
    return cached[1]


def _log(before: Settings, now: Settings) -> None:
    """Say which variables changed, and of a key as much as may be shown."""
    old, new = before.to_env(), now.to_env()
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    key = f"; the key is {hint(now.access_key_id)} now" if now.access_key_id else ""
    logger().info("the settings changed: %s%s", ", ".join(names), key)


def _state() -> _State:
    values = tuple(map(os.environ.get, _NAMES))
    return values if not values[0] else (*values, _file_state(values[0]))


def _file_state(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # a Path costs more than the rest of this function
    except OSError:
        return None  # Settings.load says what is wrong with it
    return (found.st_mtime_ns, found.st_size, found.st_ino)
