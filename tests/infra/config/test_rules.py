"""What is fine by itself and not together. What each target honours is in `test_capabilities`."""

from __future__ import annotations

from typing import Any

import pytest

from infra.config.environment import ConfigError, EnvironmentConfig
from infra.config.identities import RIGHTS, ROLES, Identity
from infra.config.load import parse
from infra.policies import length, policy

AWS: dict[str, Any] = {"target": "aws", "region": "eu-west-1"}
GCP: dict[str, Any] = {"target": "gcp", "project": "acme-media", "location": "EU"}
R2: dict[str, Any] = {"target": "r2", "account": "0123456789abcdef0123456789abcdef"}
NAMED: dict[str, Any] = {"buckets": {"in": {"name": "media-in"}, "out": {"name": "media-out"}}}
ROLE = "arn:aws:iam::123456789012:role/batch"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/cap"


def read(values: dict[str, Any], environment: str = "test") -> EnvironmentConfig:
    return parse(environment, values, "here.yaml")


def problems(values: dict[str, Any], environment: str = "test") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(values, environment)
    return caught.value.problems


def in_bucket(name: str) -> dict[str, Any]:
    return {"buckets": {"in": {"name": name}, "out": {"name": "media-out"}}}


class TestNames:
    @pytest.mark.parametrize("target", [AWS, GCP, R2], ids=lambda target: target["target"])
    def test_a_dotted_name_is_refused_in_words(self, target):
        (said,) = problems(target | in_bucket("media.in"))
        assert said.startswith("buckets.in.name: must hold no dot")
        assert said.endswith("(media.in)")

    def test_a_dotted_name_is_accepted_for_path_addressing_and_for_adopting(self):
        assert read(AWS | in_bucket("media.in") | {"addressingStyle": "path"}).bucket_in.name == "media.in"
        assert read(GCP | in_bucket("media.in") | {"adopt": "true"}).adopt

    def test_a_reserved_name_is_for_adopting_alone(self):
        name = "media-111122223333-eu-west-1-an"
        assert problems(AWS | in_bucket(name))[0].startswith("buckets.in.name: must not end in")
        assert read(AWS | in_bucket(name) | {"adopt": True}).bucket_in.name == name

    @pytest.mark.parametrize(("target", "longest"), [(AWS, 47), (GCP, 22), (R2, 55)])
    def test_an_environment_name_is_refused_if_names_made_from_it_would_be_too_long(self, target, longest):
        read(target, "e" * longest)
        (said,) = problems(target, "e" * (longest + 1))
        assert said == "environment: is too long for the names of identities and buckets by 1 characters"

    def test_an_environment_name_may_be_long_if_the_buckets_have_names(self):
        read(R2 | NAMED, "e" * 100)
        read({"target": "s3-compatible", "endpoint": "http://store"} | NAMED, "e" * 100)

    def test_the_name_of_the_longest_identity_counts_for_the_length(self):
        web = {"name": "a234567890123456", "rights": "viewer"}
        assert "by 13 characters" in problems(GCP | {"identities": ["app", web]}, "e" * 22)[0]

    @pytest.mark.parametrize(
        ("target", "tags", "said"),
        [
            (GCP, {"Team": "media"}, "tags: must be lowercase letters"),
            (GCP, {"team": "a b"}, "tags: must be lowercase letters"),
            (AWS, {"aws:team": "media"}, "tags: must be letters, digits, spaces"),
            (AWS, {"team": ""}, "tags.team: must be text"),
            (AWS, {"team": 3}, "tags.team: must be text"),
            (AWS, ["team"], "tags: must be a mapping"),
        ],
    )
    def test_a_tag_that_the_cloud_would_refuse_is_a_problem(self, target, tags, said):
        (found,) = problems(target | {"tags": tags})
        assert found.startswith(said)


