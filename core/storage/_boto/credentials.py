"""The credentials of a lean botocore session: those of its settings, which follow the env file."""

from __future__ import annotations

from typing import Any

from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials

from core.storage._config.live_keys import latest
from core.storage.settings import Settings


class LiveCredentials(Credentials):
    """botocore's credentials, asked for at each request."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            settings.access_key_id or "", settings.secret_access_key or "", settings.session_token, "mpr-storage"
        )
        self._settings = settings

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return those that hold now."""
        now = latest(self._settings)
        return ReadOnlyCredentials(now.access_key_id or "", now.secret_access_key or "", now.session_token)


class LiveProvider(CredentialProvider):
    """Where a session of complete settings finds its credentials."""

    METHOD = "mpr-storage"

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def load(self) -> Any:
        """Those of the settings."""
        return LiveCredentials(self._settings)
