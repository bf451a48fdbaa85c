"""What the header of an env file and the stack say of an access key: its slot, and when it was created."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra import timestamps
from infra.config.slots import Slot

_LINE = re.compile(r"^# key: slot ([ab])(?:, made (\S+))?$", re.MULTILINE)


@dataclass(frozen=True)
class KeyInfo:
    """The slot of an access key, and when it was created."""

    slot: Slot = "a"
    #: None: unknown, as for an access key that was adopted.
    created: datetime | None = None

    def __str__(self) -> str:
        """Return the line of the header."""
        return f"key: slot {self.slot}" + (f", made {timestamps.to_text(self.created)}" if self.created else "")

    @property
    def age_days(self) -> int | None:
        """Return the age in days, if it is known."""
        return (datetime.now(UTC) - self.created).days if self.created else None


def parse(slot: object, created: object) -> KeyInfo:
    """Return what the stack or a header says; a missing or wrong timestamp is an unknown one."""
    try:
        timestamp = timestamps.parse(created) if created else None
    except ValueError:
        timestamp = None
    return KeyInfo("b" if slot == "b" else "a", timestamp)


def read(file: Path) -> KeyInfo:
    """Return what the header of an env file says; without the line it is slot a."""
    match = _LINE.search(file.read_text(encoding="utf-8", errors="replace"))
    return parse(*match.groups()) if match else KeyInfo()
