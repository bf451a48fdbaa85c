from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.config.slots import STEPS, Slots
from infra.rotate.steps import DONE, UNDONE, following, take, undo

NOW = datetime(2026, 11, 25, 7, tzinfo=UTC)


def walk(slots: Slots, *, deactivates: bool = True) -> list[Slots]:
    """Return the slots after each step of a rotation."""
    states: list[Slots] = []
    while not states or states[-1].rotating:
        slots = take(slots, following(slots, deactivates=deactivates), NOW)
        states.append(slots)
    return states


def test_a_rotation_ends_with_one_key_in_the_other_slot():
    assert walk(Slots()) == [
        Slots(current="a", step="start", since=NOW),
        Slots(current="b", step="switch", since=NOW),
        Slots(current="b", step="retire", since=NOW),
        Slots(current="b"),
    ]
    assert walk(Slots(current="b"))[-1] == Slots(current="a")


def test_without_deactivation_the_retire_step_is_left_out():
    assert [state.step for state in walk(Slots(), deactivates=False)] == ["start", "switch", None]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_every_step_but_the_last_is_undone_in_reverse_order(steps):
    before = [Slots(), *walk(Slots())]
    slots = before[steps]
    for expected in reversed(before[:steps]):
        slots = undo(slots, NOW)
        assert (slots.current, slots.step) == (expected.current, expected.step)


def test_the_key_in_the_env_file_is_active_at_every_step():
    for slots in walk(Slots()):
        current = [slot_key for slot_key in slots.access_keys() if slot_key.primary]
        assert [(slot_key.slot, slot_key.active) for slot_key in current] == [(slots.current, True)]


def test_every_step_has_a_message():
    assert list(DONE) == list(STEPS)
    assert list(UNDONE) == list(STEPS[:-1])
