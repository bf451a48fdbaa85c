"""List the objects of a bucket."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import islice

from core.storage._config.current import current_settings
from core.storage._http.limits import PAGE
from core.storage._listing.pages import Pages
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

    Lazy: a page of up to 1,000 objects is requested when the iteration reaches it, and from the second on one page
    ahead; each request is retried. Memory does not grow with the number of objects. Folder markers (object keys
    that end in ``/``) are left out.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        prefix: start of the object keys; end it with ``/`` to mean a folder.
        suffixes: list only keys that end in one of these, case-insensitive: ``(".mp4", ".mov")``.
        limit: stop after this many objects.
        workers: number of folders below `prefix` (up to the next ``/``) to list at a time, ahead of the iteration:
            for many objects in several folders, on a distant store. The order is then by UTF-8 bytes.

    Raises:
        ValueError: at the call, if `limit` or `workers` is less than 1.
        StorageError: during the iteration, as the error tree says.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    return listed(bucket, prefix, suffixes=suffixes, limit=limit, workers=workers)


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
    endings = tuple(suffix.lower() for suffix in ((suffixes,) if isinstance(suffixes, str) else suffixes))
    # With suffixes, the number of keys to read for `limit` of them is not known.
    size = PAGE if limit is None or endings else min(limit, PAGE)
    chosen = (
        info
        for info in _objects(bucket, prefix, size, workers, settings)
        if not info.key.endswith("/") and (not endings or info.key.lower().endswith(endings))
    )
    return islice(chosen, limit)


def _objects(bucket: str, prefix: str, size: int, workers: int, settings: Settings | None) -> Iterator[ObjectInfo]:
    settings = settings or current_settings()  # one set of settings from the first page to the last
    if workers > 1:
        yield from _listed_ahead(bucket, prefix, workers, settings)
        return
    for page in Pages(bucket, prefix, settings, size=size):
        yield from page.objects


def _listed_ahead(bucket: str, prefix: str, workers: int, settings: Settings) -> Iterator[ObjectInfo]:
    """Yield every object below the prefix, in order, while up to `workers` folders are listed ahead."""
    waiting: deque[ObjectInfo | Pages] = deque()
    entries = _entries(bucket, prefix, settings)
    running = 0
    try:
        while True:
            while (
                running < workers and len(waiting) < _ENTRIES_AHEAD and (entry := next(entries, None)) is not None
            ):
                if isinstance(entry, Pages):
                    entry.start(_PAGES_AHEAD)
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
        for entry in waiting:
            if isinstance(entry, Pages):
                entry.close()


def _entries(bucket: str, prefix: str, settings: Settings) -> Generator[ObjectInfo | Pages, None, None]:
    """Yield the objects and folders right below the prefix, in the order of their names."""
    for page in Pages(bucket, prefix, settings, delimiter="/"):
        entries: list[tuple[str, ObjectInfo | Pages]] = [(info.key, info) for info in page.objects]
        entries += [(folder, Pages(bucket, folder, settings)) for folder in page.folders]
        for _, entry in sorted(entries, key=lambda row: row[0].encode()):
            yield entry
