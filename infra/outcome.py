"""What was done with one part of an environment, or what an update would do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Outcome(NamedTuple):
    """What was done with a bucket, an identity or an env file."""

    #: Such as "created", "policy would be changed" or "unchanged".
    text: str
    is_change: bool = False


#: Called with a subject, such as "bucket media-in", and its outcome.
Report = Callable[[str, Outcome], None]
