"""Steps of a preview as differences; with the engine and the doubles: tests/engine/test_drift.py."""

from __future__ import annotations

from typing import Any

import pytest

from infra.drift.cloud import of_steps
from infra.drift.difference import repair_of
from infra.local.engine import Engine

REPAIR = repair_of("prod", Engine("pulumi", {}, own_state=False))


def step(op: str, wanted: object = None, actual: object = None, **more: object) -> dict[str, Any]:
    states = {"newState": {"inputs": wanted}, "oldState": {"inputs": actual}}
    return {"op": op, "urn": "urn:pulumi:prod::mpr-storage::aws:iam/userPolicy:UserPolicy::app", **states, **more}


def changes(step: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(difference.property, difference.wanted, difference.actual) for difference in of_steps([step], REPAIR)]


@pytest.mark.parametrize("op", ["same", "refresh", "read", "create-replacement", "delete-replaced"])
def test_steps_without_a_difference_are_not_reported(op):
    assert changes(step(op, {"a": 1}, {"a": 2})) == []


def test_a_step_is_reported_with_its_resource_and_the_repair():
    (difference,) = of_steps([step("create")], REPAIR)
    assert str(difference) == (
        "UserPolicy app: resource: wanted present, is missing; repair: pulumi up -s prod --refresh"
    )
    assert changes(step("delete")) == [("resource", "absent", "present")]


def test_a_stack_in_the_embedded_state_is_repaired_by_infra_up():
    assert repair_of("local", Engine("pulumi", {}, own_state=True)).deploy == "python -m infra up local"


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        ({"status": "Active"}, {"status": "Inactive"}, [("status", "Active", "Inactive")]),
        ({"rules": [1, 2]}, {"rules": [2, 3]}, [("rules", "[1]", "[3]")]),
        ({"rules": [{"__defaults": [], "id": 1}]}, {}, [("rules", '[{"id": 1}]', "not set")]),
        ({"secret": "a"}, {"secret": "b"}, [("secret", "as deployed", "different")]),
        (
            {"a": {"token": "hush"}},
            {"a": 1},
            [("a", '{"token": "[secret]"}', "1")],
        ),
        (
            {"policy": '{"Statement": [{"Action": "a", "Resource": "r", "Effect": "Allow"}]}'},
            {"policy": '{"Statement": [{"Action": "b", "Resource": "r", "Effect": "Allow"}]}'},
            [("policy", "Allow a on r", "absent"), ("policy", "absent", "Allow b on r")],
        ),
    ],
)
def test_each_changed_property_is_reported_with_both_values(wanted, actual, expected):
    assert changes(step("update", wanted, actual)) == expected


def test_only_properties_that_the_provider_names_are_reported():
    update = step("update", {"a": [1], "b": 1}, {"a": [2], "b": 2}, diffReasons=["a[0]"])
    assert changes(update) == [("a", "[1]", "[2]")]


def test_a_long_value_is_cut():
    assert len(changes(step("replace", {"a": "x" * 1000}, {"a": "y"}))[0][1]) < 500
