"""Target `s3-compatible`: a bucket pair and identities on a running store (SeaweedFS, MinIO, Ceph, ...)."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra import config as configuration
from infra import plan
from infra.config import EnvironmentConfig
from infra.env import files
from infra.identities import ROLES, Identity
from infra.resources.bucket import Bucket
from infra.resources.identity import Identity as Owner
from infra.resources.key import Key
from infra.stores.settings import to_props
from infra.targets import Access


def provision(config: EnvironmentConfig, values: Mapping[str, object]) -> Mapping[str, Access]:
    """Create the buckets, then each identity with its key. The store is asked what it is before anything."""
    made = plan.make(config, values)
    for notice in made.notices:
        pulumi.log.warn(notice)
    where = {"endpoint": config.endpoint, "region": config.region}
    buckets: list[pulumi.Resource] = [
        Bucket(role, to_props(made.buckets[role]) | where | {"disposable": config.disposable}) for role in ROLES
    ]
    return {one.name: _access(config, made, one, where, buckets) for one in config.identities}


def _access(
    config: EnvironmentConfig,
    made: plan.Plan,
    identity: Identity,
    where: Mapping[str, object],
    buckets: list[pulumi.Resource],
) -> Access:
    common = {**where, "credentials": config.credentials}
    owner = Owner(identity.name, {"name": made.name(identity), "policy": made.policy(identity), **common})
    key = Key(
        f"{identity.name}-a",
        {
            "identity": owner.name,
            "slot": "a",
            "envFile": str(files.path(config.environment, identity.name).relative_to(configuration.ROOT)),
            "disposable": config.disposable,
            **common,
        },
    )
    later = {"access_key_id": key.accessKeyId, "secret_access_key": key.secretAccessKey}
    return Access(made.settings(identity), later, [*buckets, owner, key])
