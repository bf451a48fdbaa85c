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
    waiting: deque[ObjectInfo | _Folder] = deque()
    entries = _entries(bucket, prefix, settings)
    running = 0
    try:
        while True:
            while running < workers and len(waiting) < _WAITING and (entry := next(entries, None)) is not None:
                if isinstance(entry, _Folder):
                    entry.start()
                    running += 1
                waiting.append(entry)
            if not waiting:
                return
            first = waiting[0]
            if isinstance(first, _Folder):
                yield from first.objects()
                running -= 1
            else:
                yield first
            waiting.popleft()
    finally:
        entries.close()
        for one in waiting:
            if isinstance(one, _Folder):
                one.close()


def _entries(bucket: str, prefix: str, settings: Settings) -> Generator[ObjectInfo | _Folder, None, None]:
    """Objects and folders right below the prefix, in the order of their names."""
    for page in pages(bucket, prefix, settings, delimiter="/"):
        folders: list[tuple[str, Any]] = [(one, _Folder(bucket, one, settings)) for one in page.folders]
        entries = sorted(
            [*((one.key, one) for one in page.objects), *folders], key=lambda entry: entry[0].encode()
        )
        for _, entry in entries:
            yield entry


class _Folder:
    """One folder, whose first pages are requested before its turn."""

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self._pages = Pages(bucket, prefix, settings)
        self.close = self._pages.close

    def start(self) -> None:
        self._pages.start()
        self._pages.allow(_AHEAD)

    def objects(self) -> Iterator[ObjectInfo]:
        for page in self._pages.rest():
            yield from page.objects
        self.close()
