"""List the objects of a bucket."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from itertools import groupby

from core.storage._config.current import current_settings
from core.storage._engine import cancel_all, iterate
from core.storage._http.limits import PAGE
from core.storage._listing.pages import pages
from core.storage._objects import ObjectInfo
from core.storage._public import public
from core.storage.settings import Settings

#: What is read ahead of the iteration if several folders are listed at a time: pages of each, and objects and
#: folders in all.
_PAGES_AHEAD = 4
_ENTRIES_AHEAD = 2000


@public
def list_objects(
    bucket: str,
    prefix: str = "",
    *,
    suffixes: str | Iterable[str] = (),
    limit: int | None = None,
    workers: int = 1,
) -> Iterator[ObjectInfo]:
    """Iterate over the objects of `bucket` whose keys start with `prefix`, in the order of the store.

    That is by UTF-8 bytes, except on SeaweedFS 4.48, where ``a/1`` comes before ``a.mp4``.

    Lazy: a page of up to 1,000 objects is requested when the iteration reaches it, and from the second on up to
    two pages ahead; each request is retried. Memory does not grow with the number of objects. Folder markers
    (object keys that end in ``/``) are left out.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        prefix: start of the object keys; end it with ``/`` to mean a folder.
        suffixes: list only keys that end in one of these, case-insensitive: ``(".mp4", ".mov")``.
        limit: stop after this many objects.
        workers: number of folders below `prefix` (up to the next ``/``) to list at a time, ahead of the iteration:
            for many objects in several folders, on a distant store. The order is then by UTF-8 bytes.

    Raises:
        TypeError, ValueError: at the call, if `limit` or `workers` is no whole number from 1 on.
        StorageError: during the iteration, as the error tree says.
    """
    check_limits(limit, workers)
    return listed(bucket, prefix, suffixes=suffixes, limit=limit, workers=workers)


def check_limits(limit: int | None, workers: int) -> None:
    """Raise a TypeError or ValueError for a number that makes no sense."""
    for name, number in (("limit", 1 if limit is None else limit), ("workers", workers)):
        if type(number) is not int:
            raise TypeError(f"{name} must be a whole number (an int), got {number!r}")
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def listed(
    bucket: str,
    prefix: str,
    *,
    suffixes: str | Iterable[str] = (),
    limit: int | None = None,
    workers: int = 1,
    settings: Settings | None = None,
) -> Iterator[ObjectInfo]:
    """Do as `list_objects`, with `settings`; by default with those that are current when the iteration begins."""
    # One set of settings from the first page to the last.
    generator = chosen(bucket, prefix, suffixes, limit, workers, settings or current_settings())
    for infos in iterate(generator):
        yield from infos


async def chosen(
    bucket: str, prefix: str, suffixes: str | Iterable[str], limit: int | None, workers: int, settings: Settings
) -> AsyncGenerator[list[ObjectInfo], None]:
    """Yield the objects that `list_objects` yields, page by page."""
    given = (suffixes,) if isinstance(suffixes, str) else tuple(suffixes)
    for name, text in (("prefix", prefix), *(("a suffix", suffix) for suffix in given)):
        if not isinstance(text, str):
            raise TypeError(f"{name} must be text (a str), got {text!r}")
    endings = tuple(suffix.lower() for suffix in given)
    # With suffixes, the number of keys to read for `limit` of them is not known.
    size = PAGE if limit is None or endings else min(limit, PAGE)
    left = sys.maxsize if limit is None else limit
    listing = (
        _ahead(bucket, prefix, workers, settings) if workers > 1 else _in_turn(bucket, prefix, size, settings)
    )
    async with aclosing(listing):
        async for objects in listing:
            infos = [
                info
                for info in objects
                if not info.key.endswith("/") and (not endings or info.key.lower().endswith(endings))
            ]
            if infos:
                yield infos[:left]
            left -= len(infos)
            if left <= 0:
                return


async def _in_turn(
    bucket: str, prefix: str, size: int, settings: Settings
) -> AsyncGenerator[list[ObjectInfo], None]:
    async with aclosing(pages(bucket, prefix, settings, size=size)) as listing:
        async for page in listing:
            yield page.objects


async def _ahead(
    bucket: str, prefix: str, workers: int, settings: Settings
) -> AsyncGenerator[list[ObjectInfo], None]:
    """Yield every object below the prefix, in order, while up to `workers` folders are listed ahead."""
    waiting: deque[list[ObjectInfo] | _Folder] = deque()
    running = ahead = 0
    entries = _entries(bucket, prefix, settings)
    try:
        while True:
            while (
                running < workers and ahead < _ENTRIES_AHEAD and (entry := await anext(entries, None)) is not None
            ):
                waiting.append(_Folder(bucket, entry, settings) if isinstance(entry, str) else entry)
                running += isinstance(entry, str)
                ahead += 1 if isinstance(entry, str) else len(entry)
            if not waiting:
                return
            first = waiting[0]
            if isinstance(first, _Folder):
                async for objects in first:
                    yield objects
                running -= 1
                ahead -= 1
            else:
                yield first
                ahead -= len(first)
            waiting.popleft()
    finally:
        await entries.aclose()
        await cancel_all([entry.task for entry in waiting if isinstance(entry, _Folder)])


class _Folder:
    """The objects below a folder, page by page, of which some are requested ahead of the iteration."""

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self.task = asyncio.create_task(self._list(bucket, prefix, settings))
        self.task.add_done_callback(lambda _: self._pages.put_nowait(None))
        self._room = asyncio.Semaphore(_PAGES_AHEAD)
        self._pages: asyncio.Queue[list[ObjectInfo] | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncGenerator[list[ObjectInfo], None]:
        while (objects := await self._pages.get()) is not None:
            self._room.release()
            yield objects
        await self.task

    async def _list(self, bucket: str, prefix: str, settings: Settings) -> None:
        async with aclosing(_in_turn(bucket, prefix, PAGE, settings)) as listing:
            async for objects in listing:
                await self._room.acquire()
                self._pages.put_nowait(objects)


async def _entries(bucket: str, prefix: str, settings: Settings) -> AsyncGenerator[list[ObjectInfo] | str, None]:
    """Yield the objects right below the prefix, and the folders there as text, in the order of their names."""
    async with aclosing(pages(bucket, prefix, settings, delimiter="/")) as listing:
        async for page in listing:
            rows: list[tuple[str, ObjectInfo | None]] = [(info.key, info) for info in page.objects]
            rows += [(folder, None) for folder in page.folders]
            rows.sort(key=lambda row: row[0].encode())
            for is_object, group in groupby(rows, lambda row: row[1] is not None):
                if is_object:
                    yield [info for _, info in group if info is not None]
                else:
                    for folder, _ in group:
                        yield folder
