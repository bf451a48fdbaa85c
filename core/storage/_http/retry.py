"""How often a request or a transfer is attempted, and the wait between two attempts."""

from __future__ import annotations

import os

#: Attempts of one request, and interruptions in a row of a transfer that gets no further, until it is an error.
ATTEMPTS = 5
_BASE = 0.2
_LONGEST = 10.0


async def pause(failure: int) -> float:
    """Wait after the `failure`-th failure in a row (from 1); return for how many seconds.

    A random time up to a bound that doubles: many workers that lost one store do not come back at once
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
    """
    bound = min(_LONGEST, _BASE * 2 ** (failure - 1))
    share = int.from_bytes(os.urandom(2)) / 0xFFFF
    seconds: float = bound * (1 + share) / 2
    await sleep(seconds)
    return round(seconds, 3)


async def sleep(seconds: float) -> None:
    """Let the event loop go on for so long."""
    import asyncio  # noqa: PLC0415  # get_s3_client imports this module, and has no loop

    await asyncio.sleep(seconds)
