from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.identities import RIGHTS
from infra.policies import Policy, normalised
from infra.stores.kinds import KINDS
from tests.infra.conftest import policy_of

BUCKETS = {"in": "media-in", "out": "media-out"}

names = st.from_regex(r"\A[a-z0-9][a-z0-9-]{1,20}[a-z0-9]\Z")
buckets = st.fixed_dictionaries({"in": names, "out": names}).filter(lambda both: both["in"] != both["out"])
identities = st.sampled_from(sorted(RIGHTS))


def actions(document: Policy, resource: str) -> set[str]:
    return {
        action
        for statement in document["Statement"]
        if resource in statement["Resource"]
        for action in statement["Action"]
    }


def rights(document: Policy) -> set[tuple[str, str]]:
    return {
        (action, resource)
        for statement in document["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


@given(identities, buckets)
def test_a_policy_names_its_own_buckets_alone_and_no_wildcard_action(identity, both):
    document = policy_of(identity, both)
    own = {both[role] for role in RIGHTS[identity]}
    named = set()
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        assert set(statement) == {"Effect", "Action", "Resource"}
        for action in statement["Action"]:
            assert action.startswith("s3:")
            assert "*" not in action
        for resource in statement["Resource"]:
            bucket = resource.removeprefix("arn:aws:s3:::")
            assert "*" not in bucket.removesuffix("/*")
            named.add(bucket.removesuffix("/*"))
    assert named == own


READING = {"s3:GetObject"}
WRITING = {"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
LISTING = {"s3:ListBucket", "s3:GetBucketLocation"}
UPLOADS = {"s3:ListBucketMultipartUploads"}


@pytest.mark.parametrize(
    ("identity", "role", "on_bucket", "on_objects"),
    [
        ("app", "in", LISTING | UPLOADS, READING | WRITING),
        ("app", "out", LISTING | UPLOADS, READING | WRITING),
        ("pipeline", "in", LISTING, READING),
        ("pipeline", "out", LISTING | UPLOADS, READING | WRITING),
        ("ingest", "in", LISTING | UPLOADS, READING | WRITING),
        ("ingest", "out", set(), set()),
        ("viewer", "in", LISTING, READING),
        ("viewer", "out", LISTING, READING),
    ],
)
def test_what_each_identity_may_do(identity, role, on_bucket, on_objects):
    document = policy_of(identity, BUCKETS)
    assert actions(document, f"arn:aws:s3:::{BUCKETS[role]}") == on_bucket
    assert actions(document, f"arn:aws:s3:::{BUCKETS[role]}/*") == on_objects


def test_every_identity_of_the_design_is_here():
    assert list(RIGHTS) == ["app", "pipeline", "ingest", "viewer"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_store_gets_its_own_names_of_actions(kind):
    usual, renamed = policy_of("app", BUCKETS), json.dumps(policy_of("app", BUCKETS, rename=kind.rename))
    for theirs, ours in kind.rename.items():
        assert theirs in json.dumps(usual)
        assert f'"{theirs}"' not in renamed
        assert f'"{ours}"' in renamed
    assert "Abort" in renamed


def test_a_policy_is_json_and_the_same_each_time():
    assert json.dumps(policy_of("app", BUCKETS)) == json.dumps(policy_of("app", dict(reversed(BUCKETS.items()))))


def scrambled(document: Policy, seed: int) -> Policy:
    """The same policy as a store may return it."""
    shuffle = random.Random(seed)  # noqa: S311  # no secret

    def listed(values: list[Any]) -> object:
        values = shuffle.sample(values, len(values))
        return values[0] if len(values) == 1 and shuffle.random() < 0.5 else values

    statements = []
    for statement in document["Statement"]:
        pairs = {**statement, "Action": listed(statement["Action"]), "Resource": listed(statement["Resource"])}
        if shuffle.random() < 0.5:
            pairs["Sid"] = str(shuffle.random())
        statements.append(dict(shuffle.sample(sorted(pairs.items()), len(pairs))))
    return {"Statement": listed(statements), "Version": "2012-10-17"}


@given(identities, buckets, st.integers())
def test_normalised_sees_neither_order_nor_lists_of_one(identity, both, seed):
    document = policy_of(identity, both)
    assert normalised(scrambled(document, seed)) == normalised(document)
    assert normalised(document) == normalised(json.loads(json.dumps(document)))


@given(st.sampled_from(sorted(RIGHTS)), st.sampled_from(sorted(RIGHTS)), buckets, buckets)
def test_normalised_differs_exactly_when_the_rights_do(one, other, here, there):
    same = rights(policy_of(one, here)) == rights(policy_of(other, there))
    assert (normalised(policy_of(one, here)) == normalised(policy_of(other, there))) is same


def test_normalised_sees_an_effect_and_a_condition():
    document = policy_of("viewer", BUCKETS)
    deny = {"Statement": [{**one, "Effect": "Deny"} for one in document["Statement"]]}
    only = {"Statement": [{**one, "Condition": {"Bool": {"x": "y"}}} for one in document["Statement"]]}
    assert len({repr(normalised(one)) for one in (document, deny, only)}) == 3


def test_normalised_of_no_policy():
    assert normalised(None) is None
    assert normalised(None) != normalised({"Statement": []}) == []
