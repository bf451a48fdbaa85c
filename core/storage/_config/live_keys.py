"""Keys that follow the env file: what was read from it is read again when it changes.

So a process that runs for weeks takes the new key of a rotation, also in the middle of an upload of hours, and in
clients that it made long before. Nothing else of the settings changes under a running operation.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from core.storage._config import current
from core.storage._errors import StorageConfigError
from core.storage._log import logger
from core.storage.settings import ENV_FILE_VARIABLE, Settings

#: Seconds between two looks at the file. Of two keys that overlap for minutes at least, either works meanwhile.
LOOK_EVERY = 1.0
#: When it was looked at, and what for which settings holds since then. One tuple, replaced in one step.
_looked: tuple[float, dict[Settings, Settings]] = (0.0, {})


def latest(settings: Settings) -> Settings:
    """The settings with the keys that hold now, if they came from the file in ``S3_ENV_FILE``.

    Cheap enough for every request. Thread-safe.
    """
    global _looked  # noqa: PLW0603  # a cache of this process
    if settings not in current.from_file:
        return settings
    since, known = _looked
    now = time.monotonic()
    if now - since > LOOK_EVERY:
        since, known = _looked = (now, {})
    found = known.get(settings)
    if found is None:
        found = known[settings] = _with_new_keys(settings)
    return found


def _with_new_keys(settings: Settings) -> Settings:
    if not os.environ.get(ENV_FILE_VARIABLE):
        return settings
    try:
        there = current.current_settings()
    except StorageConfigError as error:
        logger.warning("the environment cannot be used, so the keys stay as they were: %s", error)
        return settings
    # Keys of another environment would be wrong here; where they have gone, the old ones are all that there is.
    if not there.access_key_id or _without_keys(there) != _without_keys(settings):
        return settings
    return there


def _without_keys(settings: Settings) -> Settings:
    return replace(settings, access_key_id=None, secret_access_key=None, session_token=None)
