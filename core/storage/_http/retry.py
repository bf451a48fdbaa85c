"""The retry policy: which errors are retryable, the number of attempts, and the pause between two of them."""

from __future__ import annotations

import os
from asyncio import sleep

#: Attempts of one request, and interruptions in a row of a transfer without progress, until it is an error.
ATTEMPTS = 5
#: Error codes and statuses of S3 for which the same request may succeed later
#: (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
RETRYABLE_CODES = frozenset(
    {"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "ThrottlingException"}
)
RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})
_BASE = 0.2
_LONGEST = 10.0


async def pause(failure: int) -> float:
    """Wait after the `failure`-th failure in a row (from 1); return for how many seconds.

    The time is random, up to a bound that doubles, so that many workers that lost one store do not return at once
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
    """
    bound = min(_LONGEST, _BASE * 2 ** (failure - 1))
    share = int.from_bytes(os.urandom(2)) / 0xFFFF
    seconds: float = bound * (1 + share) / 2
    await sleep(seconds)
    return round(seconds, 3)
