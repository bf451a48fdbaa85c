"""The access keys that sign requests: those of the settings, or those that botocore finds and renews."""

from __future__ import annotations

import os
from typing import Any

from core.storage._boto.signature import AccessKey
from core.storage._config.live_keys import latest
from core.storage._engine import in_worker
from core.storage.settings import Settings

#: The credentials that botocore found, and renews, for settings without access keys.
_credentials: dict[Settings, Any] = {}


async def access_key_of(settings: Settings) -> AccessKey | None:
    """Return the current access key, or None if there is none.

    botocore looks for them, and renews them, in a worker thread: that may take seconds.

    Raises:
        BotoCoreError: of botocore.
    """
    if settings.access_key_id:
        current = latest(settings)
        return AccessKey(current.access_key_id or "", current.secret_access_key or "", current.session_token)
    credentials = _credentials.get(settings)
    if credentials is None or (hasattr(credentials, "refresh_needed") and credentials.refresh_needed()):
        credentials = _credentials[settings] = await in_worker(_look_up, settings)
    if credentials is None:
        return None
    frozen = credentials.get_frozen_credentials()
    return AccessKey(frozen.access_key, frozen.secret_key, frozen.token)


def _look_up(settings: Settings) -> Any:
    from core.storage._boto.clients import session_of  # noqa: PLC0415  # imports botocore

    # The session keeps the credentials that it found, and looks again as long as it found none.
    credentials = session_of(settings).get_credentials()
    if credentials is not None:
        credentials.get_frozen_credentials()  # renews them in this thread, not in the event loop
    return credentials


os.register_at_fork(after_in_child=_credentials.clear)
