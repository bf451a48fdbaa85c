"""What an environment on an S3-compatible store shall consist of: names, settings and policies.

One place for the Pulumi program and the initialiser, so that each adopts what the other made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.storage.settings import Settings
from infra import names, policies
from infra.config import BucketConfig, EnvironmentConfig
from infra.connection import connect, given_keys
from infra.env import files
from infra.errors import UsageError
from infra.identities import Identity, Role
from infra.stores.contact import contact
from infra.stores.kinds import Kind, bucket_settings
from infra.stores.static import StaticCredentials
from infra.stores.store import Store


@dataclass(frozen=True)
class Plan:
    """An environment on a store that answers, checked against what this kind of store can do."""

    config: EnvironmentConfig
    store: Store
    kind: Kind
    buckets: Mapping[Role, BucketConfig]
    #: What the store cannot do and will be left out, or does in its own way, a sentence each.
    notices: list[str]

    def name(self, identity: Identity) -> str:
        """The name of an identity on the store, which may serve several environments."""
        return names.identity(self.config.environment, identity.name, self.config.target)

    def policy(self, identity: Identity) -> policies.Policy:
        """What the identity may do, in the store's words."""
        buckets = {role: bucket.name or "" for role, bucket in self.buckets.items()}
        return policies.policy(identity, buckets, rename=self.kind.rename)

    def settings(self, identity: Identity) -> Settings:
        """What the identity's client must know, but its keys."""
        return Settings(
            endpoint_url=self.store.endpoint,
            public_endpoint_url=self.config.public_endpoint,
            bucket_in=self.buckets["in"].name if "in" in identity.rights else None,
            bucket_out=self.buckets["out"].name if "out" in identity.rights else None,
            addressing_style=self.config.addressing_style,
            region=self.config.region,
        )


def make(config: EnvironmentConfig, values: Mapping[str, object]) -> Plan:
    """Check all that can be checked before anything is created.

    Raises:
        UsageError: keys are missing or wrong, the store cannot do what is asked of it, or an env file
            could not be written later.
        UnreachableError: the store does not answer.
    """
    if config.in_cloud:
        raise UsageError(
            f"{config.environment} is on target {config.target}, which only the Pulumi engine can deploy: "
            f"`pulumi up -s {config.environment}`"
        )
    if config.credentials == "static":
        for name in config.names:
            StaticCredentials(given_keys(values)).of(name)
    files.require_writable(files.path(config.environment, name) for name in config.names)
    return look(config, values)


def look(config: EnvironmentConfig, values: Mapping[str, object]) -> Plan:
    """The plan for whoever only compares: no env file need be writable.

    Raises:
        UsageError: keys are missing or wrong, or the store cannot do what is asked of it.
        UnreachableError: the store does not answer.
    """
    store = connect(config.endpoint or "", config.region, values)
    kind = contact(store)
    buckets, notices = bucket_settings(config, kind)
    if kind.prefixes and any(one.prefixes for one in config.identities):
        notices = [*notices, f"identities.prefixes: {kind.prefixes}"]
    return Plan(config, store, kind, buckets, notices)
