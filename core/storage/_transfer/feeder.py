"""The items of a bulk transfer, taken from their iterator as they are needed."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from core.storage import _engine

_Item = TypeVar("_Item")
#: What comes after the last item.
END: Any = object()


class Feeder(Generic[_Item]):
    """Takes items in a thread of its own, because the iterator may block, or use this library.

    A context manager: leaving it waits for that thread, which takes no further item.
    """

    def __init__(self, items: Iterator[_Item], ahead: int) -> None:
        """Take the items one at a time; `ahead` of them may wait."""
        self._items = items
        self._waiting: deque[_Item] = deque()
        self._ended = False
        self._error: BaseException | None = None
        #: How many more may be taken; 0: none at all. One message for several items wakes the thread once.
        self._room: SimpleQueue[int] = SimpleQueue()
        self._room.put(ahead)
        self._step = (ahead + 1) // 2
        self._used = 0
        self._stopped = False
        self._hungry: deque[asyncio.Future[None]] = deque()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._feed,), name="mpr-items", daemon=True
        )

    def __enter__(self) -> Feeder[_Item]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._room.put(0)
        if not _engine.is_here():  # where the garbage collector closes a generator that was left
            self._thread.join()

    async def next(self) -> _Item:
        """Return the next item, or `END`. Called in the event loop."""
        while not self._waiting:
            if self._ended:
                return END  # type: ignore[no-any-return]  # it is no item
            hungry = asyncio.get_running_loop().create_future()
            self._hungry.append(hungry)
            if self._waiting or self._ended:  # since then, in the other thread
                self._hungry.remove(hungry)
            else:
                await hungry
        self._used += 1
        if self._used >= self._step:
            self._room.put(self._used)
            self._used = 0
        return self._waiting.popleft()

    def raise_error(self) -> None:
        """Raise what the iterator raised, after its last item.

        Not in the event loop, which would not survive a KeyboardInterrupt.
        """
        if self._error is not None:
            raise self._error

    def _feed(self) -> None:
        try:
            while count := self._room.get():
                for _ in range(count):
                    item = END if self._stopped else next(self._items, END)
                    if item is END:
                        return
                    self._waiting.append(item)
                    if self._hungry:
                        _engine.call_soon(self._wake)
        except BaseException as error:  # noqa: BLE001  # of the caller's iterator: it is raised where the results are
            self._error = error
        finally:
            self._ended = True
            _engine.call_soon(self._wake)

    def _wake(self) -> None:
        count = len(self._hungry)
        for _ in range(count if self._ended else min(count, len(self._waiting))):
            hungry = self._hungry.popleft()
            if not hungry.done():
                hungry.set_result(None)
