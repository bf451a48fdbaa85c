"""The event loop of this process: one background thread in which every request runs.

One thread with one loop moves many small objects faster than many threads, which spend half of their time handing
each other the interpreter (docs/transfers.md has the figures). The public functions wait for the loop.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from core.storage._errors import StorageError
from core.storage._workers import Workers

_T = TypeVar("_T")
#: The last message of a coroutine.
ENDED = object()
#: Seconds that the end of the process waits for transfers to clean up.
_END = 30.0


class _Loop(asyncio.SelectorEventLoop):
    def __del__(self) -> None:
        """Leave out asyncio's warning of a loop that was not closed: this one ends with the process."""


class _Engine:
    """A loop and the thread that runs it, until the process ends."""

    def __init__(self) -> None:
        self.loop = _Loop()
        self.workers = Workers()
        self._thread = threading.Thread(target=self.loop.run_forever, name="mpr-storage", daemon=True)
        self._thread.start()

    def is_here(self) -> bool:
        """Whether this is the thread of the loop, which must not wait for itself."""
        return threading.get_ident() == self._thread.ident


_engine: _Engine | None = None
_lock = threading.Lock()
#: Engines of the parents of this process. A task that was collected here would clean up what is the parent's.
_inherited: list[_Engine | None] = []
#: What runs in the loop at the end of the process, after the transfers.
at_end: list[Callable[[], Coroutine[Any, Any, None]]] = []


def _current() -> _Engine:
    global _engine  # noqa: PLW0603  # one for the process
    if _engine is None:
        with _lock:
            if _engine is None:
                _engine = _Engine()
    return _engine


class Started(Generic[_T]):
    """A coroutine that runs in the loop, and the thread that waits for it and for its messages.

    A context manager: leaving it before the end cancels the coroutine, and waits until that has cleaned up.
    """

    def __init__(self) -> None:
        self._engine = _current()
        self._inbox: SimpleQueue[object] = SimpleQueue()
        self._task: asyncio.Task[_T] | None = None
        self._ended = True

    def __enter__(self) -> Started[_T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> None:
        """Have the loop run the coroutine, with the context variables of the calling thread.

        Raises:
            RuntimeError: this is the thread of the loop, which would wait for itself.
        """
        if self._engine.is_here():
            coroutine.close()
            raise RuntimeError(
                "core.storage was called in the thread of its own event loop, as by a handler of its log records: "
                "have the handler do its work in another thread (logging.handlers.QueueHandler)"
            )
        self._ended = False
        self._engine.loop.call_soon_threadsafe(self._begin, coroutine, copy_context())

    def close(self) -> None:
        """Cancel the coroutine if it has not ended, and wait until it has cleaned up."""
        if self._ended or self._engine is not _engine:  # the second: in a child of the process that started it
            return
        self._engine.loop.call_soon_threadsafe(self._cancel)
        if self._engine.is_here():  # where the garbage collector closes a generator that was left
            return
        while not self._ended:
            self.receive()

    def post(self, message: object) -> None:
        """Send a message to the waiting thread."""
        self._inbox.put(message)

    def receive(self, timeout: float | None = None) -> Any:
        """Return the next message; `ENDED` after the last.

        Raises:
            queue.Empty: none came in `timeout` seconds.
        """
        if self._engine is not _engine:
            raise RuntimeError("this transfer was started before the process was forked: start it in the child")
        message = self._inbox.get(timeout=timeout)
        self._ended = message is ENDED
        return message

    def result(self) -> _T:
        """Wait for the end, and return what the coroutine returns, or raise what it raises."""
        while not self._ended:
            self.receive()
        task, self._task = self._task, None  # or an exception and this object would keep each other
        assert task is not None  # noqa: S101  # it has ended, so it began
        if task.cancelled():
            raise StorageError("the process ends, so what was not done was given up")
        return task.result()

    def _begin(self, coroutine: Coroutine[Any, Any, _T], context: Context) -> None:
        self._task = self._engine.loop.create_task(coroutine, context=context)
        self._task.add_done_callback(lambda _: self._inbox.put(ENDED))

    def _cancel(self) -> None:
        if self._task is not None:
            _cancel_once(self._task)


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return what the coroutine returns, or raise what it raises, after it has run in the loop."""
    with Started[_T]() as started:
        started.start(coroutine)
        return started.result()


def is_here() -> bool:
    """Whether this is the thread of the loop."""
    return _engine is not None and _engine.is_here()


def end(coroutine: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run what closes or drops something of the loop, if there is a loop."""
    if _engine is not None:
        run(coroutine())


def call_soon(function: Callable[..., object], *arguments: Any) -> None:
    """Have the loop call the function, from any thread."""
    _current().loop.call_soon_threadsafe(function, *arguments)


async def in_worker(function: Callable[..., _T], *arguments: Any, abandon: bool = False) -> _T:
    """Return what the function returns, called in a worker thread.

    A cancellation waits until the function has returned: it may use a file or a buffer that are used again then.

    Args:
        function: blocks, or computes without the interpreter's lock.
        *arguments: of the function.
        abandon: whether a cancellation does not wait.
    """
    future = _current().workers.submit(function, *arguments)
    if abandon:
        return await future
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        raise


async def all_done(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines side by side; the first that fails, or a cancellation, ends the others, which clean up."""
    tasks = [asyncio.create_task(one) for one in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            _cancel_once(task)
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


def _cancel_once(task: asyncio.Task[Any]) -> None:
    """Cancel a task, unless it is cleaning up because of a cancellation already."""
    if not task.done() and not task.cancelling():
        task.cancel()


async def _end_tasks() -> None:
    """Cancel every other task, and wait until each has cleaned up."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        _cancel_once(task)
    if tasks:
        await asyncio.wait(tasks)


def _at_exit() -> None:
    # The loop goes on: another function that is called at the end of the process may use it.
    if _engine is None:
        return
    ending = Started[None]()
    ending.start(_end_tasks())
    with suppress(Empty):
        ending.receive(_END)
    for one in at_end:
        end(one)


def _after_fork() -> None:
    # The thread of the loop is not in the child, and a selector would change that of the parent.
    global _engine, _lock  # of this process
    _inherited.append(_engine)
    _engine, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
