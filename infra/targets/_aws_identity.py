"""An identity on AWS: an IAM user with an access key, or a role without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from json import dumps

import pulumi
from pulumi_aws import iam

from infra import names
from infra.config import EnvironmentConfig
from infra.identities import Identity
from infra.policies import partition_of
from infra.slots import Slot
from infra.targets import Key
from infra.targets._options import Options
from infra.trust import trust_policy

_POLICY = "storage"


@dataclass(frozen=True)
class Owner:
    """What an identity adds to the settings, and the resources that it is made of."""

    later: Mapping[str, pulumi.Output[str]]
    ready: list[pulumi.Resource]
    keys: Mapping[Slot, Key] = field(default_factory=dict)


def make(
    config: EnvironmentConfig,
    identity: Identity,
    policy: pulumi.Input[str],
    account: str,
    options: Options,
) -> Owner:
    """Create the identity in the way that the environment wants."""
    return _MAKERS[config.credentials](config, identity, policy, account, options)


def _user(
    config: EnvironmentConfig,
    identity: Identity,
    policy: pulumi.Input[str],
    account: str,  # noqa: ARG001  # roles need it
    options: Options,
) -> Owner:
    name = names.identity(config.environment, identity.name, "aws")
    user = iam.User(
        identity.name,
        name=name,
        permissions_boundary=config.permissions_boundary,
        tags=config.tags,
        opts=options.identity(name),
    )
    granted = iam.UserPolicy(identity.name, name=_POLICY, user=user.name, policy=policy, opts=options.plain())
    made = {
        place.slot: iam.AccessKey(
            f"{identity.name}-{place.slot}",
            user=user.name,
            # Explicit: of a default, the provider takes what it last read, and a key switched off would stay off.
            status="Active" if place.active else "Inactive",
            # After the policy, so that no key is ever without one.
            opts=options.plain(depends_on=[granted]),
        )
        for place in config.slots_of(identity.name).places()
    }
    keys = {slot: Key(one.id, one.secret, one.create_date) for slot, one in made.items()}
    return Owner({}, [granted, *made.values()], keys)


def _role(
    config: EnvironmentConfig,
    identity: Identity,
    policy: pulumi.Input[str],
    account: str,
    options: Options,
) -> Owner:
    assert identity.trust is not None, "the configuration is refused without one"  # noqa: S101
    name = names.identity(config.environment, identity.name, "aws")
    role = iam.Role(
        identity.name,
        name=name,
        assume_role_policy=dumps(trust_policy(identity.trust, account, partition_of(config.region))),
        permissions_boundary=config.permissions_boundary,
        tags=config.tags,
        opts=options.identity(name),
    )
    granted = iam.RolePolicy(identity.name, name=_POLICY, role=role.name, policy=policy, opts=options.plain())
    return Owner({"role_arn": role.arn}, [role, granted])


_MAKERS: Mapping[str, Callable[..., Owner]] = {"user": _user, "role": _role}
