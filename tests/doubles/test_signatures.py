from __future__ import annotations

import pytest

from tests.doubles import signatures
from tests.doubles.handler import UNKNOWN, Props, Refused

CONTROLS = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
BUCKET = "aws:s3/bucket:Bucket"
RULE = {"objectOwnership": "BucketOwnerEnforced"}


def lifecycle(**rule: object) -> Props:
    return {"bucket": "b", "rules": [{"id": "r", "status": "Enabled", **rule}]}


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (CONTROLS, {"bucket": "b", "rule": RULE}),
        (CONTROLS, {"bucket": UNKNOWN, "rule": UNKNOWN}),
        (BUCKET, {}),
        (BUCKET, {"tags": {"any": "name"}, "forceDestroy": True, "__defaults": []}),
        (LIFECYCLE, lifecycle(filter={"prefix": "a/"}, expiration={"days": 3})),
        # These have another class where a nested type has the name of the resource.
        ("aws:s3/bucketVersioning:BucketVersioning", {"bucket": "b", "versioningConfiguration": {"status": "x"}}),
        ("aws:iam/accessKey:AccessKey", {"user": "u"}),
        ("gcp:storage/bucket:Bucket", {"location": "EU", "lifecycleRules": [{"action": {"type": "Delete"}}]}),
    ],
)
def test_inputs_that_the_sdk_allows_have_no_mistakes(token: str, inputs: Props):
    wrong = signatures.mistakes(token, inputs)
    assert not [one for one in wrong if "condition" not in one.path]


@pytest.mark.parametrize(
    ("token", "inputs", "path", "reason"),
    [
        (BUCKET, {"bukket": "b"}, "bukket", 'An argument named "bukket" is not expected'),
        (BUCKET, {"bucket": 3}, "bucket", "expected str type, got int"),
        (BUCKET, {"forceDestroy": "true"}, "forceDestroy", "expected bool type, got str"),
        (BUCKET, {"tags": {"a": True}}, "tags.a", "expected str type, got bool"),
        (BUCKET, {"tags": ["a"]}, "tags", "expected object type, got list"),
        (CONTROLS, {"rule": RULE}, "bucket", 'The argument "bucket" is required'),
        (CONTROLS, {"bucket": "b", "rule": {}}, "rule.objectOwnership", "is required"),
        (
            CONTROLS,
            {"bucket": "b", "rule": RULE | {"object_ownership": "x"}},
            "rule.object_ownership",
            "not expected",
        ),
        (LIFECYCLE, lifecycle(expiration={"days": "3"}), "rules[0].expiration.days", "expected int type, got str"),
        (LIFECYCLE, lifecycle(filter={"prefixx": "a"}), "rules[0].filter.prefixx", "not expected"),
        (LIFECYCLE, {"bucket": "b", "rules": {}}, "rules", "expected list type, got dict"),
    ],
)
def test_a_wrong_input_is_reported_with_its_path_and_reason(token: str, inputs: Props, path: str, reason: str):
    ((found, said),) = signatures.mistakes(token, inputs)
    assert found == path
    assert reason in said


@pytest.mark.parametrize("token", ["aws:s3/bukket:Bukket", "aws:s3/bucket:Bukket", "pulumi:providers:nothing"])
def test_a_type_that_the_sdk_does_not_have_is_refused(token: str):
    with pytest.raises(Refused, match=f"unrecognized resource type .*{token}"):
        signatures.arguments(token)


def test_a_misspelt_provider_configuration_is_reported_with_the_right_name():
    ((path, reason),) = signatures.configuration_mistakes("aws", {"region": "r", "regoin": "r", "version": "7"})
    assert path == "regoin"
    assert "region" in reason


def test_unknown_functions_and_arguments_of_functions_are_refused():
    signatures.require_function("aws:index/getCallerIdentity:getCallerIdentity", {})
    with pytest.raises(Refused, match="unrecognized data function"):
        signatures.require_function("aws:index/getCallerIdentityy:getCallerIdentityy", {})
    with pytest.raises(Refused, match='named "x" is not expected'):
        signatures.require_function("aws:index/getCallerIdentity:getCallerIdentity", {"x": 1})
