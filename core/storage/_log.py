"""The one logger of this library, ``core.storage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger

_logger: Logger | None = None


def logger() -> Logger:
    """The logger; `logging` is imported when there is something to say. Handlers are the program's to choose."""
    global _logger  # noqa: PLW0603  # a cache of this process
    if _logger is None:
        import logging  # noqa: PLC0415  # 4 ms that most programs spend for nothing

        _logger = logging.getLogger("core.storage")
        _logger.addHandler(logging.NullHandler())
    return _logger
