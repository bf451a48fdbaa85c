"""Worker threads of the event loop, for functions that block and for hashes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

_T = TypeVar("_T")


class Workers:
    """As many threads as there are functions at once. They are reused, and end with the process.

    Not those of `concurrent.futures`, which accept no work while the process ends; transfers clean up then.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def submit(self, function: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        """Call the function in a thread, and return the future of its result. Must be called in the loop."""
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function, arguments))
        with self._lock:
            if self._idle:
                self._idle -= 1
                return future
        threading.Thread(target=self._serve, name="mpr-worker", daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            future, function, arguments = self._jobs.get()
            result, error = None, None
            try:
                result = function(*arguments)
            except BaseException as raised:  # noqa: BLE001  # it is raised where the future is awaited
                error = raised
            with self._lock:
                self._idle += 1
            future.get_loop().call_soon_threadsafe(_complete, future, result, error)
            del future, function, arguments, result, error  # an idle thread keeps nothing


def _complete(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