class TestAdoption:
    @pytest.mark.parametrize("target", [AWS, GCP, R2], ids=lambda target: target["target"])
    def test_adopting_requires_the_names_of_the_buckets(self, target):
        assert problems(target | {"adopt": True}) == [
            "adopt: needs buckets.in.name and buckets.out.name, the buckets to take over"
        ]
        assert problems(target | {"adopt": True, "buckets": {"in": {"name": "media-in"}}})
        assert read(target | NAMED | {"adopt": True}).adopt

    @pytest.mark.parametrize("target", [AWS, GCP, R2], ids=lambda target: target["target"])
    def test_an_adopted_environment_may_be_disposable(self, target):
        """Its buckets stay then, as on target s3-compatible: see tests/infra/targets/test_clouds.py."""
        assert read(target | NAMED | {"adopt": True, "disposable": True}).disposable


class TestRoles:
    TRUST: dict[str, Any] = {"principals": [ROLE]}  # noqa: RUF012  # nothing changes it

    def test_a_role_without_trust_is_a_problem(self):
        assert problems(AWS | {"credentials": "role"}) == [
            "trust: is required: no principal could assume the role of app"
        ]
        own = {"name": "web", "rights": "viewer", "trust": self.TRUST}
        assert problems(AWS | {"credentials": "role", "identities": ["app", own, "viewer"]}) == [
            "trust: is required: no principal could assume the role of app or viewer"
        ]

    def test_trust_without_a_role_is_a_problem(self):
        assert problems(AWS | {"trust": self.TRUST}) == ["trust: is for roles (app): set `credentials: role`"]
        own = {"name": "web", "rights": "viewer", "trust": self.TRUST}
        assert problems(AWS | {"credentials": "user", "identities": ["app", own]}) == [
            "trust: is for roles (web): set `credentials: role`"
        ]

    def test_trust_of_the_identity_or_of_the_environment_is_enough_for_a_role(self):
        own = {"name": "web", "rights": "viewer", "trust": self.TRUST}
        assert read(AWS | {"credentials": "role", "identities": [own]}).credentials == "role"
        assert read(AWS | {"credentials": "role", "trust": self.TRUST}).credentials == "role"


class TestPartitions:
    @pytest.mark.parametrize(
        ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
    )
    def test_arns_of_the_partition_of_the_region_are_accepted(self, region, partition):
        found = read(
            {
                "target": "aws",
                "region": region,
                "credentials": "role",
                "trust": {"principals": [ROLE.replace("aws", partition, 1)]},
                "permissionsBoundary": BOUNDARY.replace("aws", partition, 1),
                "encryption": KEY.replace("aws", partition, 1).replace("eu-west-1", region),
            }
        )
        assert found.region == region

    def test_an_arn_of_another_partition_than_that_of_the_region_is_a_problem(self):
        values = {
            "target": "aws",
            "region": "cn-north-1",
            "credentials": "role",
            "trust": {"principals": [ROLE]},
            "permissionsBoundary": BOUNDARY,
            "encryption": KEY,
            "identities": ["app", "viewer"],
        }
        assert problems(values) == [
            f"{path}: must be in partition aws-cn, which region cn-north-1 belongs to, got {arn}"
            for path, arn in (("trust", ROLE), ("permissionsBoundary", BOUNDARY), ("encryption", KEY))
        ]

    def test_a_kms_key_of_another_region_is_a_problem(self):
        other = KEY.replace("eu-west-1", "us-east-1")
        assert problems(AWS | {"encryption": other}) == [
            f"encryption: must be in region eu-west-1, as the buckets are, got {other}"
        ]

    @pytest.mark.parametrize("boundary", ["arn:aws:iam::aws:policy/PowerUserAccess", BOUNDARY])
    def test_a_permissions_boundary_may_be_a_policy_of_aws_or_of_an_account(self, boundary):
        assert read(AWS | {"permissionsBoundary": boundary}).permissions_boundary == boundary

    @pytest.mark.parametrize("value", ["arn:aws:iam::1:policy/x", "cap", "arn:aws:iam::123456789012:role/x", 3])
    def test_a_permissions_boundary_that_is_no_policy_arn_is_a_problem(self, value):
        assert problems(AWS | {"permissionsBoundary": value})[0].startswith("permissionsBoundary: must be")

    @pytest.mark.parametrize(
        "value",
        ["AES256", "aws:kms", "alias/media", KEY.replace("key/", "alias/"), "arn:aws:kms:eu-west-1:1:key/x"],
    )
    def test_an_encryption_that_is_no_kms_key_arn_is_a_problem(self, value):
        assert problems(AWS | {"encryption": value})[0].startswith(
            "encryption: must be aes256, kms (a key of its own) or the ARN of a KMS key, got "
        )


