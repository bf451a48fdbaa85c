"""How identities and their keys are made: one protocol, one module for each kind of credentials.

`iam` speaks the AWS IAM API (SeaweedFS, Ceph), `minio` MinIO's admin API, `static` takes keys that somebody
else made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from core.storage._internal import mask
from infra.errors import InfraError, UsageError
from infra.policies import Policy
from infra.stores.store import WRONG_KEY, Keys, Store, code_of, explained, s3_client

#: AWS and MinIO's console allow two keys at a time, so that keys rotate with an overlap.
SLOTS = 2
_USABLE_WITHIN = 10.0  # seconds until a store must know a key that it made


class Credentials(Protocol):
    """What a kind of credentials can do. Every function is idempotent but `create_key`."""

    def ensure_identity(self, store: Store, identity: str, policy: Policy) -> None:
        """Make the identity with exactly this policy, or adopt it and give it this policy."""

    def read_identity(self, store: Store, identity: str) -> Policy | None:
        """The identity's policy as it is; None when there is no such identity."""

    def rights_beside(self, store: Store, identity: str) -> list[str]:
        """What else gives the identity rights, each by its name: somebody added it by hand."""

    def delete_identity(self, store: Store, identity: str) -> None:
        """Delete the identity with its keys."""

    def key_ids(self, store: Store, identity: str) -> list[str]:
        """The ids of the identity's keys."""

    def create_key(self, store: Store, identity: str) -> Keys:
        """Make a new key. Its secret cannot be read again."""

    def is_active(self, store: Store, identity: str, access_key_id: str) -> bool:
        """Whether the key is there and switched on."""

    def set_active(self, store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
        """Switch a key on or off; one that is off is refused at once, and kept."""

    def delete_key(self, store: Store, identity: str, access_key_id: str) -> None:
        """Delete a key; it stops working at once."""


def credentials(kind: str, given: Mapping[str, Keys]) -> Credentials:
    """The functions for one kind of credentials; `given` are the keys that `static` hands out."""
    if kind == "static":
        from infra.stores.static import StaticCredentials  # noqa: PLC0415  # the others need not load it

        return StaticCredentials(given)
    return cast("Credentials", import_module(f"infra.stores.{kind}"))


@dataclass(frozen=True, kw_only=True)
class Place:
    """The slot that a key is for."""

    #: Whether the key shall work.
    active: bool = True
    #: The id of the key in the other slot, if there is one.
    beside: str | None = None
    #: Whether keys that nobody holds may be deleted.
    disposable: bool


def ensure_key(
    maker: Credentials, store: Store, identity: str, known: Keys | None, place: Place
) -> tuple[Keys, bool]:
    """A key of the identity for one of its slots, and whether it was made anew. Adopts `known` if it still works.

    A key whose secret nobody has is of no use. In a disposable environment such keys are deleted; otherwise
    somebody may hold the secret elsewhere, so they stay, and when both places are taken this refuses.
    """
    there = maker.key_ids(store, identity)
    if known and known.access_key_id in there and _is_as_wanted(maker, store, identity, known, place):
        return known, False
    if place.disposable:
        for stale in there:
            if stale != place.beside:
                maker.delete_key(store, identity, stale)
    elif len(there) >= SLOTS:
        raise UsageError(
            f"{identity} has {len(there)} keys already ({', '.join(map(mask, there))}) and none "
            "of them is in the env file; delete one that is not in use, then run this again"
        )
    keys = maker.create_key(store, identity)
    _wait_until_accepted(store, keys)
    if not place.active:
        maker.set_active(store, identity, keys.access_key_id, active=False)
    return keys, True


def _is_as_wanted(maker: Credentials, store: Store, identity: str, known: Keys, place: Place) -> bool:
    """Whether the key works, or is switched off as it shall be. It is switched on and off as needed."""
    if maker.is_active(store, identity, known.access_key_id) != place.active:
        maker.set_active(store, identity, known.access_key_id, active=place.active)
    return not place.active or is_accepted(store, known)


def is_accepted(store: Store, keys: Keys) -> bool:
    """Whether the store takes a request signed with these keys (it may still deny it)."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    with explained(store, "trying a key"):
        try:
            s3_client(store, keys).list_buckets()
        except ClientError as error:
            return code_of(error) not in WRONG_KEY
    return True


def _wait_until_accepted(store: Store, keys: Keys) -> None:
    deadline = time.monotonic() + _USABLE_WITHIN
    while not is_accepted(store, keys):
        if time.monotonic() > deadline:
            raise InfraError(
                f"the key {keys.hint} is not accepted by {store.endpoint} after 10 s; look whether it exists, "
                "then run this again"
            )
        time.sleep(0.05)
