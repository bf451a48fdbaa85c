from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Thread

import pytest

from infra import interruption


def _deferred(block: Callable[[], object]) -> None:
    with interruption.deferred():
        block()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_waits_for_the_end_of_the_block(number):
    before = signal.signal(number, interruption._interrupt)
    done = []

    def block() -> None:
        signal.raise_signal(number)
        done.append("block")

    try:
        with pytest.raises(KeyboardInterrupt):
            _deferred(block)
        assert signal.getsignal(number) is interruption._interrupt
    finally:
        signal.signal(number, before)
    assert done == ["block"]


def test_an_interruption_comes_before_an_error_of_the_block():
    def block() -> None:
        signal.raise_signal(signal.SIGINT)
        raise ValueError("refused")

    with pytest.raises(KeyboardInterrupt):
        _deferred(block)


def test_a_block_without_an_interruption_changes_nothing():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="refused"), interruption.deferred():
        raise ValueError("refused")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_handles_no_signal():
    done = []

    def block() -> None:
        with interruption.deferred():
            done.append(signal.getsignal(signal.SIGINT))

    thread = Thread(target=block)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]
