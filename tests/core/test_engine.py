"""The event loop of the process, and the threads that use it."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from contextvars import ContextVar

import pytest

from core.storage._engine import ENDED, Started, all_done, in_worker, run
from tests.waiting import wait_until


def test_what_a_coroutine_returns_or_raises_reaches_the_caller():
    async def divided(by: int) -> int:
        await asyncio.sleep(0)
        return 6 // by

    assert run(divided(2)) == 3
    with pytest.raises(ZeroDivisionError):
        run(divided(0))


def test_all_run_in_one_thread_with_the_context_of_the_caller():
    name: ContextVar[str] = ContextVar("name")

    async def seen() -> tuple[int, str]:
        return threading.get_ident(), name.get()

    name.set("here")
    first, second = run(seen()), run(seen())
    assert first == second
    assert first[0] != threading.get_ident()
    assert first[1] == "here"


def test_leaving_before_the_end_cancels_and_waits_for_the_clean_up():
    steps = []

    async def cleaning(started: Started[None]) -> None:
        started.post("begun")
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            steps.append("cleaned up")

    with Started[None]() as started:
        started.start(cleaning(started))
        assert started.receive() == "begun"
    assert steps == ["cleaned up"]


def test_messages_arrive_in_order_and_end():
    async def posting(started: Started[None]) -> None:
        for number in range(3):
            started.post(number)

    with Started[None]() as started:
        started.start(posting(started))
        assert [started.receive() for _ in range(4)] == [0, 1, 2, ENDED]


def test_a_cancellation_waits_for_the_thread_that_uses_a_file():
    ended = threading.Event()

    def use() -> None:
        time.sleep(0.2)
        ended.set()

    async def cancelled() -> bool:
        task = asyncio.create_task(in_worker(use))
        await asyncio.sleep(0.05)
        for _ in range(2):  # the second arrives during the wait
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])
        return task.cancelled() and ended.is_set()

    assert run(cancelled())


def test_the_first_failure_ends_the_others_once():
    cancelled = []

    async def failing() -> None:
        raise ValueError

    async def waiting() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # a second cancellation would end the clean-up
            cancelled.append("cleaned up")
            raise

    with pytest.raises(ValueError):  # noqa: PT011  # it is ours
        run(all_done([waiting(), failing(), waiting()]))
    assert cancelled == ["cleaned up"] * 2


def test_of_several_errors_one_is_raised_and_none_is_logged(caplog):
    async def failing() -> None:
        raise ValueError

    gc.collect()  # asyncio logs errors of other tests here, when it frees their futures
    caplog.clear()
    with pytest.raises(ValueError):  # noqa: PT011  # it is ours
        run(all_done([failing(), failing(), failing()]))
    gc.collect()
    assert not caplog.records


def test_workers_are_used_again():
    async def several() -> None:
        for _ in range(20):
            await in_worker(threading.get_ident)

    run(several())
    before = threading.active_count()
    run(several())
    assert threading.active_count() == before


def test_a_call_in_the_thread_of_the_loop_is_an_error_and_no_endless_wait():
    """As by a handler of log records that uploads them."""

    async def calls() -> None:
        run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="QueueHandler"):
        run(calls())


def test_a_coroutine_that_is_left_can_be_closed_in_the_thread_of_the_loop():
    """As the garbage collector does, which runs in any thread."""

    async def close(started: Started[None]) -> None:
        started.close()

    started = Started[None]()
    started.start(asyncio.sleep(60))
    run(close(started))
    assert started.receive() is ENDED


_FORKED = """
import asyncio, os, sys, threading
from core.storage._engine import run

async def held():
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up by", "the child" if os.getpid() != parent else "the parent", flush=True)

parent = os.getpid()
thread = threading.Thread(target=lambda: run(held()), daemon=True)
thread.start()
run(asyncio.sleep(0.1))
child = os.fork()
run(asyncio.sleep(0.1))
if child:
    os.waitpid(child, 0)
"""


def test_a_child_has_a_loop_of_its_own_and_leaves_what_is_the_parents():
    done = subprocess.run([sys.executable, "-c", _FORKED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "cleaned up by the parent\n"


_AT_EXIT = """
import asyncio, atexit
from core.storage._engine import in_worker, run

atexit.register(lambda: print(run(in_worker(lambda: "still works"))))
run(asyncio.sleep(0))
"""


def test_functions_that_run_at_the_end_of_the_process_can_use_it():
    done = subprocess.run([sys.executable, "-c", _AT_EXIT], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("still works\n", "")


def test_a_wait_in_one_thread_does_not_keep_the_others():
    release = threading.Event()
    waiting = threading.Thread(target=lambda: run(in_worker(release.wait)))
    waiting.start()
    assert run(in_worker(lambda: "at once")) == "at once"
    release.set()
    wait_until(lambda: not waiting.is_alive(), 20)
