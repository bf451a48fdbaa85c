"""Moments as files and commands write them: UTC, to the second, ``2026-11-25T07:00:00Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def written(moment: datetime) -> str:
    """The moment as text."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def read(value: object) -> datetime:
    """The moment in a text, which without an offset is UTC; of one that YAML has read already, itself.

    Raises:
        ValueError: there is none.
    """
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
