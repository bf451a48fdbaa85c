"""The rules of AWS about several settings together: partitions, regions, and the length of policies."""

from __future__ import annotations

from collections.abc import Iterator

from infra.config import naming
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Identity
from infra.config.reader import Reader
from infra.policies import Policy, length, policy
from infra.targets.aws.partition import partition_of

#: Characters that the inline policies of one user or role may have
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
_POLICY_LENGTH = {"user": 2048, "role": 10240}
#: Characters that Pulumi adds to a bucket name that it generates.
RANDOM_SUFFIX = 8


def check(read: Reader, config: EnvironmentConfig) -> None:
    """Note ARNs of other partitions and regions, and policies that are too long."""
    _check_arns(read, config)
    _check_policy_length(read, config)


def _check_arns(read: Reader, config: EnvironmentConfig) -> None:
    """Note ARNs of another partition, and a KMS key of another region."""
    expected = partition_of(config.region)
    for path, arn in _arns(config):
        _, partition, _, region, *_ = arn.split(":")
        if partition != expected:
            read.note(path, f"must be in partition {expected}, which region {config.region} belongs to, got {arn}")
        elif region not in {"", config.region}:
            read.note(path, f"must be in region {config.region}, as the buckets are, got {arn}")


def _arns(config: EnvironmentConfig) -> Iterator[tuple[str, str]]:
    principals = [arn for identity in config.identities if identity.trust for arn in identity.trust.principals]
    yield from (("trust", arn) for arn in dict.fromkeys(principals))
    if config.permissions_boundary:
        yield "permissionsBoundary", config.permissions_boundary
    if config.encryption.startswith("arn:"):
        yield "encryption", config.encryption


def _check_policy_length(read: Reader, config: EnvironmentConfig) -> None:
    limit = _POLICY_LENGTH.get(config.credentials, 0)
    for identity in config.identities:
        characters = length(_longest_policy(config, identity))
        if characters > limit:
            instead = "" if config.credentials == "role" else " (or set `credentials: role`, which allows more)"
            read.note(
                "identities",
                f"the prefixes of {identity.name} make a policy of {characters} characters, and AWS "
                f"takes {limit}: name fewer or shorter ones{instead}",
            )


def _longest_policy(config: EnvironmentConfig, identity: Identity) -> Policy:
    """Return the policy of an identity, with names of their full length where they will be generated."""
    partition, region = partition_of(config.region), config.region
    generated = f"arn:{partition}:kms:{region}:{'0' * 12}:key/{'0' * 36}"
    key = {"aes256": None, "kms": generated}.get(config.encryption, config.encryption)
    suffix = "0" * RANDOM_SUFFIX
    buckets = {
        role: config.bucket(role).name or naming.bucket(config.environment, role) + suffix for role in ROLES
    }
    return policy(identity, buckets, partition=partition, encryption_key=key)
