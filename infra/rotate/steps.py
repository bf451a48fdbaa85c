"""The steps of a rotation, as changes of an identity's slots. Pure functions.

Of two working keys one is in the env files; so at every moment what a program has read works, and each step but
the last can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from infra.slots import STEPS, Slots, Step

#: What each step comes to.
DONE: Mapping[Step, str] = {
    "start": "a second key is made and proven; the env file still holds the first",
    "switch": "the env file holds the new key; the old one still works",
    "retire": "the old key is switched off; --abort switches it on again",
    "finish": "the old key is deleted",
}
#: What taking each step back comes to.
UNDONE: Mapping[Step, str] = {
    "start": "the new key is deleted; the env file holds the one that it held",
    "switch": "the env file holds the old key again; the new one still works until the next --abort deletes it",
    "retire": "the old key works again; the env file holds the new one",
}


def following(slots: Slots, *, switches_off: bool) -> Step:
    """The step to take next."""
    if slots.step is None:
        return "start"
    step = STEPS[STEPS.index(slots.step) + 1]
    return "finish" if step == "retire" and not switches_off else step


def take(slots: Slots, step: Step, now: datetime) -> Slots:
    """The slots after this step, which follows the last one."""
    if step == "finish":
        return Slots(current=slots.current)
    if step == "switch":
        return Slots(current=slots.other, step=step, since=now)
    return replace(slots, step=step, since=now)


def take_back(slots: Slots, now: datetime) -> Slots:
    """The slots without the last step."""
    if slots.step == "retire":
        return replace(slots, step="switch", since=now)
    if slots.step == "switch":
        return Slots(current=slots.other, step="start", since=now)
    return Slots(current=slots.current)
