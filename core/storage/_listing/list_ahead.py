"""Listing several folders at a time, in the order of one listing."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

from core.storage._listing.pages import pages
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
        for one in waiting:
            if isinstance(one, _Folder):
                one.stop()


def _entries(bucket: str, prefix: str, settings: Settings) -> Iterator[ObjectInfo | _Folder]:
    """Objects and folders right below the prefix, in the order of their names."""
    for page in pages(bucket, prefix, settings, delimiter="/"):
        folders: list[tuple[str, Any]] = [(one, _Folder(bucket, one, settings)) for one in page.folders]
        entries = sorted(
            [*((one.key, one) for one in page.objects), *folders], key=lambda entry: entry[0].encode()
        )
        for _, entry in entries:
            yield entry


class _Folder:
    """One folder, listed by a thread of its own."""

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._settings = settings
        self._pages: queue.Queue[list[ObjectInfo] | BaseException | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._list,), name="mpr-list", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def objects(self) -> Iterator[ObjectInfo]:
        while (found := self._pages.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield from found

    def stop(self) -> None:
        """End the thread; what it has is dropped."""
        self._stopped.set()
        while self._thread.is_alive():
            while not self._pages.empty():
                self._pages.get_nowait()
            self._thread.join(0.01)

    def _list(self) -> None:
        try:
            for page in pages(self._bucket, self._prefix, self._settings):
                if self._stopped.is_set():
                    return
                self._pages.put(page.objects)
        except BaseException as error:  # noqa: BLE001  # whatever it is: the iteration waits for it, and raises it
            self._pages.put(error)
        self._pages.put(None)
