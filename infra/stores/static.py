"""Externally managed keys: returned as configured, never created, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.errors import UsageError
from infra.policies import Policy
from infra.stores.access_key import AccessKey
from infra.stores.store import Store

# ruff: noqa: ARG002  # the arguments of the protocol `IdentityManager`


@dataclass(frozen=True)
class StaticCredentials:
    """Externally managed keys by identity. Their issuer decides what they may do; `infra check` shows it."""

    external: Mapping[str, AccessKey]

    def ensure_identity(self, store: Store, identity: str, policy: Policy) -> None:
        """Do nothing: the identity is managed elsewhere."""

    def read_identity(self, store: Store, identity: str) -> Policy | None:
        """Return an empty policy: the identity's own is not known."""
        return {}

    def further_permissions(self, store: Store, identity: str) -> list[str]:
        """Return nothing: the permissions are not known."""
        return []

    def delete_identity(self, store: Store, identity: str) -> None:
        """Do nothing: the identity is managed elsewhere."""

    def access_keys(self, store: Store, identity: str) -> dict[str, bool]:
        """Return the ID of the configured access key, as active: its actual status cannot be read."""
        return {self.of(identity).access_key_id: True}

    def create_key(self, store: Store, identity: str) -> AccessKey:
        """Return the configured access key."""
        return self.of(identity)

    def set_active(self, store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
        """Do nothing: the access key is managed elsewhere."""

    def delete_key(self, store: Store, identity: str, access_key_id: str) -> None:
        """Do nothing: the access key is managed elsewhere."""

    def deletion_by_hand(self, store: Store, identity: str) -> str:
        """Return what to do: the access key is managed elsewhere."""
        return "delete it where it is managed"

    def of(self, identity: str) -> AccessKey:
        """Return the access key of an identity, by its name with or without that of the environment.

        Raises:
            UsageError: none is configured.
        """
        name = identity.rsplit("-", 1)[-1]
        if name not in self.external:
            raise UsageError(
                f"no access key for identity {name}: set MPR_{name.upper()}_ACCESS_KEY_ID and "
                f"MPR_{name.upper()}_SECRET_ACCESS_KEY in the environment, or for `pulumi` alone, which can "
                "decrypt it, the secret mpr-storage:keys"
            )
        return self.external[name]
