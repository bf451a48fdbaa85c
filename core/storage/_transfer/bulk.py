"""Many transfers at once, in bounded memory: items come in as they are taken up, results go out as they come."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from core.storage import _engine
from core.storage._log import logger
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.counter import Counter
from core.storage._transfer.feeder import END, Feeder
from core.storage.settings import Settings

_MOST = 256
#: Results that may wait for their consumer, for each worker.
_WAITING = 4
#: Seconds for which a result may wait for others: handing over several at once costs as much as one.
_TOGETHER = 0.004
#: Results after which the workers hear of the room for more.
_STEP = 8
#: Seconds between two looks at the progress.
_TICK = 0.2

_Item = TypeVar("_Item")


def check_workers(workers: int) -> None:
    """Refuse a number of workers that makes no sense, before anything starts."""
    if type(workers) is not int or not 1 <= workers <= _MOST:
        raise ValueError(f"workers must be a whole number from 1 to {_MOST}, got {workers!r}")


class Bulk(Generic[_Item]):
    """Coroutines that work on the items of an iterator."""

    def __init__(
        self,
        items: Iterable[_Item],
        work: Callable[[_Item, Counter], Coroutine[Any, Any, TransferResult[_Item]]],
        workers: int,
        progress: Callable[[BulkProgress], object] | None,
        settings: Settings | None = None,
    ) -> None:
        self._items = iter(items)
        self._work = work
        self._workers = workers
        self._progress = progress
        self._settings = settings
        self._counter: Counter
        self._items_done = self._failed = self._skipped = 0
        self._reported = 0.0
        #: Of the event loop: results that are handed over together, and how many there are with those before.
        self._together: list[TransferResult[_Item]] = []
        self._waiting = 0
        self._room = asyncio.Event()

    def run(self) -> Generator[TransferResult[_Item], None, None]:
        """Yield the results as items finish. Closing the iterator stops everything and waits for it."""
        self._counter = Counter(self._settings)
        with (
            Feeder(self._items, 2 * self._workers) as feeder,
            _engine.Started[None]() as started,
        ):
            started.start(self._work_on_all(feeder, started.post))
            yield from self._collected(started)
            started.result()
            feeder.raise_error()
        self._report(final=True)

    def _collected(self, started: _engine.Started[None]) -> Iterator[TransferResult[_Item]]:
        while (results := self._received(started)) is not _engine.ENDED:
            for start in range(0, len(results), _STEP):
                step = results[start : start + _STEP]
                for result in step:
                    self._count(result)
                    yield result
                _engine.call_soon(self._has_room, len(step))

    def _received(self, started: _engine.Started[None]) -> Any:
        while self._progress:
            try:
                return started.receive(_TICK)
            except queue.Empty:
                self._report()
        return started.receive()

    def _count(self, result: TransferResult[_Item]) -> None:
        self._items_done += 1
        self._failed += not result.ok
        self._skipped += result.skipped
        self._report()

    def _report(self, *, final: bool = False) -> None:
        if self._progress is None or (time.monotonic() - self._reported < _TICK and not final):
            return
        self._reported = time.monotonic()
        try:
            self._progress(BulkProgress(self._items_done, self._failed, self._skipped, self._counter.bytes))
        except Exception:  # noqa: BLE001  # it is the caller's code: anything may come out of it
            self._progress = None
            logger.exception("the progress callback failed; the transfers go on without it")

    async def _work_on_all(self, feeder: Feeder[_Item], post: Callable[[object], None]) -> None:
        try:
            await _engine.all_done(self._serve(feeder, post) for _ in range(self._workers))
        finally:
            self._hand_over(post)

    async def _serve(self, feeder: Feeder[_Item], post: Callable[[object], None]) -> None:
        """Work on one item after another, until there is none left."""
        while (item := await feeder.next()) is not END:
            result = await self._work(item, self._counter)
            if not self._together:
                asyncio.get_running_loop().call_later(_TOGETHER, self._hand_over, post)
            self._together.append(result)
            self._waiting += 1
            if self._waiting >= self._workers * _WAITING:
                self._hand_over(post)
                self._room.clear()
                await self._room.wait()

    def _hand_over(self, post: Callable[[object], None]) -> None:
        if self._together:
            post(self._together)
            self._together = []

    def _has_room(self, results: int) -> None:
        self._waiting -= results
        self._room.set()
