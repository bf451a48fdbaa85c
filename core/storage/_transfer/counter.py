"""The state that the transfers of one bulk transfer share."""

from __future__ import annotations

from core.storage._config.current import current_settings
from core.storage._errors import StorageError
from core.storage._progress import Report
from core.storage.settings import Settings


class Counter:
    """The settings of a bulk transfer, and the number of bytes that it has moved."""

    def __init__(self, settings: Settings | None) -> None:
        """Use `settings`, or else the current settings; if these are wrong, `settings()` raises for each item."""
        self.bytes = 0
        self._settings: Settings | StorageError
        try:
            self._settings = settings or current_settings()
        except StorageError as error:
            self._settings = error

    def settings(self) -> Settings:
        """Return the settings of the whole bulk transfer, or raise why there are none."""
        if isinstance(self._settings, StorageError):
            raise self._settings
        return self._settings

    def report(self) -> Report:
        """Return the report of one transfer."""
        return Report(self._add)

    def _add(self, count: int) -> None:
        self.bytes += count
