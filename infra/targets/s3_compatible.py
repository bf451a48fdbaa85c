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
from infra.resources.key import Key as KeyResource
from infra.slots import Slot
from infra.stores.settings import to_props
from infra.targets import Access, Key


def provision(config: EnvironmentConfig, values: Mapping[str, object]) -> Mapping[str, Access]:
    """Create the buckets, then each identity with its key. The store is asked what it is before anything."""
    made = plan.make(config, values)
    for notice in made.notices:
        pulumi.log.warn(notice)
    where = {"endpoint": config.endpoint, "region": config.region}
    of_bucket = {**where, "environment": config.environment, "disposable": config.disposable}
    buckets: list[pulumi.Resource] = [Bucket(role, to_props(made.buckets[role]) | of_bucket) for role in ROLES]
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
    file = files.path(config.environment, identity.name).relative_to(configuration.ROOT)
    keys: dict[Slot, KeyResource] = {}
    for place in config.slots_of(identity.name).places():
        beside = next((one.accessKeyId for one in keys.values()), None)
        keys[place.slot] = KeyResource(
            f"{identity.name}-{place.slot}",
            {
                "identity": owner.name,
                "slot": place.slot,
                "active": place.active,
                "beside": beside,
                "envFile": str(file),
                "disposable": config.disposable,
                **common,
            },
        )
    made_keys = {slot: Key(one.accessKeyId, one.secretAccessKey, one.made) for slot, one in keys.items()}
    return Access(made.settings(identity), {}, [*buckets, owner, *keys.values()], made_keys)
