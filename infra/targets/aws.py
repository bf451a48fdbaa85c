"""Target `aws`: a hardened bucket pair on Amazon S3, and an IAM user with a key, or a role, for each identity."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from core.storage.settings import Settings
from infra.config import EnvironmentConfig
from infra.errors import UsageError
from infra.identities import ROLES, Identity, Role
from infra.policies import partition_of, policy
from infra.targets import Access, _aws_bucket, _aws_identity, _options
from infra.targets._aws_bucket import Hardened
from infra.targets._options import Options


def provision(config: EnvironmentConfig, values: Mapping[str, object]) -> Mapping[str, Access]:  # noqa: ARG001
    """Create the buckets, then each identity. The credentials of the deployment are tried before anything."""
    # A provider of its own, so that the region has one source, mpr-storage:region.
    provider = aws.Provider("aws", region=config.region)
    options = _options.Options(config, provider)
    account = _account(provider)
    key = _encryption_key(config, options)
    buckets = {role: _aws_bucket.hardened(role, config, key, options) for role in ROLES}
    return {one.name: _access(config, one, account, buckets, key, options) for one in config.identities}


def _account(provider: aws.Provider) -> str:
    """The account of the credentials at hand.

    Raises:
        UsageError: there are none, or AWS does not take them.
    """
    try:
        return aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider)).account_id
    except Exception as error:  # Pulumi raises no other for an invoke that fails
        raise UsageError(
            "AWS does not take the credentials of this deployment: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, or log in again if they have expired ({_options.brief(str(error))})"
        ) from error


def _encryption_key(config: EnvironmentConfig, options: Options) -> pulumi.Input[str] | None:
    """The ARN of the KMS key that encrypts the buckets; None: S3's own keys do."""
    if config.encryption == "aes256":
        return None
    if config.encryption != "kms":
        return config.encryption
    return aws.kms.Key(
        f"mpr-{config.environment}",
        description=f"Objects of the storage environment {config.environment}",
        enable_key_rotation=True,
        tags=config.tags,
        opts=options.kept(),  # without it, what it encrypted is lost
    ).arn


def _access(
    config: EnvironmentConfig,
    identity: Identity,
    account: str,
    buckets: Mapping[Role, Hardened],
    key: pulumi.Input[str] | None,
    options: Options,
) -> Access:
    reached = {role: buckets[role] for role in identity.rights}
    partition = partition_of(config.region)
    document = pulumi.Output.json_dumps(
        pulumi.Output.all(names={role: one.name for role, one in reached.items()}, key=key).apply(
            lambda known: policy(identity, known["names"], partition=partition, encryption_key=known["key"])
        )
    )
    owner = _aws_identity.make(config, identity, document, account, options)
    settings = Settings(
        region=config.region,
        bucket_owner=account,
        addressing_style=config.addressing_style,
        bucket_in=config.bucket_in.name if "in" in reached else None,
        bucket_out=config.bucket_out.name if "out" in reached else None,
    )
    generated = {f"bucket_{role}": one.name for role, one in reached.items() if not config.bucket(role).name}
    ready = [part for one in reached.values() for part in one.parts]
    return Access(settings, {**generated, **owner.later}, [*ready, *owner.ready], owner.keys)
