"""Keys that somebody else made: handed through, never created, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.errors import UsageError
from infra.policies import Policy
from infra.stores.store import Keys, Store


@dataclass(frozen=True)
class StaticCredentials:
    """The given keys by identity. What they may do is decided where they were made; `check` shows it."""

    given: Mapping[str, Keys]

    def ensure_identity(self, store: Store, identity: str, policy: Policy) -> None:
        """Nothing: the identity is made elsewhere."""

    def read_identity(self, store: Store, identity: str) -> Policy | None:  # noqa: ARG002
        """Nothing is known of it."""
        return {}

    def rights_beside(self, store: Store, identity: str) -> list[str]:  # noqa: ARG002
        """Nothing is known of it."""
        return []

    def delete_identity(self, store: Store, identity: str) -> None:
        """Nothing: the identity stays where it was made."""

    def key_ids(self, store: Store, identity: str) -> list[str]:  # noqa: ARG002
        """The id of the given key."""
        return [self.of(identity).access_key_id]

    def create_key(self, store: Store, identity: str) -> Keys:  # noqa: ARG002
        """The given key."""
        return self.of(identity)

    def is_active(self, store: Store, identity: str, access_key_id: str) -> bool:  # noqa: ARG002
        """Whether it works is decided where it was made."""
        return True

    def set_active(self, store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
        """Nothing: the key stays as it was made."""

    def delete_key(self, store: Store, identity: str, access_key_id: str) -> None:
        """Nothing: the key stays where it was made."""

    def of(self, identity: str) -> Keys:
        """The key that was given for an identity, by its name with or without that of the environment.

        Raises:
            UsageError: none was.
        """
        name = identity.rsplit("-", 1)[-1]
        if name not in self.given:
            raise UsageError(
                f"no keys for identity {name}: set MPR_{name.upper()}_ACCESS_KEY_ID and "
                f"MPR_{name.upper()}_SECRET_ACCESS_KEY, or the secret mpr-storage:keys"
            )
        return self.given[name]
