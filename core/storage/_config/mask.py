"""As much of an access key's id as a message, a log or a screen may hold."""

from __future__ import annotations

_SHOWN = 4  # characters


def hint(access_key_id: str) -> str:
    """The first four characters: enough to tell one key from another, too few to go looking for it."""
    return f"{access_key_id[:_SHOWN]}..."
