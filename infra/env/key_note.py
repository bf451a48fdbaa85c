"""What the header of an env file says of the key in it: its slot, and when it was made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra import moments
from infra.slots import Slot

_LINE = re.compile(r"key: slot ([ab])(?:, made (\S+))?")
#: Lines in which a header ends.
_HEADER = 8


@dataclass(frozen=True)
class KeyNote:
    """A key of an identity, without the key."""

    slot: Slot = "a"
    #: None: nobody knows, as with a key that was taken over.
    made: datetime | None = None

    def __str__(self) -> str:
        """The line of the header."""
        return f"key: slot {self.slot}" + (f", made {moments.written(self.made)}" if self.made else "")

    @property
    def days(self) -> int | None:
        """Its age."""
        return (datetime.now(UTC) - self.made).days if self.made else None


def of(slot: object, made: object) -> KeyNote:
    """A note from what a provider or a stack says, which may be nothing."""
    try:
        moment = moments.read(made) if made else None
    except ValueError:
        moment = None
    return KeyNote("b" if slot == "b" else "a", moment)


def read(file: Path) -> KeyNote:
    """What the header of an env file says; slot a where it says nothing."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[:_HEADER]
    found = next((match for line in lines if (match := _LINE.fullmatch(line.removeprefix("# ")))), None)
    return of(found[1], found[2]) if found else KeyNote()
