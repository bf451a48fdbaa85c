"""Request the pages of a listing, each one before it is needed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from urllib.parse import quote

from core.storage import _telemetry
from core.storage._engine import cancel_all
from core.storage._errors import StorageError
from core.storage._http.limits import PAGE
from core.storage._http.request import Request, exchange
from core.storage._http.response import leaves
from core.storage._listing.page import Page, parsed
from core.storage.settings import Settings

_TOKEN = re.compile(rb"<NextContinuationToken>([^<&]+)</NextContinuationToken>")


async def pages(
    bucket: str, prefix: str, settings: Settings, *, size: int = PAGE, delimiter: str = ""
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a listing; with a delimiter, the keys below each folder count as one folder.

    While the caller has the second page or a later one, the next is on its way: a caller that reads a second
    page will read a third.

    Raises:
        StorageError: as the error tree says.
    """
    query = f"list-type=2&encoding-type=url&max-keys={size}&prefix={quote(prefix, safe='')}"
    query += f"&delimiter={quote(delimiter, safe='')}" if delimiter else ""
    seen: set[int] = set()  # hashes, because tokens are long
    number = 0
    request = await _begin(bucket, query, settings)
    try:
        while True:
            body = await request
            number += 1
            token = _token_in(body)
            is_new = bool(token) and hash(token) not in seen
            seen.add(hash(token))
            following = f"{query}&continuation-token={quote(token, safe='')}"
            if is_new and number > 1:
                request = await _begin(bucket, following, settings)  # it is sent before the page is parsed
            page = parsed(body, bucket)
            yield page
            if not is_new:
                break
            if number == 1:
                request = await _begin(bucket, following, settings)
    finally:
        await cancel_all([request])
    if page.truncated:
        raise StorageError(
            f"the store says that the listing of {bucket} goes on, but not where: it cannot be completed",
            bucket=bucket,
            operation="ListObjectsV2",
        )


async def _begin(bucket: str, query: str, settings: Settings) -> asyncio.Task[bytes]:
    request = asyncio.create_task(_request(bucket, query, settings))
    await asyncio.sleep(0)  # it is sent
    return request


async def _request(bucket: str, query: str, settings: Settings) -> bytes:
    with _telemetry.span("list_objects", bucket), _telemetry.measured("list", bucket):
        return (await exchange(Request("ListObjectsV2", bucket, query=query), settings)).body


def _token_in(body: bytes) -> str:
    """Return the continuation token, by a search instead of parsing if possible; empty if there is none."""
    if match := _TOKEN.search(body):
        return match[1].decode("utf-8", "replace")
    return leaves(body).get("NextContinuationToken", "") if b"NextContinuationToken" in body else ""
