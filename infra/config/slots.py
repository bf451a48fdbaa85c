"""The two key slots of an identity, and which of them hold an access key during a rotation.

The configuration holds the step of each identity, so that every `pulumi up` continues from it. An identity without
an entry has one access key, in slot a::

    slots:
      app: {current: b, step: switch, since: "2026-11-25T07:00:00Z"}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from infra import timestamps
from infra.config.setting import Map, Section, Text

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, Slot] = ("a", "b")
#: The steps of a rotation in order. `start`: the other slot holds the new key. `switch`: it holds the old one.
#: `retire`: it holds the old one, deactivated. After the last step, `finish`, it is empty.
Step = Literal["start", "switch", "retire", "finish"]
STEPS: tuple[Step, ...] = ("start", "switch", "retire", "finish")


class SlotKey(NamedTuple):
    """An access key that must exist in a slot."""

    slot: Slot
    active: bool
    #: Whether it is the primary access key: the one in the env file of the identity.
    primary: bool


@dataclass(frozen=True, kw_only=True)
class Slots:
    """The state of an identity's slots."""

    #: The slot of the primary access key, which the env file holds.
    current: Slot = "a"
    #: The last step of the rotation in progress; None without a rotation.
    step: Step | None = None
    #: When it was taken.
    since: datetime | None = None

    @property
    def other(self) -> Slot:
        """Return the slot that is not the current one."""
        return "b" if self.current == "a" else "a"

    @property
    def rotating(self) -> bool:
        """Return whether the other slot holds an access key."""
        return self.step is not None

    def access_keys(self) -> Iterator[SlotKey]:
        """Yield the access keys that must exist, the primary one first."""
        yield SlotKey(self.current, active=True, primary=True)
        if self.rotating:
            yield SlotKey(self.other, active=self.step != "retire", primary=False)

    def to_config(self) -> dict[str, str]:
        """Return the slots as the configuration writes them."""
        found: dict[str, str] = {"current": self.current}
        if self.step:
            found["step"] = self.step
        if self.since:
            found["since"] = timestamps.to_text(self.since)
        return found


def _timestamp_problem(text: str) -> str | None:
    try:
        timestamps.parse(text)
    except ValueError:
        return "must be a timestamp such as 2026-11-25T07:00:00Z"
    return None


SLOTS_BY_IDENTITY = Map(
    description="The slots of identities during a rotation; `rotate` writes them.",
    of=Section(
        build=lambda values: Slots(**values),
        keys={
            "current": Text(
                description="The slot of the access key in the env file.", required=True, choices=SLOTS
            ),
            "step": Text(description="The last step of the rotation in progress.", choices=STEPS[:-1]),
            "since": Text(
                description="When that step was taken.", check=_timestamp_problem, build=timestamps.parse
            ),
        },
    ),
)
