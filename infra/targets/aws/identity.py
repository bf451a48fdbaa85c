"""An identity on AWS: an IAM user with access keys, or a role without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from json import dumps

import pulumi
from pulumi_aws import iam

from core.storage.settings import Settings
from infra.config import naming
from infra.config.identities import Identity
from infra.targets.aws.partition import partition_of
from infra.targets.aws.trust_policy import trust_policy
from infra.targets.options import Options
from infra.targets.program import Access, Key, LateSettings

_POLICY = "storage"


def create(
    identity: Identity, policy: pulumi.Input[str], settings: Settings, late: LateSettings, options: Options
) -> Access:
    """Create the identity with the kind of credentials that the environment has."""
    return _CREATE[options.config.credentials](identity, policy, settings, late, options)


def _user(
    identity: Identity, policy: pulumi.Input[str], settings: Settings, late: LateSettings, options: Options
) -> Access:
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
        place.slot: iam.AccessKey(
            f"{name}-{place.slot}",
            user=user.name,
            # Explicit: of a default, the provider takes what it last read, and a deactivated key would stay so.
            status="Active" if place.active else "Inactive",
            # After the policy, so that no access key is ever without one.
            opts=options.plain(f"{identity.name}-{place.slot}", depends_on=[granted]),
        )
        for place in config.slots_of(identity.name).places()
    }
    return Access(
        settings,
        [granted, *keys.values()],
        late,
        {slot: Key(key.id, key.secret, key.create_date) for slot, key in keys.items()},
    )


def _role(
    identity: Identity, policy: pulumi.Input[str], settings: Settings, late: LateSettings, options: Options
) -> Access:
    assert identity.trust is not None, "the configuration is refused without one"  # noqa: S101
    config = options.config
    name = naming.identity(config.environment, identity.name)
    trust = trust_policy(identity.trust, settings.bucket_owner or "", partition_of(config.region))
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
    return Access(settings, [role, granted], LateSettings(**{**vars(late), "role_arn": role.arn}))


_CREATE: Mapping[str, Callable[[Identity, pulumi.Input[str], Settings, LateSettings, Options], Access]] = {
    "user": _user,
    "role": _role,
}
