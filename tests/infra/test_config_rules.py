"""What is fine by itself and not together. What each target honours is in `test_features`."""

from __future__ import annotations

from typing import Any

import pytest

from infra.config import ConfigError, EnvironmentConfig, parse
from infra.identities import RIGHTS, ROLES, Identity
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

    def test_a_dotted_name_that_there_is_already(self):
        assert read(AWS | in_bucket("media.in") | {"addressingStyle": "path"}).bucket_in.name == "media.in"
        assert read(GCP | in_bucket("media.in") | {"adopt": "true"}).adopt

    def test_a_reserved_name_is_for_adopting_alone(self):
        name = "media-111122223333-eu-west-1-an"
        assert problems(AWS | in_bucket(name))[0].startswith("buckets.in.name: must not end in")
        assert read(AWS | in_bucket(name) | {"adopt": True}).bucket_in.name == name

    @pytest.mark.parametrize(("target", "longest"), [(AWS, 47), (GCP, 22), (R2, 55)])
    def test_an_environment_whose_names_would_be_too_long(self, target, longest):
        read(target, "e" * longest)
        (said,) = problems(target, "e" * (longest + 1))
        assert said == "environment: is too long for the names of identities and buckets by 1 characters"

    def test_names_of_ones_own_leave_the_environment_its_name(self):
        read(R2 | NAMED, "e" * 100)
        read({"target": "s3-compatible", "endpoint": "http://store"} | NAMED, "e" * 100)

    def test_a_long_identity_makes_it_longer(self):
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
    def test_a_tag_that_the_cloud_would_refuse(self, target, tags, said):
        (found,) = problems(target | {"tags": tags})
        assert found.startswith(said)


class TestAdoption:
    @pytest.mark.parametrize("target", [AWS, GCP, R2], ids=lambda target: target["target"])
    def test_what_is_taken_over_must_be_named(self, target):
        assert problems(target | {"adopt": True}) == [
            "adopt: needs buckets.in.name and buckets.out.name, the buckets to take over"
        ]
        assert problems(target | {"adopt": True, "buckets": {"in": {"name": "media-in"}}})
        assert read(target | NAMED | {"adopt": True}).adopt

    def test_what_was_there_before_is_never_deleted(self):
        assert problems(AWS | NAMED | {"adopt": True, "disposable": True}) == [
            "adopt: excludes disposable: a bucket that was there before is never deleted"
        ]


class TestRoles:
    TRUST: dict[str, Any] = {"principals": [ROLE]}  # noqa: RUF012  # nothing changes it

    def test_a_role_must_trust_somebody(self):
        assert problems(AWS | {"credentials": "role"}) == ["trust: is required: nobody may assume the role of app"]
        own = {"name": "web", "rights": "viewer", "trust": self.TRUST}
        assert problems(AWS | {"credentials": "role", "identities": ["app", own, "viewer"]}) == [
            "trust: is required: nobody may assume the role of app or viewer"
        ]

    def test_only_a_role_trusts_somebody(self):
        assert problems(AWS | {"trust": self.TRUST}) == ["trust: is for roles (app): set `credentials: role`"]
        own = {"name": "web", "rights": "viewer", "trust": self.TRUST}
        assert problems(AWS | {"credentials": "user", "identities": ["app", own]}) == [
            "trust: is for roles (web): set `credentials: role`"
        ]

    def test_trust_from_either_place_is_enough(self):
        own = {"name": "web", "rights": "viewer", "trust": self.TRUST}
        assert read(AWS | {"credentials": "role", "identities": [own]}).credentials == "role"
        assert read(AWS | {"credentials": "role", "trust": self.TRUST}).credentials == "role"


