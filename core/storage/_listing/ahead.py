"""The next page of a listing on its way, while the one before it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import copy_context
from threading import Thread

_TOKEN = re.compile(rb"<NextContinuationToken>([^<&]+)</NextContinuationToken>")


def token_in(body: bytes) -> str | None:
    """Where the listing goes on, found without reading the page; None where it must be read first."""
    found = _TOKEN.search(body)
    return found[1].decode() if found else None


class Ahead:
    """Fetches pages, one of them ahead."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._query = ""
        self._thread: Thread | None = None
        self._found: bytes | BaseException = b""

    def start(self, query: str) -> None:
        """Begin to fetch what will be asked for next."""
        self._query = query
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="mpr-list", daemon=True)
        self._thread.start()

    def page(self, query: str) -> bytes:
        """The answer to the query, from ahead if it is that one.

        Raises:
            StorageError: as `core.storage._request.call`.
        """
        if self._thread is None or query != self._query:
            return self._fetch(query)
        self._thread.join()
        self._thread = None
        if isinstance(self._found, BaseException):
            raise self._found
        return self._found

    def _run(self) -> None:
        try:
            self._found = self._fetch(self._query)
        except BaseException as error:  # noqa: BLE001  # whatever it is: `page` raises it
            self._found = error
