"""The keys that sign a request: those of the settings, or those that botocore finds and renews."""

from __future__ import annotations

import os
from typing import Any

from core.storage._boto.signature import Keys
from core.storage._config.live_keys import latest
from core.storage._engine import in_worker
from core.storage.settings import Settings

#: Credentials of settings without keys, which botocore found and renews.
_found: dict[Settings, Any] = {}


async def keys_of(settings: Settings) -> Keys | None:
    """Return the keys that hold now; None: there are none.

    botocore looks for them in a worker thread, and renews them there: that may take seconds.

    Raises:
        BotoCoreError: of botocore.
    """
    if settings.access_key_id:
        now = latest(settings)
        return Keys(now.access_key_id or "", now.secret_access_key or "", now.session_token)
    known = _found.get(settings)
    if known is None or (hasattr(known, "refresh_needed") and known.refresh_needed()):
        known = _found[settings] = await in_worker(_look_up, settings)
    if known is None:
        return None
    frozen = known.get_frozen_credentials()
    return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def _look_up(settings: Settings) -> Any:
    from core.storage._boto.clients import session_of  # noqa: PLC0415  # the whole of botocore

    # The session keeps what it found, and looks again while there was nothing to find.
    found = session_of(settings).get_credentials()
    if found is not None:
        found.get_frozen_credentials()  # renewed now, and not in the loop
    return found


os.register_at_fork(after_in_child=_found.clear)
