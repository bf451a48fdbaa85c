"""The pages of a listing, the next of which is requested before it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.storage import _telemetry
from core.storage._errors import StorageError
from core.storage._http.request import Request, call

if TYPE_CHECKING:
    from core.storage._listing.page import Page
    from core.storage.settings import Settings

#: The most keys that S3 answers with at once.
PAGE = 1000


def pages(
    bucket: str, prefix: str, settings: Settings, *, size: int = PAGE, delimiter: str = ""
) -> Iterator[Page]:
    """Yield the pages of a listing; with a delimiter, what is below it counts as one folder."""
    from urllib.parse import quote  # noqa: PLC0415  # with the next

    from core.storage._listing.ahead import Ahead, token_in  # noqa: PLC0415  # threads, when there is a listing
    from core.storage._listing.page import parsed  # noqa: PLC0415  # the parser, when there is something to parse

    start = f"list-type=2&encoding-type=url&max-keys={size}&prefix={quote(prefix, safe='')}"
    if delimiter:
        start += f"&delimiter={quote(delimiter, safe='')}"
    ahead = Ahead(lambda query: _listed(bucket, query, settings))
    token = None
    seen: set[int] = set()  # hashes, because tokens are long
    while True:
        body = ahead.page(start if token is None else f"{start}&continuation-token={quote(token, safe='')}")
        # Whoever reads a second page will read a third; who only wanted the first costs nothing more.
        following = token_in(body)
        if token is not None and following not in {None, token}:
            ahead.start(f"{start}&continuation-token={quote(following or '', safe='')}")
        page = parsed(body, bucket)
        yield page
        if not page.truncated:
            return
        if not page.token or hash(page.token) in seen:
            raise StorageError(
                f"the store says that the listing of {bucket} goes on, but not where: it cannot be completed",
                bucket=bucket,
                operation="ListObjectsV2",
            )
        seen.add(hash(page.token))
        token = page.token


def _listed(bucket: str, query: str, settings: Settings) -> bytes:
    with _telemetry.span("list_objects", bucket), _telemetry.measured("list", bucket):
        return call(Request("ListObjectsV2", bucket, query=query), settings).body
