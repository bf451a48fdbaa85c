"""Identities and access keys of a store: one protocol, one module for each kind of credentials.

`iam` uses the AWS IAM API (SeaweedFS, Ceph), `minio` MinIO's admin API, and `static` externally managed keys.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, Protocol, cast

from core.storage import (
    InvalidResponseError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    WrongRegionError,
)
from core.storage._internal import call, mask
from infra.errors import InfraError, UsageError
from infra.interruption import deferred
from infra.policies import Policy, normalised
from infra.stores.access_key import EXTERNAL, AccessKey
from infra.stores.codes import means
from infra.stores.contact import infra_error, listing
from infra.stores.store import Store

#: AWS and MinIO's console allow two keys at a time, so that keys rotate with an overlap.
MAX_KEYS = 2
#: The name of a bucket that probably does not exist.
_ANY_BUCKET = "mpr-storage-access-key"
#: The errors that do not say whether an access key is accepted.
_NO_RESPONSE = (StoreUnreachableError, InvalidResponseError, StorageConfigError, WrongRegionError)
_USABLE_WITHIN = 10.0  # seconds until a store must accept a new access key


class IdentityManager(Protocol):
    """What creates, reads and deletes identities and access keys. Every method is idempotent but `create_key`."""

    def ensure_identity(self, store: Store, identity: str, policy: Policy) -> None:
        """Create the identity with exactly this policy, or adopt it and give it this policy."""

    def read_identity(self, store: Store, identity: str) -> Policy | None:
        """Return the identity's policy, or None if the identity does not exist."""

    def further_permissions(self, store: Store, identity: str) -> list[str]:
        """Return the names of other policies and groups that give the identity permissions."""

    def delete_identity(self, store: Store, identity: str) -> None:
        """Delete the identity with its access keys."""

    def access_keys(self, store: Store, identity: str) -> dict[str, bool]:
        """Return the IDs of the identity's access keys, each with whether it is active."""

    def create_key(self, store: Store, identity: str) -> AccessKey:
        """Create an access key, whose secret cannot be read again; the request is sent once."""

    def set_active(self, store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
        """Activate or deactivate an access key; the store refuses an inactive one at once, and keeps it."""

    def delete_key(self, store: Store, identity: str, access_key_id: str) -> None:
        """Delete an access key, which the store refuses at once."""

    def deletion_by_hand(self, store: Store, identity: str) -> str:
        """Return the command with which a user deletes an access key of the identity."""


def identity_manager(kind: str, external: Mapping[str, AccessKey]) -> IdentityManager:
    """Return what manages identities for a kind of credentials; `external` are the externally managed keys."""
    if kind == EXTERNAL:
        from infra.stores.static import StaticCredentials  # noqa: PLC0415  # the others need not load it

        return StaticCredentials(external)
    return cast("IdentityManager", import_module(f"infra.stores.{kind}"))


@dataclass(frozen=True, kw_only=True)
class SlotState:
    """The wanted state of a slot."""

    #: Whether its access key is active.
    active: bool = True
    #: The ID of the access key in the other slot, if there is one.
    other_key_id: str | None = None
    #: Whether access keys that are in no slot may be deleted.
    disposable: bool


@dataclass(frozen=True)
class KeyChange:
    """What `ensure_key` does with the access key of a slot."""

    change: Literal["created", "activated", "deactivated", "unchanged"]
    #: The IDs of access keys in no slot, which are deleted before the new one is created.
    deleted: tuple[str, ...] = ()


def ensure_key(
    manager: IdentityManager, store: Store, identity: str, known: AccessKey | None, slot: SlotState
) -> tuple[AccessKey, bool]:
    """Return the access key for a slot, and whether it is new. Adopts `known` if the store still accepts it.

    An access key without its secret is of no use. A disposable environment deletes such keys. Another one keeps
    them, because they may be in use elsewhere.

    Raises:
        UsageError: the identity has as many access keys as it may have, and none can be adopted or deleted.
    """
    planned = preview_key(manager, store, identity, known, slot)
    with new_keys_deleted_on_failure(manager, store, identity):
        return apply_key(manager, store, identity, known, slot, planned)


def preview_key(
    manager: IdentityManager, store: Store, identity: str, known: AccessKey | None, slot: SlotState
) -> KeyChange:
    """Return what `ensure_key` would do; changes nothing.

    Raises:
        UsageError: as `ensure_key`.
    """
    existing = manager.access_keys(store, identity)
    if known and known.access_key_id in existing:
        if existing[known.access_key_id] != slot.active:
            return KeyChange("activated" if slot.active else "deactivated")
        if not slot.active or is_accepted(store, known):
            return KeyChange("unchanged")
    return _creation(manager, store, identity, existing, slot)


def apply_key(
    manager: IdentityManager,
    store: Store,
    identity: str,
    known: AccessKey | None,
    slot: SlotState,
    planned: KeyChange,
) -> tuple[AccessKey, bool]:
    """Do what `preview_key` has returned; return as `ensure_key`."""
    if known and planned.change in {"activated", "deactivated"}:
        manager.set_active(store, identity, known.access_key_id, active=slot.active)
        if slot.active and not is_accepted(store, known):  # an inactive one could not be tried
            planned = _creation(manager, store, identity, manager.access_keys(store, identity), slot)
    if known and planned.change != "created":
        return known, False
    for access_key_id in planned.deleted:
        manager.delete_key(store, identity, access_key_id)
    with deferred():  # the response has the secret
        access_key = manager.create_key(store, identity)
    _wait_until_accepted(store, access_key)
    if not slot.active:
        manager.set_active(store, identity, access_key.access_key_id, active=False)
    return access_key, True


@contextmanager
def new_keys_deleted_on_failure(manager: IdentityManager, store: Store, identity: str) -> Iterator[None]:
    """Delete the access keys that the block creates, if it fails: their secrets are lost, and no file holds them.

    Each would count as one of the two that an identity may have. Also deletes one whose creation had no response.
    """
    before = set(manager.access_keys(store, identity))
    try:
        yield
    except BaseException as error:
        try:
            for access_key_id in set(manager.access_keys(store, identity)) - before:
                manager.delete_key(store, identity, access_key_id)
        except InfraError:
            if isinstance(error, InfraError):
                by_hand = manager.deletion_by_hand(store, identity)
                error.args = (f"{error}; a new access key of {identity} may be left in no file: {by_hand}",)
        raise


def _creation(
    manager: IdentityManager, store: Store, identity: str, existing: Collection[str], slot: SlotState
) -> KeyChange:
    unknown = tuple(key_id for key_id in existing if key_id != slot.other_key_id)
    if slot.disposable:
        return KeyChange("created", unknown)
    if len(existing) >= MAX_KEYS:
        unusable = ", ".join(map(mask, unknown))
        raise UsageError(
            f"{identity} has {len(existing)} access keys, the most that it may have, and no env file here holds "
            f"{unusable} with a secret that the store accepts: find out which is not in use, delete it, then run "
            f"this again: {manager.deletion_by_hand(store, identity)}"
        )
    return KeyChange("created")


def preview_identity(
    manager: IdentityManager, store: Store, identity: str, policy: Policy
) -> tuple[str, ...] | None:
    """Return what `ensure_identity` would do, and to which part, or None; changes nothing."""
    actual = manager.read_identity(store, identity)
    if actual is None:
        return ("created",)
    return None if normalised(actual) == normalised(policy) else ("changed", "policy")


def is_accepted(store: Store, access_key: AccessKey) -> bool:
    """Return whether the store accepts this access key, which may lack the permission for the request.

    The request lists a bucket that need not exist: a store checks the access key first. A client of botocore for
    each access key would take 0.1 s.

    Raises:
        UnreachableError: the store does not respond.
        UsageError: the response is not from an S3 API, or the request could not be sent.
    """
    try:
        call(listing(_ANY_BUCKET), store.settings(access_key))
    except _NO_RESPONSE as error:
        raise infra_error(store, "trying an access key", error) from error
    except StorageError as error:
        return not means(error.code or "", "wrong access key")
    return True


def _wait_until_accepted(store: Store, access_key: AccessKey) -> None:
    deadline = time.monotonic() + _USABLE_WITHIN
    while not is_accepted(store, access_key):
        if time.monotonic() > deadline:
            raise InfraError(
                f"the key {access_key.masked} is not accepted by {store.endpoint} after {_USABLE_WITHIN:g} s; "
                "check whether it exists, then run this again"
            )
        time.sleep(0.05)
