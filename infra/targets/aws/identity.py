"""An identity on AWS: an IAM user with access keys, or a role without any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from json import dumps

import pulumi
from pulumi_aws import iam

from infra.config import naming
from infra.config.identities import Identity
from infra.config.slots import Slot
from infra.targets.aws.partition import partition_of
from infra.targets.aws.trust_policy import trust_policy
from infra.targets.options import Options
from infra.targets.program import Key

_POLICY = "storage"


@dataclass(frozen=True, kw_only=True)
class Created:
    """The resources of an identity, with its access keys or the ARN of its role."""

    resources: list[pulumi.Resource]
    keys: Mapping[Slot, Key] = field(default_factory=dict)
    role_arn: pulumi.Output[str] | None = None


def create(identity: Identity, policy: pulumi.Input[str], account: str, options: Options) -> Created:
    """Create the identity with the kind of credentials that the environment has."""
    if options.config.credentials == "role":
        return _role(identity, policy, account, options)
    return _user(identity, policy, options)


def _user(identity: Identity, policy: pulumi.Input[str], options: Options) -> Created:
    config = options.config
    name = naming.identity(config.environment, identity.name)
    user = iam.User(
        name,
        name=name,
        permissions_boundary=config.permissions_boundary,
        tags=config.tags,
        opts=options.identity(identity.name, name),
    )
    granted = iam.UserPolicy(
        f"{name}-policy", name=_POLICY, user=user.name, policy=policy, opts=options.plain(identity.name)
    )
    keys = {
        slot_key.slot: iam.AccessKey(
            f"{name}-{slot_key.slot}",
            user=user.name,
            # Explicit: of a default, the provider takes what it last read, and a deactivated key would stay so.
            status="Active" if slot_key.active else "Inactive",
            # After the policy, so that no access key is ever without one.
            opts=options.plain(f"{identity.name}-{slot_key.slot}", depends_on=[granted]),
        )
        for slot_key in config.slots_of(identity.name).access_keys()
    }
    return Created(
        resources=[granted, *keys.values()],
        keys={slot: Key(key.id, key.secret, key.create_date) for slot, key in keys.items()},
    )


def _role(identity: Identity, policy: pulumi.Input[str], account: str, options: Options) -> Created:
    assert identity.trust is not None, "the configuration is refused without one"  # noqa: S101
    config = options.config
    name = naming.identity(config.environment, identity.name)
    trust = trust_policy(identity.trust, account, partition_of(config.region))
    role = iam.Role(
        name,
        name=name,
        assume_role_policy=dumps(trust),
        permissions_boundary=config.permissions_boundary,
        tags=config.tags,
        opts=options.identity(identity.name, name),
    )
    granted = iam.RolePolicy(
        f"{name}-policy", name=_POLICY, role=role.name, policy=policy, opts=options.plain(identity.name)
    )
    return Created(resources=[role, granted], role_arn=role.arn)
