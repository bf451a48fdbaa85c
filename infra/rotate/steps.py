"""The steps of a rotation, as changes of an identity's slots. Pure functions.

Until the last step, the access keys in both slots work or can be activated again: a program that has read either
env file works, and each step but the last can be undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from infra.config.slots import STEPS, Slots, Step

#: The result of each step.
DONE: Mapping[Step, str] = {
    "start": "a second key is created and checked; the env file still holds the first",
    "switch": "the env file holds the new key; the old one still works",
    "retire": "the old key is deactivated; --abort activates it again",
    "finish": "the old key is deleted",
}
#: The result of undoing each step.
UNDONE: Mapping[Step, str] = {
    "start": "the new key is deleted; the env file holds the old one, as before",
    "switch": "the env file holds the old key again; the new one still works until the next --abort deletes it",
    "retire": "the old key works again; the env file holds the new one",
}


def following(slots: Slots, *, deactivates: bool) -> Step:
    """Return the next step; without deactivation of access keys, `retire` is left out."""
    if slots.step is None:
        return "start"
    step = STEPS[STEPS.index(slots.step) + 1]
    return "finish" if step == "retire" and not deactivates else step


def take(slots: Slots, step: Step, now: datetime) -> Slots:
    """Return the slots after the next step."""
    if step == "finish":
        return Slots(current=slots.current)
    if step == "switch":
        return Slots(current=slots.other, step=step, since=now)
    return replace(slots, step=step, since=now)


def undo(slots: Slots, now: datetime) -> Slots:
    """Return the slots without the last step."""
    if slots.step == "retire":
        return replace(slots, step="switch", since=now)
    if slots.step == "switch":
        return Slots(current=slots.other, step="start", since=now)
    return Slots(current=slots.current)
