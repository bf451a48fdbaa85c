"""Errors of providers, as their sources and issue trackers quote them, with the sentence that follows; tags."""

from __future__ import annotations

import pytest

from infra.targets.registry import TARGETS

AWS = (
    "operation error {service}: {call}, https response error StatusCode: {status}, RequestID: X, api error {rest}"
)


def aws(service: str, call: str, status: int, rest: str) -> str:
    return AWS.format(service=service, call=call, status=status, rest=rest)


@pytest.mark.parametrize(
    ("target", "error", "said"),
    [
        (
            "aws",
            "creating S3 Bucket (media): " + aws("S3", "CreateBucket", 409, "BucketAlreadyExists: taken"),
            "belongs to another account",
        ),
        (
            "aws",
            "creating S3 Bucket (media): "
            + aws("S3", "CreateBucket", 409, "BucketAlreadyOwnedByYou: Your previous request succeeded"),
            "mpr-storage:adopt: true",
        ),
        (
            "aws",
            "deleting S3 Bucket (media): " + aws("S3", "DeleteBucket", 409, "BucketNotEmpty: not empty"),
            "not empty and not disposable",
        ),
        (
            "aws",
            "creating IAM Access Key (mpr-prod-app): "
            + aws("IAM", "CreateAccessKey", 409, "LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2"),
            "two access keys already",
        ),
        (
            "aws",
            "creating IAM User (mpr-prod-app): "
            + aws("IAM", "CreateUser", 409, "EntityAlreadyExists: User with name mpr-prod-app already exists."),
            "already exists outside this stack",
        ),
        (
            "aws",
            aws("IAM", "CreateUser", 409, "LimitExceeded: Cannot exceed quota for UsersPerAccount: 5000"),
            "a limit of the account is reached",
        ),
        (
            "aws",
            aws("S3", "CreateBucket", 400, "ExpiredToken: The provided token has expired."),
            "have expired: log in again",
        ),
        (
            "aws",
            aws("S3", "CreateBucket", 403, "AccessDenied: User: arn:aws:iam::1:user/x is not authorized"),
            "python -m infra deployer",
        ),
        (
            "gcp",
            "googleapi: Error 409: Your previous request to create the bucket succeeded and you already own it.",
            "mpr-storage:adopt: true",
        ),
        (
            "gcp",
            "googleapi: Error 409: The requested bucket name is not available., conflict",
            "belongs to another account",
        ),
        (
            "gcp",
            "googleapi: Error 403: x@y does not have storage.buckets.create access to the Google Cloud project.",
            "lack a permission",
        ),
        ("gcp", 'oauth2: "invalid_grant" "reauth related error (invalid_rapt)"', "have expired: log in again"),
        (
            "gcp",
            "Error creating service account: googleapi: Error 409: Service account mpr-prod-app already exists",
            "already exists outside this stack",
        ),
        (
            "r2",
            '{"code":10004,"message":"The bucket you tried to create already exists, and you own it."}',
            "mpr-storage:adopt: true",
        ),
        ("r2", '403 Forbidden {"errors":[{"code":10000,"message":"Authentication error"}]}', "create a new one"),
        (
            "aws",
            aws("S3", "PutLifecycleConfiguration", 404, "NoSuchBucket: The specified bucket does not exist"),
            "pulumi up --refresh",
        ),
        ("gcp", "googleapi: Error 404: The specified bucket does not exist., notFound", "pulumi up --refresh"),
        (
            "r2",
            '404 Not Found {"errors":[{"code":10006,"message":"The specified bucket does not exist."}]}',
            "set the former value",
        ),
        ("r2", 'DELETE tokens/1: 404 Not Found {"errors":[{"code":1003}]}', "pulumi up --refresh"),
        (
            "r2",
            '409 Conflict {"code":10008,"message":"The bucket you tried to delete is not empty"}',
            "delete the objects",
        ),
    ],
)
def test_a_known_error_of_the_provider_is_followed_by_what_to_do(target, error, said):
    sentence = TARGETS[target].next_step("mpr-prod-in", error)
    assert sentence is not None
    assert sentence.startswith("mpr-prod-in: ")
    assert said in sentence


@pytest.mark.parametrize("target", ["aws", "gcp", "r2"])
def test_an_unknown_error_of_the_provider_gets_no_additional_sentence(target):
    assert TARGETS[target].next_step("x", "the moon is in the wrong place") is None


@pytest.mark.parametrize(
    ("target", "key", "value"),
    [
        ("aws", "Team", "Media & more"),
        ("aws", "aws:team", "media"),
        ("aws", "Team", "AWS:media"),
        ("aws", "k" * 129, "v"),
        ("aws", "k", "v" * 257),
        ("aws", "a\nb", "v"),
        ("gcp", "Team", "media"),
        ("gcp", "team", "Media"),
        ("gcp", "1team", "media"),
        ("gcp", "_team", "media"),
        ("gcp", "te am", "media"),
        ("gcp", "team", "a.b"),
        ("gcp", "k" * 64, "v"),
        ("gcp", "k", "v" * 64),
    ],
)
def test_an_invalid_tag_is_refused(target, key, value):
    tags = TARGETS[target].tags
    assert tags
    assert str(tags.problem(key, value)).endswith(f"got {key}: {value}")


@pytest.mark.parametrize(
    ("target", "key", "value"),
    [
        ("aws", "Kostenstelle Süd", "a/b:c=d+e@f_g-h.i"),
        ("aws", "k" * 128, "v" * 256),
        ("gcp", "team", "media-2_x"),
        ("gcp", "größe", "9"),
        ("gcp", "k" * 63, "v" * 63),
    ],
)
def test_a_valid_tag_is_accepted(target, key, value):
    tags = TARGETS[target].tags
    assert tags
    assert tags.problem(key, value) is None
