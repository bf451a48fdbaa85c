"""The times in the headers of a response."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIXED = re.compile(rf"[A-Z][a-z]{{2}}, (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT")


def header_time(headers: Mapping[str, str], name: str) -> datetime:
    """Return the time in a header, such as ``last-modified``; the current time if the header is absent."""
    return _parsed(headers.get(name, "")) or datetime.now(UTC)


def seconds_ahead(headers: Mapping[str, str]) -> int | None:
    """Return by how many seconds this machine's clock is ahead of the Date header; None without the header."""
    date = _parsed(headers.get("date", ""))
    return None if date is None else round(time.time() - date.timestamp())


def _parsed(text: str) -> datetime | None:
    """Parse a time of a header (https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats)."""
    if match := _FIXED.fullmatch(text):  # the format of every server, in a tenth of the time
        day, month, *numbers = match.groups()
        year, hour, minute, second = map(int, numbers)
        with suppress(ValueError):
            return datetime(year, _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # 20 ms, for a rare format

    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # each of them for some texts
        return None
