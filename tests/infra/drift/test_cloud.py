"""Steps of a preview as findings; with the engine and the doubles: tests/engine/test_drift.py."""

from __future__ import annotations

from typing import Any

import pytest

from infra.drift.cloud import of_steps
from infra.drift.finding import by_engine

REPAIR = by_engine("prod", own_state=False)


def step(op: str, wanted: object = None, actual: object = None, **more: object) -> dict[str, Any]:
    sides = {"newState": {"inputs": wanted}, "oldState": {"inputs": actual}}
    return {"op": op, "urn": "urn:pulumi:prod::mpr-storage::aws:iam/userPolicy:UserPolicy::app", **sides, **more}


def told(one: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(found.property, found.wanted, found.actual) for found in of_steps([one], REPAIR)]


@pytest.mark.parametrize("op", ["same", "refresh", "read", "create-replacement", "delete-replaced"])
def test_steps_without_a_difference_are_not_reported(op):
    assert told(step(op, {"a": 1}, {"a": 2})) == []


def test_a_step_is_reported_with_its_resource_and_the_repair():
    (found,) = of_steps([step("create")], REPAIR)
    assert str(found) == (
        "UserPolicy app: resource: wanted there, is missing; repair: pulumi up -s prod --refresh"
    )
    assert told(step("delete")) == [("resource", "none", "there")]


def test_a_stack_in_the_embedded_state_is_repaired_by_infra_up():
    assert by_engine("local", own_state=True).deploy == "python -m infra up local"


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        ({"status": "Active"}, {"status": "Inactive"}, [("status", "Active", "Inactive")]),
        ({"rules": [1, 2]}, {"rules": [2, 3]}, [("rules", "[1]", "[3]")]),
        ({"rules": [{"__defaults": [], "id": 1}]}, {}, [("rules", '[{"id": 1}]', "not set")]),
        ({"secret": "a"}, {"secret": "b"}, [("secret", "as deployed", "another one")]),
        (
            {"a": {"token": "hush"}},
            {"a": 1},
            [("a", '{"token": "[secret]"}', "1")],
        ),
        (
            {"policy": '{"Statement": [{"Action": "a", "Resource": "r", "Effect": "Allow"}]}'},
            {"policy": '{"Statement": [{"Action": "b", "Resource": "r", "Effect": "Allow"}]}'},
            [("policy", "Allow a on r", "not there"), ("policy", "not there", "Allow b on r")],
        ),
    ],
)
def test_each_changed_property_is_reported_with_both_values(wanted, actual, expected):
    assert told(step("update", wanted, actual)) == expected


def test_only_properties_that_the_provider_names_are_reported():
    one = step("update", {"a": [1], "b": 1}, {"a": [2], "b": 2}, diffReasons=["a[0]"])
    assert told(one) == [("a", "[1]", "[2]")]


def test_a_long_value_is_cut():
    assert len(told(step("replace", {"a": "x" * 1000}, {"a": "y"}))[0][1]) < 500
