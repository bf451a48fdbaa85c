"""Timestamps in files and in what commands print: UTC, to the second, ``2026-11-25T07:00:00Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def to_text(timestamp: datetime) -> str:
    """Return the timestamp as text."""
    return f"{timestamp.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse(value: object) -> datetime:
    """Return the timestamp that a text holds, which is UTC without an offset, or that YAML has parsed already.

    Raises:
        ValueError: `value` is not a timestamp.
    """
    timestamp = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
