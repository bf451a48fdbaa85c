"""The items of a bulk transfer, taken from their iterator when they are needed."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from core.storage import _engine

_Item = TypeVar("_Item")
#: Follows the last item.
END: Any = object()


async def each(items: Iterable[_Item] | AsyncIterable[_Item]) -> AsyncGenerator[_Item, None]:
    """Yield the items of an iterable or asynchronous iterable."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class Items(Generic[_Item]):
    """Takes items in the event loop, one for each worker that asks."""

    def __init__(self, items: Iterable[_Item] | AsyncIterable[_Item]) -> None:
        #: What the iterator raised.
        self.error: Exception | None = None
        self._items = each(items)
        self._turn = asyncio.Lock()
        self._ended = False

    async def next(self) -> _Item:
        """Return the next item, or `END`."""
        async with self._turn:
            item = END
            if not self._ended:
                try:
                    item = await anext(self._items, END)
                except Exception as error:  # noqa: BLE001  # of the caller's iterator: raised after its last result
                    self.error = error
            self._ended = item is END
            return item  # type: ignore[no-any-return]  # it may be END


class Feeder(Generic[_Item]):
    """A context manager that takes items in its own thread: their iterator may block, or use this library.

    Leaving it waits for the thread, which takes no further item.
    """

    def __init__(self, items: Iterator[_Item], ahead: int) -> None:
        """Prepare the thread, which takes up to `ahead` items before they are needed."""
        #: What the iterator raised.
        self.error: BaseException | None = None
        self._items = items
        self._waiting: deque[_Item] = deque()
        self._ended = False
        #: How many more items the thread may take; 0 ends it. One number for several items wakes the thread once.
        self._room: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._room.put(ahead)
        self._step = (ahead + 1) // 2
        self._used = 0
        self._stopped = False
        #: One for each worker that waits for an item.
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._feed,), name="mpr-items", daemon=True
        )

    def __enter__(self) -> Feeder[_Item]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._room.put(0)
        if not _engine.is_here():  # the garbage collector may close an abandoned generator in the event loop
            self._thread.join()

    async def next(self) -> _Item:
        """Return the next item, or `END`. Called in the event loop."""
        while not self._waiting:
            if self._ended:
                return END  # type: ignore[no-any-return]  # it is no item
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            if self._waiting or self._ended:  # the thread may have added an item before it could see the waiter
                self._waiters.remove(waiter)
            else:
                await waiter
        self._used += 1
        if self._used >= self._step:
            self._room.put(self._used)
            self._used = 0
        return self._waiting.popleft()

    def _feed(self) -> None:
        try:
            while count := self._room.get():
                for _ in range(count):
                    item = END if self._stopped else next(self._items, END)
                    if item is END:
                        return
                    self._waiting.append(item)
                    if self._waiters:
                        _engine.call_soon(self._wake)
        except BaseException as error:  # noqa: BLE001  # of the caller's iterator: raised after its last result
            self.error = error
        finally:
            self._ended = True
            _engine.call_soon(self._wake)

    def _wake(self) -> None:
        count = len(self._waiters)
        for _ in range(count if self._ended else min(count, len(self._waiting))):
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
