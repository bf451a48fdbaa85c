from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.rotate.steps import DONE, UNDONE, following, take, take_back
from infra.slots import STEPS, Slots

NOW = datetime(2026, 11, 25, 7, tzinfo=UTC)


def walk(slots: Slots, *, switches_off: bool = True) -> list[Slots]:
    """The slots after each step of a whole rotation."""
    found: list[Slots] = []
    while not found or found[-1].rotating:
        slots = take(slots, following(slots, switches_off=switches_off), NOW)
        found.append(slots)
    return found


def test_a_rotation_ends_with_one_key_in_the_other_slot():
    assert walk(Slots()) == [
        Slots(current="a", step="start", since=NOW),
        Slots(current="b", step="switch", since=NOW),
        Slots(current="b", step="retire", since=NOW),
        Slots(current="b"),
    ]
    assert walk(Slots(current="b"))[-1] == Slots(current="a")


def test_without_deactivation_the_retire_step_is_left_out():
    assert [one.step for one in walk(Slots(), switches_off=False)] == ["start", "switch", None]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_every_step_but_the_last_is_taken_back_one_by_one(steps):
    before = [Slots(), *walk(Slots())]
    slots = before[steps]
    for expected in reversed(before[:steps]):
        slots = take_back(slots, NOW)
        assert (slots.current, slots.step) == (expected.current, expected.step)


def test_the_key_in_the_env_file_is_active_at_every_step():
    for slots in walk(Slots()):
        current = [place for place in slots.places() if place.current]
        assert [(place.slot, place.active) for place in current] == [(slots.current, True)]


def test_every_step_has_a_message():
    assert list(DONE) == list(STEPS)
    assert list(UNDONE) == list(STEPS[:-1])
