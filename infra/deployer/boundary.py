"""The permissions boundary of an environment: what its identities may be given at most. Pure functions."""

from __future__ import annotations

from infra.config import naming
from infra.config.environment import EnvironmentConfig
from infra.config.identities import APP, ROLES, Role
from infra.deployer.policy import GENERATED
from infra.policies import Policy, policy
from infra.targets.aws.partition import partition_of


def boundary(config: EnvironmentConfig, account: str = "*") -> Policy:
    """Return the policy for use as `permissionsBoundary`: the rights of `app`, which no identity exceeds.

    It does not depend on which identities the environment has, so that adding one does not change it.

    Args:
        config: the environment.
        account: the ID of the account, for exact ARNs; ``*`` for any.
    """
    partition = partition_of(config.region)
    generated_key = f"arn:{partition}:kms:{config.region}:{account}:key/*"
    return policy(
        APP,
        {role: _bucket(config, role) for role in ROLES},
        partition=partition,
        encryption_key={"aes256": None, "kms": generated_key}.get(config.encryption, config.encryption),
    )


def _bucket(config: EnvironmentConfig, role: Role) -> str:
    return config.bucket(role).name or naming.bucket(config.environment, role) + GENERATED
