"""Request the pages of a listing, each one before it is needed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from contextlib import closing
from typing import cast
from urllib.parse import quote

from core.storage import _engine, _telemetry
from core.storage._errors import StorageError
from core.storage._http.limits import PAGE
from core.storage._http.request import Request, exchange
from core.storage._http.response import leaves
from core.storage._listing.page import Page, parsed
from core.storage.settings import Settings

_TOKEN = re.compile(rb"<NextContinuationToken>([^<&]+)</NextContinuationToken>")


class Pages:
    """The pages of a listing; with a delimiter, the keys below each folder count as one folder.

    An iteration requests one page ahead, from the second page on. To read several listings ahead, call `start`,
    iterate over `rest`, then `close`.
    """

    def __init__(
        self, bucket: str, prefix: str, settings: Settings, *, size: int = PAGE, delimiter: str = ""
    ) -> None:
        self._bucket = bucket
        self._settings = settings
        self._query = f"list-type=2&encoding-type=url&max-keys={size}&prefix={quote(prefix, safe='')}"
        if delimiter:
            self._query += f"&delimiter={quote(delimiter, safe='')}"
        self._allowed = asyncio.Semaphore(0)
        self._started = _engine.Started[None]()

    def __iter__(self) -> Generator[Page, None, None]:
        with closing(self):
            self.start(1)
            page = self._next()
            yield page
            if page.truncated:
                self._allow(1)  # a caller that reads a second page will read a third
                yield from self.rest()

    def start(self, ahead: int) -> None:
        """Request up to `ahead` pages now."""
        self._started.start(self._request_all())
        self._allow(ahead)

    def rest(self) -> Generator[Page, None, None]:
        """Yield the remaining pages, and request a further one for each.

        Raises:
            StorageError: as the error tree says.
        """
        truncated = True
        while truncated:
            self._allow(1)
            page = self._next()
            yield page
            truncated = page.truncated

    def close(self) -> None:
        """Cancel the requests, and drop the pages that were not read."""
        self._started.close()

    def _allow(self, count: int) -> None:
        for _ in range(count):
            _engine.call_soon(self._allowed.release)

    def _next(self) -> Page:
        page = self._started.receive()
        if page is not _engine.ENDED:
            return cast("Page", page)
        self._started.result()
        raise StorageError(
            f"the store says that the listing of {self._bucket} goes on, but not where: it cannot be completed",
            bucket=self._bucket,
            operation="ListObjectsV2",
        )

    async def _request_all(self) -> None:
        seen: set[int] = set()  # hashes, because tokens are long
        request = await self._next_request("")
        try:
            while True:
                body = await request
                token = _token_in(body)
                is_new = bool(token) and hash(token) not in seen
                seen.add(hash(token))
                # It is sent before the page is parsed. In the loop too: two threads would wait for each other.
                is_ahead = is_new and not self._allowed.locked()
                if is_ahead:
                    request = await self._next_request(token)
                self._started.post(parsed(body, self._bucket))
                if not is_new:
                    return
                if not is_ahead:
                    request = await self._next_request(token)
        finally:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)

    async def _next_request(self, token: str) -> asyncio.Task[bytes]:
        await self._allowed.acquire()
        continuation = f"&continuation-token={quote(token, safe='')}" if token else ""
        request = asyncio.create_task(self._request(self._query + continuation))
        await asyncio.sleep(0)  # it is sent
        return request

    async def _request(self, query: str) -> bytes:
        with _telemetry.span("list_objects", self._bucket), _telemetry.measured("list", self._bucket):
            request = Request("ListObjectsV2", self._bucket, query=query)
            return (await exchange(request, self._settings)).body


def _token_in(body: bytes) -> str:
    """Return the continuation token, by a search instead of parsing if possible; empty if there is none."""
    if match := _TOKEN.search(body):
        return match[1].decode("utf-8", "replace")
    return leaves(body).get("NextContinuationToken", "") if b"NextContinuationToken" in body else ""
