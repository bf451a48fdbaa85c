"""The two key slots of an identity, and which of them are in use: what a rotation of keys walks through.

The configuration says where each identity stands, so that any `pulumi up` goes on from there. An identity that it
does not mention has one key, in slot a::

    slots:
      app: {current: b, step: switch, since: "2026-11-25T07:00:00Z"}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from infra import moments
from infra.config_reader import Reader

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, Slot] = ("a", "b")
#: The steps of a rotation in their order. `start`: the other slot has the new key. `switch`: it has the old one.
#: `retire`: it has the old one, switched off. After the last, `finish`, it is empty.
Step = Literal["start", "switch", "retire", "finish"]
STEPS: tuple[Step, ...] = ("start", "switch", "retire", "finish")


class KeyPlace(NamedTuple):
    """One key that there shall be."""

    slot: Slot
    active: bool
    #: Whether the env file of the identity holds it.
    current: bool


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Where an identity's keys stand."""

    #: The slot whose key the env file holds.
    current: Slot = "a"
    #: The step of a rotation that was taken last; None where none is under way.
    step: Step | None = None
    #: When it was taken.
    since: datetime | None = None

    @property
    def other(self) -> Slot:
        """The slot that is not the current one."""
        return "b" if self.current == "a" else "a"

    @property
    def rotating(self) -> bool:
        """Whether there is a key in the other slot."""
        return self.step is not None

    def places(self) -> Iterator[KeyPlace]:
        """The keys that there shall be, the current one first."""
        yield KeyPlace(self.current, active=True, current=True)
        if self.rotating:
            yield KeyPlace(self.other, active=self.step != "retire", current=False)

    def to_config(self) -> dict[str, str]:
        """As the configuration writes it."""
        found: dict[str, str] = {"current": self.current}
        if self.step:
            found["step"] = self.step
        if self.since:
            found["since"] = moments.written(self.since)
        return found


def read_slots(read: Reader) -> dict[str, Slots]:
    """The slots of each identity that the configuration mentions."""
    section = read.section("slots")
    return {str(name): _slots(section.section(str(name))) for name in section.values}


def _slots(read: Reader) -> Slots:
    read.only("current", "step", "since")
    current = read.text("current", choices=SLOTS, required=True)
    step = read.text("step", choices=STEPS[:-1])
    return Slots(
        current="b" if current == "b" else "a",
        step=next((one for one in STEPS if one == step), None),
        since=_moment(read),
    )


def _moment(read: Reader) -> datetime | None:
    value = read.values.get("since")
    if value is None:
        return None
    try:
        return moments.read(value)
    except ValueError:
        read.note("since", f"must be a moment such as 2026-11-25T07:00:00Z, got {value}")
        return None
