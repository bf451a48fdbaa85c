"""Access keys that follow the env file: they are read from it again when it changes.

So a process that runs for weeks takes the new access key of a rotation, also during an upload of hours, and in
clients that it created before. No other setting changes during an operation.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from core.storage._config import current
from core.storage._errors import StorageConfigError
from core.storage._log import logger
from core.storage.settings import ENV_FILE_VARIABLE, Settings

#: Seconds between two checks of the file. Both access keys of a rotation work for minutes at least.
LOOK_EVERY = 1.0
#: The time of the last check, and the latest settings since then. One tuple, replaced in one step.
_cache: tuple[float, dict[Settings, Settings]] = (0.0, {})


def latest(settings: Settings) -> Settings:
    """Return `settings` with the current access key, if they came from the file in ``S3_ENV_FILE``.

    Cheap enough for every request. Thread-safe.
    """
    global _cache  # noqa: PLW0603  # a cache of this process
    if settings not in current.from_file:
        return settings
    checked_at, cached = _cache
    now = time.monotonic()
    if now - checked_at > LOOK_EVERY:
        checked_at, cached = _cache = (now, {})
    result = cached.get(settings)
    if result is None:
        result = cached[settings] = _with_current_keys(settings)
    return result


def _with_current_keys(settings: Settings) -> Settings:
    if not os.environ.get(ENV_FILE_VARIABLE):
        return settings
    try:
        candidate = current.current_settings()
    except StorageConfigError as error:
        logger.warning("the environment cannot be used, so the keys stay as they were: %s", error)
        return settings
    renewed = replace(
        settings,
        access_key_id=candidate.access_key_id,
        secret_access_key=candidate.secret_access_key,
        session_token=candidate.session_token,
    )
    # If more than the access key differs, the file is that of another environment.
    return candidate if candidate.access_key_id and candidate == renewed else settings
