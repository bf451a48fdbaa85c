"""The store's clock, as the Date header of its answers tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def store_time(metadata: Any) -> datetime | None:
    """When the store answered, from the ``ResponseMetadata`` of the answer; None when it does not say."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # 20 ms, and botocore has it by now

    try:
        return parsedate_to_datetime(metadata["HTTPHeaders"]["date"])
    except (KeyError, ValueError):
        return None
