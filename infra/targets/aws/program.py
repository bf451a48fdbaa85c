"""Target `aws`: a hardened bucket pair on Amazon S3, and an IAM user with a key, or a role, for each identity."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from infra.config.environment import EnvironmentConfig
from infra.config.identities import Identity, Role
from infra.errors import UsageError
from infra.policies import policy
from infra.targets.aws.bucket import create_bucket
from infra.targets.aws.identity import create
from infra.targets.aws.partition import partition_of
from infra.targets.options import Options, brief
from infra.targets.program import Access, BucketResources, access_to


class Program:
    """The resources of an environment on AWS."""

    def __init__(self, config: EnvironmentConfig, options: Options) -> None:
        """Try the credentials of the deployment, and create the KMS key if the environment has one of its own."""
        self._config = config
        # A provider of its own, so that the region has one source, mpr-storage:region.
        self._provider = options.provider_of("aws") or aws.Provider(
            f"mpr-{config.environment}", region=config.region, opts=options.base("aws")
        )
        self._account = _account(self._provider)
        self._key = _encryption_key(config, options.with_provider(self._provider))

    def bucket(self, role: Role, options: Options) -> BucketResources:
        """Create the bucket, or adopt the existing one, with every setting explicit."""
        return create_bucket(role, self._key, options.with_provider(self._provider))

    def identity(self, identity: Identity, buckets: Mapping[Role, BucketResources], options: Options) -> Access:
        """Create an IAM user or role with its policy."""
        config, partition = self._config, partition_of(self._config.region)
        names = {role: bucket.name for role, bucket in buckets.items()}
        document = pulumi.Output.json_dumps(
            pulumi.Output.all(names=names, key=self._key).apply(
                lambda known: policy(identity, known["names"], partition=partition, encryption_key=known["key"])
            )
        )
        made = create(identity, document, self._account, options.with_provider(self._provider))
        return access_to(
            buckets, config, made.resources, made.keys, bucket_owner=self._account, role_arn=made.role_arn
        )


def _account(provider: pulumi.ProviderResource) -> str:
    """Return the account of the credentials at hand.

    Raises:
        UsageError: there are none, or AWS does not accept them.
    """
    try:
        return aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider)).account_id
    except Exception as error:  # Pulumi raises no other for an invoke that fails
        raise UsageError(
            "AWS does not accept the credentials of this deployment: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, or log in again if they have expired ({brief(str(error))})"
        ) from error


def _encryption_key(config: EnvironmentConfig, options: Options) -> pulumi.Input[str] | None:
    """Return the ARN of the KMS key that encrypts the buckets; None if S3's own keys do."""
    if config.encryption == "aes256":
        return None
    if config.encryption != "kms":
        return config.encryption
    name = f"mpr-{config.environment}"
    return aws.kms.Key(
        f"{name}-key",
        description=f"Objects of the storage environment {config.environment}",
        enable_key_rotation=True,
        tags=config.tags,
        opts=options.kept(name),  # without it, what it encrypted is lost
    ).arn
