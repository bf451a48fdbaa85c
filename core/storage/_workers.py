"""Worker threads of the event loop, for functions that block and for hashes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

_T = TypeVar("_T")
_Job = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]


class Workers:
    """As many threads as have work at once. They are kept, and end with the process, whatever they wait for.

    Not those of `concurrent.futures`, which take no work when the process ends, and transfers clean up then.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def submit(self, function: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        """Have a thread call the function. Called in the loop, where the future gets its result."""
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
            future.get_loop().call_soon_threadsafe(_end, future, result, error)
            del future, function, arguments, result, error  # an idle thread keeps nothing


def _end(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
