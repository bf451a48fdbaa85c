"""The pages of a listing, the next of which is requested before it is needed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from typing import Self, cast
from urllib.parse import quote

from core.storage import _engine, _telemetry
from core.storage._errors import StorageError
from core.storage._http.limits import PAGE
from core.storage._http.request import Request, exchange
from core.storage._http.response import leaves
from core.storage._listing.page import Page, parsed
from core.storage.settings import Settings

_TOKEN = re.compile(rb"<NextContinuationToken>([^<&]+)</NextContinuationToken>")


def pages(
    bucket: str, prefix: str, settings: Settings, *, size: int = PAGE, delimiter: str = ""
) -> Generator[Page, None, None]:
    """Yield the pages of a listing; with a delimiter, what is below it counts as one folder."""
    with Pages(bucket, prefix, settings, size=size, delimiter=delimiter) as found:
        # A caller that reads a second page will read a third; one that only wants the first costs nothing more.
        for allowed in (1, 2):
            found.allow(allowed)
            page = found.next()
            yield page
            if not page.truncated:
                return
        yield from found.rest()


class Pages:
    """The pages of a listing, requested in the event loop as far ahead as they are allowed.

    A context manager, which ends the requests.
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

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin; nothing is requested before `allow`."""
        self._started.start(self._request_all())

    def close(self) -> None:
        """End the requests; what they brought is dropped."""
        self._started.close()

    def allow(self, count: int) -> None:
        """Have so many further pages requested."""
        for _ in range(count):
            _engine.call_soon(self._allowed.release)

    def next(self) -> Page:
        """Return the next page, one that was allowed.

        Raises:
            StorageError: as the error tree says.
        """
        page = self._started.receive()
        if page is not _engine.ENDED:
            return cast("Page", page)
        self._started.result()
        raise StorageError(
            f"the store says that the listing of {self._bucket} goes on, but not where: it cannot be completed",
            bucket=self._bucket,
            operation="ListObjectsV2",
        )

    def rest(self) -> Generator[Page, None, None]:
        """Yield the pages that are left; for each, a further one is allowed."""
        truncated = True
        while truncated:
            self.allow(1)
            page = self.next()
            yield page
            truncated = page.truncated

    async def _request_all(self) -> None:
        seen: set[int] = set()  # hashes, because tokens are long
        request = await self._next_request("")
        try:
            while True:
                body = await request
                token = _token_in(body)
                goes_on = bool(token) and hash(token) not in seen
                seen.add(hash(token))
                # It is sent before the page is parsed. In the loop too: two threads would wait for each other.
                is_ahead = goes_on and not self._allowed.locked()
                if is_ahead:
                    request = await self._next_request(token)
                self._started.post(parsed(body, self._bucket))
                if not goes_on:
                    return
                if not is_ahead:
                    request = await self._next_request(token)
        finally:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)

    async def _next_request(self, token: str) -> asyncio.Task[bytes]:
        await self._allowed.acquire()
        more = f"&continuation-token={quote(token, safe='')}" if token else ""
        request = asyncio.create_task(self._request(self._query + more))
        await asyncio.sleep(0)  # it is sent
        return request

    async def _request(self, query: str) -> bytes:
        with _telemetry.span("list_objects", self._bucket), _telemetry.measured("list", self._bucket):
            request = Request("ListObjectsV2", self._bucket, query=query)
            return (await exchange(request, self._settings)).body


def _token_in(body: bytes) -> str:
    """Return where the listing goes on, without reading the page if that can be; empty: nowhere."""
    if found := _TOKEN.search(body):
        return found[1].decode("utf-8", "replace")
    return leaves(body).get("NextContinuationToken", "") if b"NextContinuationToken" in body else ""
