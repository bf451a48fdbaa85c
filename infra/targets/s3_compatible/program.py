"""Target `s3-compatible`: a bucket pair and identities on a running store (SeaweedFS, MinIO, Ceph, ...)."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra import plan
from infra.config import naming, stack_files
from infra.config.environment import EnvironmentConfig
from infra.config.identities import Identity, Role
from infra.config.slots import Slot
from infra.env import files
from infra.errors import UnreachableError
from infra.resources.bucket import Bucket
from infra.resources.identity import Identity as IdentityResource
from infra.resources.key import Key as KeyResource
from infra.stores.settings import to_props
from infra.targets.options import Options
from infra.targets.program import Access, BucketResources, Key


class Program:
    """The resources of an environment on a store."""

    def __init__(self, config: EnvironmentConfig, options: Options) -> None:  # noqa: ARG002  # the protocol's
        """Ask the store what it is. A preview goes on without it."""
        self._config = config
        self._plan = _plan(config)
        for notice in self._plan.notices:
            pulumi.log.warn(notice)
        self._common = {"endpoint": config.endpoint, "region": config.region}
        if config.addressing_style:
            self._common["addressingStyle"] = config.addressing_style

    def bucket(self, role: Role, options: Options) -> BucketResources:
        """Create the bucket, or adopt the existing one."""
        config = self._config
        props = to_props(self._plan.buckets[role]) | self._common
        props |= {"environment": config.environment, "disposable": config.disposable}
        bucket = Bucket(naming.bucket(config.environment, role), props, options.base(role))
        return BucketResources(bucket.name, [bucket])

    def identity(self, identity: Identity, buckets: Mapping[Role, BucketResources], options: Options) -> Access:
        """Create an identity with an access key for each slot."""
        config = self._config
        common = self._common | {"credentials": config.credentials}
        name = self._plan.name(identity)
        owner = IdentityResource(
            name, {"name": name, "policy": self._plan.policy(identity), **common}, options.base(identity.name)
        )
        file = files.path(config.environment, identity.name).relative_to(stack_files.ROOT)
        keys: dict[Slot, KeyResource] = {}
        for slot_key in config.slots_of(identity.name).access_keys():
            props = {
                "identity": owner.name,
                "slot": slot_key.slot,
                "active": slot_key.active,
                "beside": next((key.accessKeyId for key in keys.values()), None),
                "envFile": str(file),
                "disposable": config.disposable,
                **common,
            }
            former_name = f"{identity.name}-{slot_key.slot}"
            keys[slot_key.slot] = KeyResource(f"{name}-{slot_key.slot}", props, options.base(former_name))
        return Access(
            self._plan.settings(identity),
            [owner, *keys.values()],
            keys={slot: Key(key.accessKeyId, key.secretAccessKey, key.made) for slot, key in keys.items()},
        ).after(buckets)


def _plan(config: EnvironmentConfig) -> plan.Plan:
    try:
        return plan.for_update(config)
    except UnreachableError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"{error}; this preview continues without the store")
        return plan.without_store(config)
