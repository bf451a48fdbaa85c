"""The times that answers of the store tell."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIXED = re.compile(rf"[A-Z][a-z]{{2}}, (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT")


def header_time(headers: Mapping[str, str], name: str) -> datetime:
    """The time in a header, such as ``last-modified``; now, where the store does not say."""
    return parsed_time(headers.get(name, "")) or datetime.now(UTC)


def ahead(headers: Mapping[str, str]) -> int | None:
    """Seconds by which the clock of this machine is ahead of the store's, as far as its Date header tells."""
    theirs = parsed_time(headers.get("date", ""))
    return None if theirs is None else round(time.time() - theirs.timestamp())


def parsed_time(text: str) -> datetime | None:
    """The time that a header names (https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats)."""
    found = _FIXED.fullmatch(text)
    if found:  # the form that every server uses, in a tenth of the time
        day, month, *others = found.groups()
        year, hour, minute, second = map(int, others)
        with suppress(ValueError):
            return datetime(year, _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # 20 ms, and botocore has it by now

    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # each of them for some texts
        return None