class TestPartitions:
    @pytest.mark.parametrize(
        ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
    )
    def test_arns_of_the_partition_of_the_region(self, region, partition):
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

    def test_nothing_reaches_into_another_partition(self):
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

    def test_a_key_of_another_region_is_of_no_use(self):
        other = KEY.replace("eu-west-1", "us-east-1")
        assert problems(AWS | {"encryption": other}) == [
            f"encryption: must be in region eu-west-1, as the buckets are, got {other}"
        ]

    @pytest.mark.parametrize("boundary", ["arn:aws:iam::aws:policy/PowerUserAccess", BOUNDARY])
    def test_a_boundary_is_anybodys_policy(self, boundary):
        assert read(AWS | {"permissionsBoundary": boundary}).permissions_boundary == boundary

    @pytest.mark.parametrize("value", ["arn:aws:iam::1:policy/x", "cap", "arn:aws:iam::123456789012:role/x", 3])
    def test_what_is_no_policy_is_no_boundary(self, value):
        assert problems(AWS | {"permissionsBoundary": value})[0].startswith("permissionsBoundary: must be")

    @pytest.mark.parametrize(
        "value",
        ["AES256", "aws:kms", "alias/media", KEY.replace("key/", "alias/"), "arn:aws:kms:eu-west-1:1:key/x"],
    )
    def test_what_is_no_key_encrypts_nothing(self, value):
        assert problems(AWS | {"encryption": value})[0].startswith(
            "encryption: must be aes256, kms (a key of its own) or the ARN of a KMS key, got "
        )


def prefixes(count: int) -> list[str]:
    """So many, of 20 characters each."""
    return [f"{one:019}/" for one in range(count)]


def held(count: int) -> dict[str, Any]:
    return {"name": "web", "rights": "app", "prefixes": {"out": prefixes(count)}}


class TestPolicyLength:
    def test_more_prefixes_than_fit_into_the_policy_of_a_user(self):
        read(AWS | {"identities": [held(8)]})
        (said,) = problems(AWS | {"identities": ["app", held(40)]})
        assert said.startswith("identities: the prefixes of web make a policy of ")
        assert said.endswith(
            "and AWS takes 2048: name fewer or shorter ones (or set `credentials: role`, which takes more)"
        )

    def test_a_role_takes_more_of_them(self):
        role = AWS | {"credentials": "role", "trust": {"principals": [ROLE]}}
        read(role | {"identities": [held(40)]})
        (said,) = problems(role | {"identities": [held(200)]})
        assert said.endswith("and AWS takes 10240: name fewer or shorter ones")

    @pytest.mark.parametrize("encryption", ["aes256", "kms", KEY])
    def test_what_is_let_through_fits_with_the_longest_names_that_can_be_made(self, encryption):
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

    def test_other_targets_have_no_such_limit(self):
        store = {"target": "s3-compatible", "endpoint": "http://store"} | NAMED
        assert read(store | {"identities": [held(200)]}).names == ("web",)


@pytest.mark.parametrize("days", [1, 6, 91, 1000])
def test_soft_delete_is_for_a_week_to_ninety_days_or_off(days):
    buckets = {"in": {"softDeleteDays": days}}
    assert problems(GCP | {"buckets": buckets}) == [f"buckets.in.softDeleteDays: must be 0 or 7 to 90, got {days}"]


@pytest.mark.parametrize("days", [0, 7, "30", 90])
def test_good_days_of_soft_delete(days):
    assert read(GCP | {"buckets": {"in": {"softDeleteDays": days}}}).bucket_in.soft_delete_days == int(days)


def test_a_place_of_r2_is_one_of_its_own():
    assert problems(R2 | {"location": "EU"}) == [
        "location: must be one of apac, eeur, enam, oc, weur, wnam, got EU; what is guaranteed is `jurisdiction`"
    ]
    assert read(R2 | {"location": "WEUR"}).location == "WEUR"


def test_everything_is_told_at_once():
    values = {
        "target": "aws",
        "region": "cn-north-1",
        "tags": {"aws:x": "y"},
        "adopt": True,
        "disposable": True,
        "trust": {"principals": [ROLE]},
        "encryption": KEY,
        "location": "EU",
        "buckets": {"in": {"name": "same.name"}, "out": {"name": "same.name"}},
        "identities": [held(40)],
    }
    assert [one.partition(": ")[0] for one in problems(values, "e" * 60)] == [
        "location",
        "trust",
        "buckets.in.name",
        "buckets.out.name",
        "buckets.out.name",
        "environment",
        "tags",
        "adopt",
        "trust",
        "encryption",
        "identities",
    ]
