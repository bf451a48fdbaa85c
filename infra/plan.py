"""The plan of an environment on an S3-compatible store: names, settings and policies.

The Pulumi program and `init` both use it, so that each adopts what the other created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.storage.settings import Settings
from infra import policies
from infra.config import naming
from infra.config.environment import EMBEDDED, BucketConfig, EnvironmentConfig
from infra.config.identities import Identity, Role
from infra.connection import connect
from infra.errors import UsageError
from infra.local.running import last_endpoint
from infra.stores.access_key import AccessKey
from infra.stores.contact import contact
from infra.stores.kinds import GENERIC, SEAWEEDFS, Kind, bucket_settings
from infra.stores.static import StaticCredentials
from infra.stores.store import Store
from infra.targets.registry import TARGETS


@dataclass(frozen=True)
class Plan:
    """An environment, checked against what this kind of store supports."""

    config: EnvironmentConfig
    store: Store
    kind: Kind
    buckets: Mapping[Role, BucketConfig]
    #: A sentence for each setting that this kind of store does not support, or treats differently.
    notices: list[str]

    def name(self, identity: Identity) -> str:
        """Return the name of an identity on the store, which may have several environments."""
        return naming.identity(self.config.environment, identity.name)

    def policy(self, identity: Identity) -> policies.Policy:
        """Return the policy of an identity, with the store's names of actions."""
        buckets = {role: bucket.name or "" for role, bucket in self.buckets.items()}
        return policies.policy(identity, buckets, rename=self.kind.rename)

    def settings(self, identity: Identity, key: AccessKey | None = None) -> Settings:
        """Return the settings of the identity's client, with this access key."""
        return Settings(
            endpoint_url=self.store.endpoint,
            public_endpoint_url=self.config.public_endpoint,
            bucket_in=self.buckets["in"].name if "in" in identity.rights else None,
            bucket_out=self.buckets["out"].name if "out" in identity.rights else None,
            addressing_style=self.config.addressing_style,
            region=self.config.region,
            access_key_id=key.access_key_id if key else None,
            secret_access_key=key.secret_access_key if key else None,
        )


def for_update(config: EnvironmentConfig) -> Plan:
    """Return the plan of an update, after all checks that are possible before anything is created.

    Raises:
        UsageError: the target is a cloud, an access key is missing or wrong, or the store does not support a
            setting.
        UnreachableError: the store does not respond.
    """
    if TARGETS[config.target].is_cloud:
        raise UsageError(
            f"{config.environment} is on target {config.target}, which only the Pulumi engine can deploy: "
            f"`pulumi up -s {config.environment}`"
        )
    external = config.secrets.external()
    if config.has_external_keys:
        for name in config.names:
            StaticCredentials(external).of(name)
    return for_comparison(config)


def without_store(config: EnvironmentConfig) -> Plan:
    """Return the plan of a preview while the store does not respond."""
    is_embedded = config.endpoint == EMBEDDED
    endpoint = last_endpoint() if is_embedded else config.endpoint or ""
    kind = SEAWEEDFS if is_embedded else GENERIC
    return Plan(config, Store(endpoint, config.region, AccessKey("", "")), kind, *bucket_settings(config, kind))


def for_comparison(config: EnvironmentConfig) -> Plan:
    """Return the plan of a comparison: an identity may lack its externally managed access key.

    Raises:
        UsageError: an access key is missing or wrong, or the store does not support a setting.
        UnreachableError: the store does not respond.
    """
    store = connect(config.endpoint or "", config.region, config.secrets, config.addressing_style)
    kind = contact(store, config.bucket_in.name or "")
    buckets, notices = bucket_settings(config, kind)
    if kind.prefixes and any(identity.prefixes for identity in config.identities):
        notices = [*notices, f"identities.prefixes: {kind.prefixes}"]
    return Plan(config, store, kind, buckets, notices)
