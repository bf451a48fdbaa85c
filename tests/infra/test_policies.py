from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.loaders import create_loader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.config.identities import RIGHTS, ROLES, Identity, Role
from infra.policies import Policy, length, normalised, policy
from infra.stores.kinds import KINDS
from tests.infra._evaluate import Request, allowed
from tests.infra.conftest import identity_of, policy_of

BUCKETS: dict[Role, str] = {"in": "media-in", "out": "media-out"}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
THROUGH_S3 = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}

names = st.from_regex(r"\A[a-z0-9][a-z0-9-]{1,20}[a-z0-9]\Z")
buckets = st.fixed_dictionaries({"in": names, "out": names}).filter(lambda both: both["in"] != both["out"])
identities = st.sampled_from(sorted(RIGHTS))

#: What the configuration lets through (tests/infra/test_identities.py): no wildcard, no variable, no dots.
_parts = st.text(st.characters(exclude_characters="*?$/", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6)
_parts = _parts.filter(lambda part: part not in {".", ".."})
prefixes = st.lists(_parts, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + "/")
any_prefixes = st.lists(prefixes, min_size=1, max_size=3, unique=True).map(tuple)
some_rights = st.dictionaries(
    st.sampled_from(ROLES), st.frozensets(st.sampled_from(["read", "write"]), min_size=1), min_size=1
)


@st.composite
def any_identity(draw: st.DrawFn) -> Identity:
    """Any rights, also those that no identity has today, over whole buckets or held to prefixes."""
    rights = draw(st.sampled_from(list(RIGHTS.values())) | some_rights)
    held = {role: draw(any_prefixes) for role in ROLES if role in rights and draw(st.booleans())}
    return Identity(name="any", rights=rights, prefixes=held)


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


#: Every action that botocore knows a request for, and those that are called otherwise than their request.
ACTIONS = sorted(
    {
        *(f"s3:{one}" for one in create_loader().load_service_model("s3", "service-2")["operations"]),
        *(f"iam:{one}" for one in create_loader().load_service_model("iam", "service-2")["operations"]),
        *(f"kms:{one}" for one in create_loader().load_service_model("kms", "service-2")["operations"]),
        *(
            "s3:ListBucket",
            "s3:ListBucketVersions",
            "s3:ListBucketMultipartUploads",
            "s3:ListMultipartUploadParts",
        ),
        *("s3:GetObjectVersion", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:ListAllMyBuckets"),
    }
)
#: What the rights promise, once more and by hand: actions on objects, and on the bucket.
ON_OBJECTS = {"read": READING, "write": WRITING}
ON_BUCKET = {"read": LISTING, "write": UPLOADS}


def promised(identity: Identity, both: Mapping[Role, str], action: str, bucket: str, key: str | None) -> bool:
    """Whether a request must be allowed: `key` is that of the object, or the prefix of a list."""
    for role, rights in identity.rights.items():
        held = identity.prefixes.get(role, ())
        inside = not held or (key is not None and any(key.startswith(one) for one in held))
        if bucket == both[role]:
            on_objects = set().union(*(ON_OBJECTS[one] for one in rights))
            on_bucket = set().union(*(ON_BUCKET[one] for one in rights))
            if action in on_objects:
                return key is not None and inside
            if action == "s3:ListBucket":
                return action in on_bucket and inside
            if action in UPLOADS:
                return action in on_bucket and not held
            return action in on_bucket
    return False


def request(action: str, bucket: str, key: str | None) -> Request:
    """As AWS sees it: lists are about the bucket and carry their prefix, if they have one."""
    arn = f"arn:aws:s3:::{bucket}"
    if action in {*LISTING, *UPLOADS}:
        return Request(action, arn, {} if key is None else {"s3:prefix": key})
    return Request(action, arn if key is None else f"{arn}/{key}")


@st.composite
def requests(draw: st.DrawFn, identity: Identity, both: Mapping[Role, str]) -> tuple[str, str, str | None]:
    """Any request, near to what the identity may do."""
    own = [*READING, *WRITING, *LISTING, *UPLOADS]
    action = draw(st.sampled_from(own) | st.sampled_from(ACTIONS))
    name = draw(st.sampled_from(sorted(both.values())))
    bucket = draw(st.sampled_from([name] * 6 + [f"{name}x", f"x{name}", name[:-1], "*", ""]))
    held = [one for prefixes in identity.prefixes.values() for one in prefixes]
    prefix = draw(st.sampled_from(held)) if held else "frames/"
    text = draw(st.text(max_size=8) | st.sampled_from(["", "*", "?", "../x", "/", "."]))
    return (
        action,
        bucket,
        draw(
            st.sampled_from(
                [
                    f"{prefix}{text}",
                    f"{prefix}{text}",
                    f"{text}{prefix}{text}",
                    f"/{prefix}{text}",
                    prefix[:-1],
                    f"{prefix[:-1]}{text}",
                    f"{prefix[:-1]}-old/{text}",
                    prefix.swapcase(),
                    text,
                    None,
                ]
            )
        ),
    )


@settings(max_examples=300)
@given(any_identity(), buckets, st.data())
def test_a_request_is_allowed_exactly_if_the_rights_promise_it(identity, both, data):
    document = policy(identity, both)
    action, bucket, key = data.draw(requests(identity, both))
    assert allowed(document, request(action, bucket, key)) is promised(identity, both, action, bucket, key)


@given(any_identity(), buckets, st.text(max_size=8))
def test_everything_that_the_rights_promise_is_allowed(identity, both, text):
    document = policy(identity, both, encryption_key=KEY)
    for role, rights in identity.rights.items():
        for right in rights:
            for prefix in identity.prefixes.get(role, ("",)):
                for action in ON_OBJECTS[right]:
                    assert allowed(document, request(action, both[role], f"{prefix}{text}"))
                for action in ON_BUCKET[right] - (UPLOADS if prefix else set()):
                    assert allowed(document, request(action, both[role], f"{prefix}{text}"))
    assert allowed(document, Request("kms:Decrypt", KEY, THROUGH_S3))


@given(any_identity(), buckets, st.sampled_from(ACTIONS))
def test_no_action_but_those_of_the_rights_is_allowed_anywhere(identity, both, action):
    document = policy(identity, both)
    if action not in {*READING, *WRITING, *LISTING, *UPLOADS}:
        for resource in (
            "*",
            "arn:aws:s3:::*",
            *(f"arn:aws:s3:::{both[role]}{end}" for role in both for end in ("", "/x")),
        ):
            assert not allowed(document, Request(action, resource))


@given(any_identity(), buckets, st.sampled_from(["aws", "aws-cn", "aws-us-gov"]), st.none() | st.just(KEY))
def test_every_statement_is_explicit(identity, both, partition, key):
    for statement in policy(identity, both, partition=partition, encryption_key=key)["Statement"]:
        assert statement["Effect"] == "Allow"
        assert statement["Action"]
        for action in statement["Action"]:
            assert action.startswith(("s3:", "kms:"))
            assert not set(action) & set("*?")
        for resource in statement["Resource"]:
            if resource != KEY:
                assert resource.startswith(f"arn:{partition}:s3:::")
                assert not set(resource.removesuffix("*")) & set("*?$")


@given(any_identity(), buckets, st.sampled_from(ACTIONS))
@example(identity_of("viewer"), BUCKETS, "kms:GenerateDataKey")
@example(identity_of("viewer"), BUCKETS, "kms:Decrypt")
@example(identity_of("ingest"), BUCKETS, "kms:GenerateDataKey")
def test_a_policy_allows_the_kms_actions_that_its_rights_need_on_its_key_alone(identity, both, action):
    writes = any("write" in rights for rights in identity.rights.values())
    needed = {"kms:Decrypt", "kms:GenerateDataKey"} if writes else {"kms:Decrypt"}
    document = policy(identity, both, encryption_key=KEY)
    assert allowed(document, Request(action, KEY, THROUGH_S3)) is (action in needed)
    assert not allowed(document, Request(action, KEY[:-1], THROUGH_S3))
    assert not allowed(policy(identity, both), Request(action, KEY, THROUGH_S3))


@given(any_identity(), buckets, st.sampled_from(["kms:Decrypt", "kms:GenerateDataKey"]))
def test_a_policy_allows_no_use_of_the_key_but_through_s3_in_its_region(identity, both, action):
    document = policy(identity, both, encryption_key=KEY)
    assert not allowed(document, Request(action, KEY))
    for service in ("ebs.eu-west-1.amazonaws.com", "s3.eu-west-2.amazonaws.com", "s3.eu-west-1"):
        assert not allowed(document, Request(action, KEY, {"kms:ViaService": service}))


def test_a_policy_in_china_allows_the_use_of_the_key_through_s3_there():
    key = KEY.replace(":aws:", ":aws-cn:").replace("eu-west-1", "cn-north-1")
    document = policy(identity_of("app"), BUCKETS, partition="aws-cn", encryption_key=key)
    context = {"kms:ViaService": "s3.cn-north-1.amazonaws.com.cn"}
    assert allowed(document, Request("kms:Decrypt", key, context))


def test_the_policy_of_an_identity_with_prefixes_allows_these_alone():
    identity = Identity(name="web", rights=RIGHTS["pipeline"], prefixes={"out": ("frames/", "overlays/")})
    arn = "arn:aws-cn:s3:::media"
    assert policy(identity, BUCKETS, partition="aws-cn")["Statement"] == [
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": [f"{arn}-in"]},
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{arn}-in/*"]},
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [f"{arn}-out"],
            "Condition": {"StringLike": {"s3:prefix": ["frames/*", "overlays/*"]}},
        },
        {"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": [f"{arn}-out"]},
        {
            "Effect": "Allow",
            "Action": [
                *("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
                *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
            ],
            "Resource": [f"{arn}-out/frames/*", f"{arn}-out/overlays/*"],
        },
    ]


def test_an_identity_that_only_writes_below_prefixes_cannot_list():
    drop = Identity(name="drop", rights={"in": frozenset({"write"})}, prefixes={"in": ("inbox/",)})
    (statement,) = policy(drop, BUCKETS)["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::media-in/inbox/*"]
    assert set(statement["Action"]) == WRITING


def test_the_length_of_a_policy_is_that_of_its_json_without_spaces():
    assert length({"Version": "1", "Statement": ["a", "b"]}) == len('{"Version":"1","Statement":["a","b"]}')


def test_the_rights_of_all_four_identities_are_defined():
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
        if "Condition" in statement:
            held = statement["Condition"]["StringLike"]["s3:prefix"]
            pairs["Condition"] = {"StringLike": {"s3:prefix": listed(held)}}
        if shuffle.random() < 0.5:
            pairs["Sid"] = str(shuffle.random())
        statements.append(dict(shuffle.sample(sorted(pairs.items()), len(pairs))))
    return {"Statement": listed(statements), "Version": "2012-10-17"}


@given(any_identity(), buckets, st.integers())
def test_the_normalised_policy_ignores_order_and_lists_of_one(identity, both, seed):
    document = policy(identity, both)
    assert normalised(scrambled(document, seed)) == normalised(document)
    assert normalised(document) == normalised(json.loads(json.dumps(document)))


@given(st.sampled_from(sorted(RIGHTS)), st.sampled_from(sorted(RIGHTS)), buckets, buckets)
def test_normalised_policies_differ_exactly_when_the_rights_differ(one, other, here, there):
    same = rights(policy_of(one, here)) == rights(policy_of(other, there))
    assert (normalised(policy_of(one, here)) == normalised(policy_of(other, there))) is same


@given(any_identity(), any_identity(), buckets)
def test_normalised_policies_differ_exactly_when_the_prefixes_differ(one, other, both):
    same = one.rights == other.rights and {role: set(held) for role, held in one.prefixes.items()} == {
        role: set(held) for role, held in other.prefixes.items()
    }
    assert (normalised(policy(one, both)) == normalised(policy(other, both))) is same


def test_the_normalised_policy_keeps_the_effect_and_the_condition():
    document = policy_of("viewer", BUCKETS)
    deny = {"Statement": [{**one, "Effect": "Deny"} for one in document["Statement"]]}
    only = {"Statement": [{**one, "Condition": {"Bool": {"x": "y"}}} for one in document["Statement"]]}
    assert len({repr(normalised(one)) for one in (document, deny, only)}) == 3


def test_a_missing_policy_differs_from_an_empty_one_when_normalised():
    assert normalised(None) is None
    assert normalised(None) != normalised({"Statement": []}) == []
