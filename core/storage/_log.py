"""The one logger of this library, ``core.storage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger


def logger() -> Logger:
    """The logger; `logging` is imported when there is something to say."""
    import logging  # noqa: PLC0415  # 4 ms that most programs spend for nothing

    return logging.getLogger("core.storage")
