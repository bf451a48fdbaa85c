"""Listing several folders at a time, in the order of one listing."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

from core.storage._listing.pages import Pages, pages
from core.storage._objects import ObjectInfo
from core.storage.settings import Settings

#: Pages of a folder that may wait for their turn.
_AHEAD = 4
#: Objects and folders that may wait.
_WAITING = 2000


def listed_ahead(bucket: str, prefix: str, workers: int, settings: Settings) -> Iterator[ObjectInfo]:
    """Every object below the prefix, in order, while up to `workers` folders are listed ahead."""
    waiting: deque[ObjectInfo | Pages] = deque()
    entries = _entries(bucket, prefix, settings)
    running = 0
    try:
        while True:
            while running < workers and len(waiting) < _WAITING and (entry := next(entries, None)) is not None:
                if isinstance(entry, Pages):
                    entry.start()
                    entry.allow(_AHEAD)
                    running += 1
                waiting.append(entry)
            if not waiting:
                return
            first = waiting[0]
            if isinstance(first, Pages):
                for page in first.rest():
                    yield from page.objects
                first.close()
                running -= 1
            else:
                yield first
            waiting.popleft()
    finally:
        entries.close()
        for one in waiting:
            if isinstance(one, Pages):
                one.close()


def _entries(bucket: str, prefix: str, settings: Settings) -> Generator[ObjectInfo | Pages, None, None]:
    """Objects and folders right below the prefix, in the order of their names."""
    for page in pages(bucket, prefix, settings, delimiter="/"):
        folders: list[tuple[str, Any]] = [(one, Pages(bucket, one, settings)) for one in page.folders]
        entries = sorted(
            [*((one.key, one) for one in page.objects), *folders], key=lambda entry: entry[0].encode()
        )
        for _, entry in entries:
            yield entry
