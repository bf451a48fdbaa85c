"""Many transfers at once, in bounded memory: items come in as they are taken up, results go out as they come."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar

from core.storage._config.current import current_settings
from core.storage._errors import StorageError
from core.storage._log import logger
from core.storage._results import BulkProgress, TransferResult
from core.storage.settings import Settings

#: Enough for small objects on a network with some delay; on one machine, 8 are as fast.
WORKERS = 16
#: Results that may wait for their consumer, for each worker.
_WAITING = 4
#: Seconds between two looks at the progress.
_TICK = 0.2

_Item = TypeVar("_Item")


class CancelledError(StorageError):
    """The consumer of a bulk transfer left: what was on its way is given up."""


class Counter:
    """Bytes moved by all workers, and the order to stop."""

    def __init__(self, settings: Settings | None) -> None:
        self._lock = threading.Lock()
        self.bytes = 0
        self._settings = settings
        self.stopped = threading.Event()

    def add(self, count: int) -> None:
        """Count bytes, from any thread.

        Raises:
            CancelledError: nobody wants them any more.
        """
        with self._lock:
            self.bytes += count
        if self.stopped.is_set():
            raise CancelledError("the bulk transfer was given up")

    def settings(self) -> Settings:
        """Return the settings of the whole bulk transfer: those that are current when its first item begins."""
        with self._lock:
            if self._settings is None:
                self._settings = current_settings()
            return self._settings

    def share(self) -> Share:
        """The report of one transfer."""
        return Share(self)


class Share:
    """Counts the bytes of one transfer, each once."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._reached = 0

    def reached(self, position: int) -> None:
        """The transfer stands at `position` bytes."""
        self._counter.add(max(0, position - self._reached))
        self._reached = max(self._reached, position)

    def advanced(self, count: int) -> None:
        """A further `count` bytes are done."""
        self._counter.add(count)


def check_workers(workers: int) -> None:
    """Refuse a number of workers that makes no sense, before anything starts."""
    if type(workers) is not int or not 1 <= workers <= _MOST:
        raise ValueError(f"workers must be a whole number from 1 to {_MOST}, got {workers!r}")


_MOST = 256


class Bulk(Generic[_Item]):
    """A pool of workers over an iterator of items."""

    def __init__(
        self,
        items: Iterable[_Item],
        work: Callable[[_Item, Counter], TransferResult[_Item]],
        workers: int,
        progress: Callable[[BulkProgress], object] | None,
        settings: Settings | None = None,
    ) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()
        self._work = work
        self._workers = workers
        self._progress = progress
        self._counter = Counter(settings)
        self._results: queue.Queue[Any] = queue.Queue(maxsize=workers * _WAITING)
        self._items_done = self._failed = self._skipped = 0
        self._reported = 0.0

    def run(self) -> Generator[TransferResult[_Item], None, None]:
        """Yield the results as items finish. Closing the iterator stops everything and waits for it."""
        threads = [
            threading.Thread(
                target=copy_context().run, args=(self._serve,), name=f"mpr-bulk-{number}", daemon=True
            )
            for number in range(self._workers)
        ]
        # At the end of the process too, so that it leaves no half-written files: daemon threads just stop.
        stop = partial(self._stop, threads)
        atexit.register(stop)
        for thread in threads:
            thread.start()
        try:
            yield from self._collected(len(threads))
        finally:
            stop()
            atexit.unregister(stop)

    def _stop(self, threads: list[threading.Thread]) -> None:
        self._counter.stopped.set()
        for thread in threads:
            while thread.is_alive():
                self._drain()
                thread.join(0.01)

    def _collected(self, serving: int) -> Iterator[TransferResult[_Item]]:
        while serving:
            try:
                found = self._results.get(timeout=_TICK)
            except queue.Empty:
                self._report()
                continue
            if found is None:
                serving -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                self._count(found)
                yield found
        self._report(final=True)

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
            logger().exception("the progress callback failed; the transfers go on without it")

    def _serve(self) -> None:
        """One worker: item after item, until there is none left or nobody wants more."""
        try:
            while not self._counter.stopped.is_set():
                with self._lock:
                    item = next(self._items, _END)
                if item is _END:
                    break
                self._results.put(self._work(item, self._counter))  # type: ignore[arg-type]  # it is an item
        except CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001  # of the caller's iterator, or a mistake here: it is raised there
            self._results.put(error)
        self._results.put(None)

    def _drain(self) -> None:
        try:
            while True:
                self._results.get_nowait()
        except queue.Empty:
            return


_END = object()
