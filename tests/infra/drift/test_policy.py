from __future__ import annotations

import pytest

from infra.drift.difference import ABSENT, Change
from infra.drift.policy import compare
from tests.infra.conftest import policy_of

BUCKETS = {"in": "media-in", "out": "media-out"}
VIEWER = policy_of("viewer", BUCKETS)


def statement(**keys: object) -> dict[str, object]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"} | keys


def of(*statements: dict[str, object]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_policies_that_allow_the_same_in_another_form_are_equal():
    statements = VIEWER["Statement"][::-1]
    collapsed = of(*(part | {"Sid": "mine", "Resource": part["Resource"][0]} for part in statements))
    assert list(compare("policy", VIEWER, collapsed)) == []
    split = of(statement(Action="b"), statement(Action="a"))
    assert list(compare("policy", of(statement(Action=["a", "b"])), split)) == []


@pytest.mark.parametrize(
    ("actual", "missing", "additional"),
    [
        (
            of(statement(), statement(Action=["b", "a"])),
            "",
            "Allow a, b on arn:aws:s3:::x/*",
        ),
        (of(), "Allow s3:GetObject on arn:aws:s3:::x/*", ""),
        (
            of(statement(Resource="*")),
            "Allow s3:GetObject on arn:aws:s3:::x/*",
            "Allow s3:GetObject on *",
        ),
        (
            of(statement(Effect="Deny")),
            "Allow s3:GetObject on arn:aws:s3:::x/*",
            "Deny s3:GetObject on arn:aws:s3:::x/*",
        ),
        (
            of(statement(Condition={"StringLike": {"s3:prefix": "a*"}})),
            "Allow s3:GetObject on arn:aws:s3:::x/*",
            'Allow s3:GetObject on arn:aws:s3:::x/* if {"Condition": {"StringLike": {"s3:prefix": ["a*"]}}}',
        ),
        (
            of(statement(), {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
            "",
            'statement {"Effect": "Allow", "NotAction": "iam:*", "Resource": ["*"]}',
        ),
        ({}, "Allow s3:GetObject on arn:aws:s3:::x/*", ""),
    ],
)
def test_missing_and_additional_permissions_of_a_policy_are_listed(actual, missing, additional):
    expected = [Change("policy", missing, ABSENT), Change("policy", ABSENT, additional)]
    changes = list(compare("policy", of(statement()), actual))
    assert changes == [change for change in expected if change.wanted and change.actual]
