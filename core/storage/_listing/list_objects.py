"""Listing a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from core.storage._config.current import current_settings
from core.storage._http.limits import PAGE
from core.storage._listing.list_ahead import listed_ahead
from core.storage._listing.pages import pages
from core.storage._objects import ObjectInfo
from core.storage._public import public
from core.storage.settings import Settings


@public
def list_objects(
    bucket: str,
    prefix: str = "",
    *,
    suffixes: str | Iterable[str] = (),
    limit: int | None = None,
    workers: int = 1,
) -> Iterator[ObjectInfo]:
    """The objects of `bucket` whose keys start with `prefix`, in the order of the store.

    That is by UTF-8 bytes, but on SeaweedFS 4.48, where ``a/1`` comes before ``a.mp4``.

    Lazy: a page of up to 1,000 is requested when the iteration gets there, and from the second on one page ahead;
    each request is retried. Memory does not grow with the number of keys. Folder markers (keys that end in
    ``/``) are left out.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        prefix: what the keys start with; end it with ``/`` to mean a folder.
        suffixes: keep only keys that end in one of these, upper and lower case alike: ``(".mp4", ".mov")``.
        limit: stop after this many objects.
        workers: how many folders below `prefix` (up to the next ``/``) to list at a time, ahead of the iteration:
            for many keys in several folders, on a store that is far. The order is that of the bytes of the keys.

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
    endings = (suffixes,) if isinstance(suffixes, str) else tuple(suffixes)
    # With suffixes it is not known how many keys must be read for `limit` of them.
    size = PAGE if limit is None or endings else min(limit, PAGE)
    found = _objects(bucket, prefix, size, workers, settings)
    return islice(_chosen(found, tuple(one.lower() for one in endings)), limit)


def _chosen(objects: Iterable[ObjectInfo], suffixes: tuple[str, ...]) -> Iterator[ObjectInfo]:
    for one in objects:
        if not one.key.endswith("/") and (not suffixes or one.key.lower().endswith(suffixes)):
            yield one


def _objects(bucket: str, prefix: str, size: int, workers: int, settings: Settings | None) -> Iterator[ObjectInfo]:
    known = settings or current_settings()  # one set of settings from the first page to the last
    if workers == 1:
        for page in pages(bucket, prefix, known, size=size):
            yield from page.objects
        return
    yield from listed_ahead(bucket, prefix, workers, known)
