"""Wait for what another process does, or do not wait at all."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    """Return once the condition holds; fail the test if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        time.sleep(0.02)


async def no_pause(_failure: int) -> float:
    """Stand in for the wait between two attempts of the library."""
    return 0.0