def prefixes(count: int) -> list[str]:
    """So many, of 20 characters each."""
    return [f"{one:019}/" for one in range(count)]


def held(count: int) -> dict[str, Any]:
    return {"name": "web", "rights": "app", "prefixes": {"out": prefixes(count)}}


class TestPolicyLength:
    def test_more_prefixes_than_fit_into_the_policy_of_a_user_are_a_problem(self):
        read(AWS | {"identities": [held(8)]})
        (said,) = problems(AWS | {"identities": ["app", held(40)]})
        assert said.startswith("identities: the prefixes of web make a policy of ")
        assert said.endswith(
            "and AWS takes 2048: name fewer or shorter ones (or set `credentials: role`, which allows more)"
        )

    def test_the_policy_of_a_role_has_room_for_more_prefixes(self):
        role = AWS | {"credentials": "role", "trust": {"principals": [ROLE]}}
        read(role | {"identities": [held(40)]})
        (said,) = problems(role | {"identities": [held(200)]})
        assert said.endswith("and AWS takes 10240: name fewer or shorter ones")

    @pytest.mark.parametrize("encryption", ["aes256", "kms", KEY])
    def test_accepted_prefixes_fit_into_the_policy_with_the_longest_possible_names(self, encryption):
        most = max(count for count in range(1, 60) if self._fits(count, encryption))
        assert self._length(most, encryption) <= 2048 < self._length(most + 1, encryption)

    def _length(self, count: int, encryption: str) -> int:
        """The length of the policy of `held`, with names as Pulumi makes them."""
        identity = Identity(name="web", rights=RIGHTS["app"], prefixes={"out": tuple(prefixes(count))})
        made = {role: f"mpr-test-{role}-1234567" for role in ROLES}
        return length(policy(identity, made, encryption_key=None if encryption == "aes256" else KEY))

    def _fits(self, count: int, encryption: str) -> bool:
        try:
            read(AWS | {"encryption": encryption, "identities": [held(count)]})
        except ConfigError:
            return False
        return True

    def test_an_s3_compatible_store_has_no_limit_of_prefixes(self):
        store = {"target": "s3-compatible", "endpoint": "http://store"} | NAMED
        assert read(store | {"identities": [held(200)]}).names == ("web",)


@pytest.mark.parametrize("days", [1, 6, 91, 1000])
def test_soft_delete_of_other_than_0_or_7_to_90_days_is_a_problem(days):
    buckets = {"in": {"softDeleteDays": days}}
    assert problems(GCP | {"buckets": buckets}) == [f"buckets.in.softDeleteDays: must be 0 or 7 to 90, got {days}"]


@pytest.mark.parametrize("days", [0, 7, "30", 90])
def test_soft_delete_of_0_or_7_to_90_days_is_accepted(days):
    assert read(GCP | {"buckets": {"in": {"softDeleteDays": days}}}).bucket_in.soft_delete_days == int(days)


def test_the_location_of_an_r2_bucket_is_one_of_those_of_cloudflare():
    assert problems(R2 | {"location": "EU"}) == [
        "location: must be one of apac, eeur, enam, oc, weur, wnam, got EU; for a guarantee, set `jurisdiction`"
    ]
    assert read(R2 | {"location": "WEUR"}).location == "WEUR"


def test_the_problems_of_all_rules_are_reported_at_once():
    values = {
        "target": "aws",
        "region": "cn-north-1",
        "tags": {"aws:x": "y"},
        "adopt": True,
        "trust": {"principals": [ROLE]},
        "encryption": KEY,
        "location": "EU",
        "buckets": {"in": {"name": "same.name"}, "out": {"name": "same.name"}},
        "identities": [held(40)],
    }
    assert [one.partition(": ")[0] for one in problems(values, "e" * 60)] == [
        "location",
        "trust",
        "trust",
        "encryption",
        "identities",
        "buckets.in.name",
        "buckets.out.name",
        "buckets.out.name",
        "environment",
        "tags",
    ]
