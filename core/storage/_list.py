"""Listing a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from core.storage._errors import StorageError
from core.storage._request import Request, call

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo

#: The most keys that S3 answers with at once.
_PAGE = 1000


def list_objects(
    bucket: str, prefix: str = "", *, suffixes: str | Iterable[str] = (), limit: int | None = None
) -> Iterator[ObjectInfo]:
    """The objects of `bucket` whose keys start with `prefix`, in the order of the store (by UTF-8 bytes).

    Lazy: a page of up to 1,000 is requested when the iteration gets there, and each request is retried. Folder
    markers (keys that end in ``/``) are left out.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        prefix: what the keys start with; end it with ``/`` to mean a folder.
        suffixes: keep only keys that end in one of these, upper and lower case alike: ``(".mp4", ".mov")``.
        limit: stop after this many objects.

    Raises:
        ValueError: at the call, if `limit` is less than 1.
        StorageError: during the iteration, as the error tree says.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    endings = (suffixes,) if isinstance(suffixes, str) else tuple(suffixes)
    return _objects(bucket, prefix, tuple(one.lower() for one in endings), limit)


def _objects(bucket: str, prefix: str, suffixes: tuple[str, ...], limit: int | None) -> Iterator[ObjectInfo]:
    # With suffixes nobody knows how many keys must be looked at for `limit` of them.
    pages = _pages(bucket, prefix, _PAGE if limit is None or suffixes else min(limit, _PAGE))
    left = limit
    for found in (found for page in pages for found in page):
        if found.key.endswith("/") or (suffixes and not found.key.lower().endswith(suffixes)):
            continue
        yield found
        if left is not None:
            left -= 1
            if not left:
                return


def _pages(bucket: str, prefix: str, size: int) -> Iterator[list[ObjectInfo]]:
    from urllib.parse import quote  # noqa: PLC0415  # with the next

    from core.storage._page import parsed  # noqa: PLC0415  # the parser, when there is something to parse

    start = f"list-type=2&encoding-type=url&max-keys={size}&prefix={quote(prefix, safe='')}"
    token = None
    while True:
        query = start if token is None else f"{start}&continuation-token={quote(token, safe='')}"
        page = parsed(call(Request("ListObjectsV2", bucket, query=query)).body, bucket)
        yield page.objects
        if not page.truncated:
            return
        if not page.token or page.token == token:
            raise StorageError(
                f"the store says that the listing of {bucket} goes on, but not where: it cannot be completed",
                bucket=bucket,
                operation="ListObjectsV2",
            )
        token = page.token
