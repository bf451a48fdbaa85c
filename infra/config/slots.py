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

from infra import timestamps
from infra.config.setting import Map, Section, Text

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, Slot] = ("a", "b")
#: The steps of a rotation in their order. `start`: the other slot has the new key. `switch`: it has the old one.
#: `retire`: it has the old one, switched off. After the last, `finish`, it is empty.
Step = Literal["start", "switch", "retire", "finish"]
STEPS: tuple[Step, ...] = ("start", "switch", "retire", "finish")


class KeyPlace(NamedTuple):
    """A key that the configuration wants."""

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
        """Yield the keys that the configuration wants, the current one first."""
        yield KeyPlace(self.current, active=True, current=True)
        if self.rotating:
            yield KeyPlace(self.other, active=self.step != "retire", current=False)

    def to_config(self) -> dict[str, str]:
        """As the configuration writes it."""
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
