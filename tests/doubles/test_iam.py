"""The rules by which the tests' AWS allows and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.iam import Access, Document, Principal, matches, refusal

ACCOUNT, OTHER = "111111111111", "222222222222"
USER = f"arn:aws:iam::{ACCOUNT}:user/u"
OBJECT = "arn:aws:s3:::b/k"


def allow(action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def asked(
    *statements: Document,
    bucket: Document | None = None,
    account: str = ACCOUNT,
    boundary: Document | None = None,
    decides: bool = False,
    **context: str,
) -> str | None:
    principal = Principal(USER, ACCOUNT, (policy(*statements),), boundary)
    keys = {name.replace("__", ":"): (value,) for name, value in context.items()}
    access = Access("s3:GetObject", OBJECT, keys, account, bucket, policy_decides=decides)
    return refusal(principal, access)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow(), True),
        (allow("s3:getobject"), True),  # actions have no case
        (allow(["s3:PutObject", "s3:Get*"], ["arn:aws:s3:::other/*", "arn:aws:s3:::b/*"]), True),
        (allow(resource="arn:aws:s3:::b/?"), True),
        (allow(resource="arn:aws:s3:::b"), False),
        (allow(resource="arn:aws:s3:::B/k"), False),  # resources have
        (allow(resource="arn:aws:s3:::b.k"), False),  # a dot is a dot
        (allow("s3:PutObject"), False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}, False),
    ],
)
def test_a_statement_applies_to_its_actions_and_resources(statement: Document, *, allowed: bool):
    assert (asked(statement) is None) == allowed


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringLike": {"s3:prefix": ["a/*", "b"]}}, {"s3__prefix": "a/x"}, True),
        ({"StringLike": {"s3:prefix": ["a/*", "b"]}}, {"s3__prefix": "c"}, False),
        ({"StringLike": {"s3:prefix": "a/*"}}, {}, False),  # an absent key is not like anything
        ({"StringLikeIfExists": {"s3:prefix": "a/*"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3__prefix": "b"}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws__securetransport": "true"}, True),
        ({"Bool": {"aws:SecureTransport": True}}, {"aws__securetransport": "true"}, True),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, {"s3__tlsversion": "1.1"}, True),
        ({"NumericLessThan": {"s3:TlsVersion": 1.2}}, {"s3__tlsversion": "1.2"}, False),
        ({"NumericLessThan": {"s3:TlsVersion": "1.2"}}, {}, False),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        ({"Null": {"s3:prefix": "false"}}, {}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/u"}}, {"aws__principalarn": USER}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, False),
        ({"StringEquals": {"a": "x"}, "StringLike": {"b": "*"}}, {"a": "x"}, False),  # all of them
    ],
)
def test_conditions_decide_by_operator_and_value(condition: Document, context: dict[str, Any], *, holds: bool):
    assert (asked(allow(Condition=condition), **context) is None) == holds


def test_an_unknown_condition_operator_is_an_error():
    with pytest.raises(NotImplementedError, match="BinaryEquals"):
        asked(allow(Condition={"BinaryEquals": {"a": "b"}}))


def test_a_deny_in_any_policy_overrides_every_allow():
    deny = allow() | {"Effect": "Deny"}
    assert "explicit deny in an identity-based policy" in (asked(allow(), deny) or "")
    bucket = policy(deny | {"Principal": "*"})
    assert "explicit deny in a resource-based policy" in (asked(allow(), bucket=bucket) or "")
    assert "explicit deny in a permissions boundary" in (asked(allow(), boundary=policy(allow(), deny)) or "")
    unmet = deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    assert asked(allow(), unmet, aws__securetransport="true") is None


def test_a_permissions_boundary_limits_rights_and_grants_none():
    assert asked(allow(), boundary=policy(allow("s3:*"))) is None
    assert "no permissions boundary allows" in (asked(allow(), boundary=policy(allow("s3:PutObject"))) or "")
    assert asked(boundary=policy(allow())) is not None  # it allows nothing itself


@pytest.mark.parametrize(
    ("named", "mine", "elsewhere"),
    [
        # Who is named exactly needs no policy of their own in the account of the resource.
        ("*", True, False),
        ({"AWS": USER}, True, False),
        ({"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}, False, False),  # leaves it to identity policies
        ({"AWS": f"arn:aws:iam::{OTHER}:user/u"}, False, False),
        ({"Service": "s3.amazonaws.com"}, False, False),
    ],
)
def test_a_resource_policy_alone_allows_the_principals_it_names_in_the_same_account(
    named: Any, *, mine: bool, elsewhere: bool
):
    bucket = policy(allow() | {"Principal": named})
    assert (asked(bucket=bucket) is None) == mine
    assert (asked(bucket=bucket, account=OTHER) is None) == elsewhere


def test_access_to_another_account_needs_the_identity_policy_and_the_resource_policy():
    for named in (USER, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT):
        bucket = policy(allow() | {"Principal": {"AWS": named}})
        assert asked(allow(), bucket=bucket, account=OTHER) is None
    assert asked(allow(), account=OTHER) is not None


def test_without_consent_of_its_own_policy_a_kms_key_or_role_cannot_be_used():
    assert asked(allow(), decides=True) is not None
    account = policy(allow() | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}})
    assert asked(allow(), bucket=account, decides=True) is None
    assert asked(bucket=account, decides=True) is not None
    assert asked(bucket=policy(allow() | {"Principal": {"AWS": USER}}), decides=True) is None


def test_policy_variables_are_replaced_by_values_of_the_request():
    own = allow(resource="arn:aws:s3:::b/${aws:username}")
    assert asked(own, aws__username="k") is None
    assert asked(own, aws__username="other") is not None
    assert asked(own) is not None


def test_wildcards_match_as_aws_documents_them():
    assert matches("a*c?", "abbbcd")
    assert not matches("a.c", "abc")
    assert matches("A*", "abc", fold=True)
