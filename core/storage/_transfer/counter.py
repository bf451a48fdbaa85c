"""What the transfers of one bulk share: their settings, and the bytes that they have moved."""

from __future__ import annotations

from core.storage._config.current import current_settings
from core.storage._errors import StorageError
from core.storage.settings import Settings


class Counter:
    """The settings of a bulk transfer, and the bytes that it has moved."""

    def __init__(self, settings: Settings | None) -> None:
        self.bytes = 0
        self._settings = settings
        self._error: StorageError | None = None

    def load(self) -> None:
        """Read the settings that are current when the first item begins, and hold for all."""
        if self._settings is None:
            try:
                self._settings = current_settings()
            except StorageError as error:
                self._error = error

    def settings(self) -> Settings:
        """Return the settings of the whole bulk transfer.

        Raises:
            StorageConfigError: the environment names no store.
        """
        if self._settings is None:
            raise self._error or AssertionError("the settings are loaded before the first item")
        return self._settings

    def share(self) -> Share:
        """Return the report of one transfer."""
        return Share(self)


class Share:
    """Counts the bytes of one transfer, each once."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._reached = 0

    def reached(self, position: int) -> None:
        """Take note that the transfer stands at `position` bytes."""
        if position > self._reached:
            self._counter.bytes += position - self._reached
            self._reached = position

    def advanced(self, count: int) -> None:
        """Take note that further `count` bytes are done."""
        self._counter.bytes += count
