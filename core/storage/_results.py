"""What bulk transfers report: one result for every item, and how far the whole has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from core.storage._objects import ObjectInfo
from core.storage._public import public

_Item = TypeVar("_Item")


@public
@dataclass(frozen=True)
class TransferResult(Generic[_Item]):
    """What became of one item. Immutable."""

    #: As it was given.
    item: _Item
    #: The file on this side; None where the item did not even name one.
    path: Path | None = None
    #: The object, if the file and it are the same now.
    info: ObjectInfo | None = None
    #: Why they are not.
    error: Exception | None = None
    #: Whether nothing had to be moved: it was there already, with the right size and hash.
    skipped: bool = False

    @property
    def ok(self) -> bool:
        """Whether the item is where it should be."""
        return self.error is None


@public
@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far a bulk transfer has come. Items and bytes only grow."""

    #: Items that are done with, whatever became of them.
    items: int = 0
    #: Of these, the ones that failed.
    failed: int = 0
    #: Of these, the ones that were there already.
    skipped: int = 0
    #: Bytes that were moved, also of items that are still on their way.
    bytes: int = 0
