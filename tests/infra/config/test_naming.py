"""The rules are those of the vendors' own pages, which the `spec` of each target names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.storage._config.validate import bucket_name_problem
from infra.config import naming
from infra.config.environment import BucketConfig, EnvironmentConfig
from infra.config.identities import RIGHTS, ROLES, Identity
from infra.targets.registry import TARGETS

#: Ids of service accounts, as the API of Google's IAM states it.
ACCOUNT_ID = re.compile(r"(?=.{6,30}$)[a-z]([-a-z0-9]*[a-z0-9])")


def config_of(
    target: str, environment: str = "test", identities: Sequence[str] = (), *, named: bool = False, **settings: Any
) -> EnvironmentConfig:
    """Return an environment with these identities, whose buckets have names or get generated ones."""
    bucket = BucketConfig(name="media" if named else None)
    members = tuple(Identity(name=name, rights=RIGHTS["app"]) for name in identities)
    return EnvironmentConfig(
        environment=environment, target=target, bucket_in=bucket, bucket_out=bucket, identities=members, **settings
    )


def bucket_problem(name: str, target: str, **settings: Any) -> str | None:
    return naming.bucket_problem(name, config_of(target, **settings), TARGETS[target])


def environment_problem(
    environment: str, identities: Sequence[str], target: str, *, named: bool = False
) -> str | None:
    return naming.environment_problem(config_of(target, environment, identities, named=named), TARGETS[target])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "name", ["abc", "studio-in", "0-9", "a" * 63, "plan", "x-anx", "an-x", "goo-g", "s3alias"]
)
def test_a_name_that_is_valid_for_every_target_is_accepted(target, name):
    assert bucket_problem(name, target) is None


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Studio", "a_b", "-ab", "ab-", "a..b", "10.0.0.1", "é-b", "a b", ""]
)
def test_a_name_that_is_valid_for_no_target_is_refused(target, name):
    for adopt in (True, False):
        assert bucket_problem(name, target, addressing_style="path", adopt=adopt)


@pytest.mark.parametrize(
    ("target", "name", "said"),
    [
        ("aws", "media.in", "no dot: AWS' certificate does not cover it"),
        ("gcp", "media.in", "no dot: GCS requires a proof that you own that domain"),
        ("r2", "media.in", "no dot: R2 takes a-z, 0-9 and hyphens"),
        *(
            ("aws", f"{start}media", "must not start with xn--, sthree-")
            for start in ("xn--", "sthree-", "amzn-s3-demo-")
        ),
        *(
            ("aws", f"media{end}", "must not end in -s3alias")
            for end in ("-s3alias", "--ol-s3", "--x-s3", "--table-s3", "-an", "-111122223333-us-west-2-an")
        ),
        *(
            ("gcp", name, "must not start with goog or hold google")
            for name in (
                "goog",
                "goog-media",
                "googol",
                "my-google-media",
                "g00gle-media",
                "a-g0ogle",
                "goog1e",
                "mygoog1e",
            )
        ),
    ],
)
def test_a_name_that_one_target_forbids_is_refused_there(target, name, said):
    assert said in str(bucket_problem(name, target))
    assert bucket_problem(name, "s3-compatible") is None


def test_a_dotted_name_on_aws_requires_path_addressing():
    assert bucket_problem("media.in", "aws", addressing_style="path") is None
    assert bucket_problem("media.in", "aws", addressing_style="virtual")
    assert bucket_problem("media.in", "aws", adopt=True)
    assert bucket_problem("media.in", "aws", addressing_style="path", adopt=True) is None
    assert "addressingStyle: path" in str(bucket_problem("media.in", "aws"))
    for target in ("gcp", "r2"):
        assert bucket_problem("media.in", target, addressing_style="path")


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("aws", "media-111122223333-us-west-2-an"),  # in the account's own regional namespace
        ("aws", "amzn-s3-demo-media"),
        ("gcp", "videos.acme.example"),
        ("gcp", "a-g00gle"),
    ],
)
def test_a_name_that_is_reserved_for_new_buckets_can_be_adopted(target, name):
    assert bucket_problem(name, target)
    assert bucket_problem(name, target, adopt=True) is None


environments = st.from_regex(r"\A[A-Za-z0-9_-]{1,70}\Z")
identities = st.from_regex(r"\A[a-z][a-z0-9]{1,15}\Z")
targets = st.sampled_from(sorted(TARGETS))


@given(environments, st.lists(identities, min_size=1, max_size=3), targets)
def test_generated_names_are_valid_for_the_target(environment, listed, target):
    spec = TARGETS[target]
    if environment_problem(environment, listed, target) is not None:
        return
    for role in ROLES:
        assert bucket_name_problem(naming.bucket(environment, role) + "0" * spec.random_suffix) is None
    for one in listed:
        name = naming.identity(environment, one, lower_case=spec.lower_case)
        limits: dict[str, Any] = {"gcp": ACCOUNT_ID, "aws": re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)}
        assert limits.get(target, re.compile(".{1,120}")).fullmatch(name)


@pytest.mark.parametrize(
    ("target", "identity", "longest"),
    [
        # mpr-<environment>-<identity>, of 30 (gcp), 64 (aws) and 120 (r2) characters
        ("gcp", "app", 22),
        ("gcp", "a234567890123456", 9),
        ("aws", "a234567890123456", 43),
        ("r2", "app", 112),
    ],
)
def test_an_environment_is_refused_at_the_first_character_too_many(target, identity, longest):
    assert environment_problem("e" * longest, [identity, "ab"], target, named=True) is None
    assert environment_problem("e" * (longest + 1), ["ab", identity], target, named=True) == (
        "is too long for the names of identities and buckets by 1 characters"
    )


@pytest.mark.parametrize(("target", "longest"), [("aws", 47), ("gcp", 47), ("r2", 55)])
def test_a_generated_bucket_name_has_63_characters_at_most(target, longest):
    # mpr-<environment>-out, and where names are global -<7 digits>
    assert environment_problem("e" * longest, [], target) is None
    assert "by 3 characters" in str(environment_problem("e" * (longest + 3), [], target))


def test_an_environment_name_may_be_long_if_no_bucket_name_is_made_from_it():
    assert environment_problem("e" * 90, ["app"], "s3-compatible", named=True) is None
    assert environment_problem("e" * 90, ["app"], "r2", named=True) is None


@pytest.mark.parametrize(
    ("environment", "bucket", "account"),
    [
        ("prod", "mpr-prod-in", "mpr-prod-app"),
        ("Prod_EU", "mpr-prod-eu-in", "mpr-prod-eu-app"),
        ("a__b", "mpr-a-b-in", "mpr-a-b-app"),
        ("-x-", "mpr-x-in", "mpr-x-app"),
    ],
)
def test_what_clouds_do_not_take_of_an_environment_is_replaced(environment, bucket, account):
    assert naming.bucket(environment, "in") == bucket
    assert naming.identity(environment, "app", lower_case=True) == account


@pytest.mark.parametrize("target", ["aws", "r2", "s3-compatible"])
def test_other_targets_than_gcp_keep_the_environment_name_unchanged(target):
    lower_case = TARGETS[target].lower_case
    assert naming.identity("Prod_EU", "app", lower_case=lower_case) == "mpr-Prod_EU-app"
