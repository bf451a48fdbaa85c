"""The event loop of this process: one background thread in which every request runs.

One thread with one loop transfers many small objects faster than many threads, which spend half of their time
waiting for the interpreter's lock (docs/reference/transfers.md has the figures). The public functions wait for the
loop.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable
from contextlib import aclosing, suppress
from contextvars import Context, copy_context
from itertools import count as count_up
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from core.storage._errors import StorageError
from core.storage._workers import Workers

_T = TypeVar("_T")
#: The last message of a coroutine.
ENDED = object()
#: Seconds that the end of the process waits for transfers to clean up.
_EXIT_TIMEOUT = 30.0


class _Loop(asyncio.SelectorEventLoop):
    """An event loop with the thread that runs it until the process ends."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = threading.Thread(target=self.run_forever, name="mpr-storage", daemon=True)
        self._runner.start()

    def __del__(self) -> None:
        """Leave out asyncio's warning of a loop that was not closed: this one ends with the process."""

    def is_here(self) -> bool:
        """Return whether this is the thread of the loop, which must not wait for itself."""
        return threading.get_ident() == self._runner.ident


_loop: _Loop | None = None
_lock = threading.Lock()
_workers = Workers()
#: Loops of the parents of this process: garbage collection of their tasks here would clean up the parent's files.
_inherited: list[_Loop | None] = []
#: Coroutine functions that run in the loop at the end of the process, after the transfers.
at_end: list[Callable[[], Coroutine[Any, Any, None]]] = []


def _current() -> _Loop:
    global _loop  # noqa: PLW0603  # one for the process
    if _loop is None:
        with _lock:
            if _loop is None:
                _loop = _Loop()
    return _loop


class Started(Generic[_T]):
    """A coroutine that runs in the loop, and the queue of its messages to the thread that waits for it.

    A context manager: leaving it before the end cancels the coroutine, and waits until that has cleaned up.
    """

    def __init__(self) -> None:
        self._loop = _current()
        self._messages: SimpleQueue[object] = SimpleQueue()
        self._task: asyncio.Task[_T] | None = None
        self._ended = True

    def __enter__(self) -> Started[_T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> None:
        """Run the coroutine in the loop, with the context variables of the calling thread.

        Raises:
            RuntimeError: this is the thread of the loop, which would wait for itself.
        """
        if self._loop.is_here():
            coroutine.close()
            raise RuntimeError(
                "core.storage was called in the thread of its own event loop, as by a handler of its log records: "
                "have the handler do its work in another thread (logging.handlers.QueueHandler)"
            )
        self._ended = False
        self._loop.call_soon_threadsafe(self._begin, coroutine, copy_context())

    def close(self) -> None:
        """Cancel the coroutine if it has not ended, and wait until it has cleaned up."""
        if self._ended or self._loop is not _loop:  # the second: in a child of the process that started it
            return
        self._loop.call_soon_threadsafe(self._cancel)
        if self._loop.is_here():  # the garbage collector, which runs in any thread, closes an abandoned generator
            return
        while not self._ended:
            self.receive()

    def post(self, message: object) -> None:
        """Send a message to the waiting thread."""
        self._messages.put(message)

    def receive(self, timeout: float | None = None) -> Any:
        """Return the next message; `ENDED` after the last.

        Raises:
            queue.Empty: no message arrived within `timeout` seconds.
        """
        if self._loop is not _loop:
            raise RuntimeError("this transfer was started before the process was forked: start it in the child")
        message = self._messages.get(timeout=timeout)
        self._ended = message is ENDED
        return message

    def result(self) -> _T:
        """Wait for the end, and return what the coroutine returns, or raise what it raises."""
        while not self._ended:
            self.receive()
        task, self._task = self._task, None  # or an exception and this object would keep each other
        assert task is not None  # noqa: S101  # it has ended, so it began
        if task.cancelled():
            raise StorageError("the operation was cancelled because the process ends; run it again")
        return task.result()

    def _begin(self, coroutine: Coroutine[Any, Any, _T], context: Context) -> None:
        self._task = self._loop.create_task(coroutine, context=context)
        self._task.add_done_callback(lambda _: self._messages.put(ENDED))

    def _cancel(self) -> None:
        if self._task is not None:
            cancel_once(self._task)


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run the coroutine in the loop, and return what it returns, or raise what it raises."""
    with Started[_T]() as started:
        started.start(coroutine)
        return started.result()


def iterate(generator: AsyncGenerator[_T, None]) -> Generator[_T, None, None]:
    """Iterate in this thread over an asynchronous generator that runs in the loop, item by item as requested."""
    requests = asyncio.Semaphore(0)
    with Started[None]() as started:
        started.start(_forward(generator, requests, started.post))
        for number in count_up():
            # A caller that wants a second item will want a third: it is made while the caller has the second.
            call_soon(_release, requests, 2 if number == 1 else 1)
            if (item := started.receive()) is ENDED:
                break
            yield item
        started.result()


def _release(semaphore: asyncio.Semaphore, count: int) -> None:
    for _ in range(count):
        semaphore.release()


async def _forward(
    generator: AsyncGenerator[_T, None], requests: asyncio.Semaphore, post: Callable[[object], None]
) -> None:
    async with aclosing(generator):
        await requests.acquire()
        async for item in generator:
            post(item)
            await requests.acquire()


def is_here() -> bool:
    """Return whether this is the thread of the loop."""
    return _loop is not None and _loop.is_here()


def end(coroutine: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function that closes something of the loop, if there is a loop."""
    if _loop is not None:
        run(coroutine())


def call_soon(function: Callable[..., object], *arguments: Any) -> None:
    """Call the function in the loop, from any thread, without waiting for it."""
    _current().call_soon_threadsafe(function, *arguments)


async def in_worker(function: Callable[..., _T], *arguments: Any, abandon: bool = False) -> _T:
    """Call a function that blocks, or computes without the interpreter's lock, in a worker thread.

    A cancellation waits until the function has returned (it may use a file or a buffer that is reused afterwards),
    unless `abandon` is set.
    """
    future = _workers.submit(function, *arguments)
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
    """Run coroutines concurrently; the first error, or a cancellation, cancels the others, which clean up."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await cancel_all(tasks)
        errors = [task.exception() for task in tasks if not task.cancelled()]
    for error in errors:
        if error is not None:
            raise error


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks, and wait until each has cleaned up; what they raise is dropped."""
    waited = list(tasks)
    for task in waited:
        cancel_once(task)
    await asyncio.gather(*waited, return_exceptions=True)


def cancel_once(task: asyncio.Task[Any]) -> None:
    """Cancel a task, unless it is cleaning up because of a cancellation already."""
    if not task.done() and not task.cancelling():
        task.cancel()


async def _cancel_others() -> None:
    if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        await cancel_all(tasks)


def _at_exit() -> None:
    # The loop keeps running: another function that is called at the end of the process may use it.
    if _loop is None:
        return
    cancellation = Started[None]()
    cancellation.start(_cancel_others())
    with suppress(Empty):
        cancellation.receive(_EXIT_TIMEOUT)
    for coroutine in at_end:
        end(coroutine)


def _after_fork() -> None:
    # The child has no thread for the parent's loop, and a use of its selector would change the parent's.
    global _loop, _lock, _workers  # of this process
    _inherited.append(_loop)
    _loop, _lock, _workers = None, threading.Lock(), Workers()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
