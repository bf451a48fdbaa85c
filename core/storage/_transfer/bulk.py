"""Many transfers at once in bounded memory, for an iterator of items and an iterator of results."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.storage import _engine
from core.storage._config.current import current_settings
from core.storage._errors import StorageError
from core.storage._progress import Report, guarded
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.items import END, Feeder, Items
from core.storage.settings import Settings

_MOST = 256
#: Results per worker that may wait for the caller.
_WAITING = 4
#: Seconds for which a result waits for others: passing several at once to the caller costs as much as one.
_TOGETHER = 0.004
#: Results after which the caller's thread tells the event loop that there is room for more.
_STEP = 8
#: Seconds between two calls of the progress callback.
_TICK = 0.2

_Item = TypeVar("_Item")


class Counter:
    """The settings of a bulk transfer, and the number of bytes that it has moved."""

    def __init__(self, settings: Settings | None) -> None:
        """Use `settings`, or else the current settings; if these are wrong, `settings()` raises for each item."""
        self.bytes = 0
        self._settings: Settings | StorageError
        try:
            self._settings = settings or current_settings()
        except StorageError as error:
            self._settings = error

    def settings(self) -> Settings:
        """Return the settings of the whole bulk transfer, or raise why there are none."""
        if isinstance(self._settings, StorageError):
            raise self._settings
        return self._settings

    def report(self) -> Report:
        """Return the report of one transfer."""
        return Report(self._add)

    def _add(self, count: int) -> None:
        self.bytes += count


@dataclass(eq=False)
class Bulk(Generic[_Item]):
    """Coroutines that call `work` for the items of an iterator, `workers` at a time."""

    items: Iterable[_Item] | AsyncIterable[_Item]
    work: Callable[[_Item, Counter], Coroutine[Any, Any, TransferResult[_Item]]]
    workers: int
    progress: Callable[[BulkProgress], object] | None
    settings: Settings | None = None

    def __post_init__(self) -> None:
        if type(self.workers) is not int or not 1 <= self.workers <= _MOST:
            raise ValueError(f"workers must be a whole number from 1 to {_MOST}, got {self.workers!r}")
        self._iterator: Any = aiter(self.items) if isinstance(self.items, AsyncIterable) else iter(self.items)
        self._progress = guarded(self.progress)
        self._counter: Counter
        self._items_done = self._failed = self._skipped = 0
        self._reported = 0.0
        #: Used in the event loop: results to post together, and the number of all that the caller has not taken.
        self._together: list[TransferResult[_Item]] = []
        self._waiting = 0
        self._room = asyncio.Event()

    def run(self) -> Generator[TransferResult[_Item], None, None]:
        """Yield the results as items finish. Closing the generator stops all work and waits for it."""
        if isinstance(self._iterator, AsyncIterator):
            raise TypeError("the items come from an asynchronous iterator: use the functions of core.storage.aio")
        self._counter = Counter(self.settings)
        with (
            Feeder(self._iterator, 2 * self.workers) as feeder,
            _engine.Started[None]() as started,
        ):
            started.start(self._work_on_all(feeder, started.post))
            while (results := self._received(started)) is not _engine.ENDED:
                for start in range(0, len(results), _STEP):
                    step = results[start : start + _STEP]
                    for result in step:
                        self._count(result)
                        yield result
                    _engine.call_soon(self._has_room, len(step))
            started.result()
            if feeder.error is not None:  # not in the event loop, which a KeyboardInterrupt would end
                raise feeder.error
        self._report(final=True)

    async def run_here(self) -> AsyncGenerator[TransferResult[_Item], None]:
        """Do as `run` in the running event loop, for an iterable or asynchronous iterable of items."""
        self._counter = Counter(self.settings)
        items = Items[_Item](self._iterator)
        inbox: asyncio.Queue[Any] = asyncio.Queue()
        task = asyncio.create_task(self._work_on_all(items, inbox.put_nowait))
        task.add_done_callback(lambda _: inbox.put_nowait(_engine.ENDED))
        try:
            while (results := await self._awaited(inbox)) is not _engine.ENDED:
                for result in results:
                    self._count(result)
                    yield result
                self._has_room(len(results))
            await task
            if items.error is not None:
                raise items.error
        finally:
            await _engine.cancel_all([task])
        self._report(final=True)

    async def _awaited(self, inbox: asyncio.Queue[Any]) -> Any:
        while self.progress:
            with suppress(TimeoutError):
                return await asyncio.wait_for(inbox.get(), _TICK)
            self._report()
        return await inbox.get()

    def _received(self, started: _engine.Started[None]) -> Any:
        while True:
            try:
                return started.receive(_TICK if self.progress else None)
            except queue.Empty:
                self._report()

    def _count(self, result: TransferResult[_Item]) -> None:
        self._items_done += 1
        self._failed += not result.ok
        self._skipped += result.skipped
        self._report()

    def _report(self, *, final: bool = False) -> None:
        if self.progress is None or (time.monotonic() - self._reported < _TICK and not final):
            return
        self._reported = time.monotonic()
        self._progress(BulkProgress(self._items_done, self._failed, self._skipped, self._counter.bytes))

    async def _work_on_all(self, feeder: Feeder[_Item] | Items[_Item], post: Callable[[object], None]) -> None:
        try:
            await _engine.all_done(self._serve(feeder, post) for _ in range(self.workers))
        finally:
            self._post(post)

    async def _serve(self, feeder: Feeder[_Item] | Items[_Item], post: Callable[[object], None]) -> None:
        """Work on one item after another, until the last."""
        while (item := await feeder.next()) is not END:
            result = await self.work(item, self._counter)
            if not self._together:
                asyncio.get_running_loop().call_later(_TOGETHER, self._post, post)
            self._together.append(result)
            self._waiting += 1
            if self._waiting >= self.workers * _WAITING:
                self._post(post)
                self._room.clear()
                await self._room.wait()

    def _post(self, post: Callable[[object], None]) -> None:
        if self._together:
            post(self._together)
            self._together = []

    def _has_room(self, results: int) -> None:
        self._waiting -= results
        self._room.set()
