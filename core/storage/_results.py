"""The results and the progress of bulk transfers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from core.storage._objects import ObjectInfo
from core.storage._public import public

#: Covariant: a function for results of any item takes the results of each kind.
_Item_co = TypeVar("_Item_co", covariant=True)


@public
@dataclass(frozen=True)
class TransferResult(Generic[_Item_co]):
    """The result of one item. Immutable."""

    #: The item as the caller passed it.
    item: _Item_co
    #: The local file; None if the item has no path that can be used, and for bytes in memory.
    path: Path | None = None
    #: The object, if the file and the object are the same now.
    info: ObjectInfo | None = None
    #: The error, if they are not.
    error: Exception | None = None
    #: The content, of a download into memory.
    data: bytes | None = field(default=None, repr=False)
    #: Whether nothing was moved, because the target already existed with the right size and hash.
    skipped: bool = False

    @property
    def ok(self) -> bool:
        """Return whether the item was transferred or skipped, without an error."""
        return self.error is None


@public
@dataclass(frozen=True, slots=True)
class BulkProgress:
    """The progress of a bulk transfer. Its numbers only grow."""

    #: Items that are finished, failed and skipped ones included.
    items: int = 0
    #: Items that failed.
    failed: int = 0
    #: Items that were skipped.
    skipped: int = 0
    #: Bytes that were moved, also for items that are not finished.
    bytes: int = 0
