"""Target `s3-compatible`: a bucket pair and identities on a running store (SeaweedFS, MinIO, Ceph, ...)."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra import config as configuration
from infra import plan
from infra.config import ROLES, EnvironmentConfig
from infra.env import files
from infra.resources.bucket import Bucket
from infra.resources.identity import Identity
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
    return {identity: _access(config, made, identity, where, buckets) for identity in config.identities}


def _access(
    config: EnvironmentConfig,
    made: plan.Plan,
    identity: str,
    where: Mapping[str, object],
    buckets: list[pulumi.Resource],
) -> Access:
    common = {**where, "credentials": config.credentials}
    owner = Identity(identity, {"name": made.name(identity), "policy": made.policy(identity), **common})
    key = Key(
        f"{identity}-a",
        {
            "identity": owner.name,
            "slot": "a",
            "envFile": str(files.path(config.environment, identity).relative_to(configuration.ROOT)),
            "disposable": config.disposable,
            **common,
        },
    )
    return Access(made.settings(identity), key.accessKeyId, key.secretAccessKey, [*buckets, owner, key])
