"""Identities over MinIO's admin API: a named policy, and service accounts that carry it inline as keys.

A service account belongs to the administrator and may do what its inline policy allows. The named policy is
what the identity is known by; each service account holds the name in its description, because MinIO cuts
names at 32 characters. Keys can be chosen beforehand, which no other store here lets one do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.errors import InfraError, UnreachableError
from infra.policies import Policy, normalised
from infra.stores.keys import is_accepted
from infra.stores.store import Keys, Store, refusal

if TYPE_CHECKING:
    from minio.error import MinioAdminException

_NAME_LENGTH = 32
_NO_POLICY = "XMinioAdminNoSuchPolicy"
_NO_ACCOUNT = "XMinioInvalidIAMCredentials"
#: What the administrator may, and with him every service account without a policy.
_EVERYTHING: Policy = {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]}


def ensure_identity(store: Store, identity: str, policy: Policy) -> None:
    """Make the named policy, and give it to every key that the identity has."""
    with _explained(store, f"identity {identity}"):
        store.minio.policy_add(identity, policy=policy)
        for access_key_id in key_ids(store, identity):
            store.minio.update_service_account(access_key=access_key_id, policy=policy)


def read_identity(store: Store, identity: str) -> Policy | None:
    """The named policy; that of a key which carries another one, because that is what is in force."""
    found: Policy | None = None
    with _explained(store, f"reading identity {identity}", gone=_NO_POLICY):
        found = _policy(store, identity)
        carried = (_carried(_account(store, one)) for one in key_ids(store, identity))
        found = next((one for one in carried if normalised(one) != normalised(found)), found)
    return found


def rights_beside(store: Store, identity: str) -> list[str]:  # noqa: ARG001  # the protocol's
    """Nothing: a service account may do what its own policy allows, and that is what `read_identity` reads."""
    return []


def delete_identity(store: Store, identity: str) -> None:
    """Delete the keys and the named policy."""
    for access_key_id in key_ids(store, identity):
        delete_key(store, identity, access_key_id)
    with _explained(store, f"deleting identity {identity}", gone=_NO_POLICY):
        store.minio.policy_remove(identity)


def key_ids(store: Store, identity: str) -> list[str]:
    """The access keys of the identity's service accounts."""
    with _explained(store, f"listing the keys of {identity}"):
        accounts = json.loads(store.minio.list_service_account(store.admin.access_key_id))["accounts"] or []
        return [one["accessKey"] for one in accounts if one.get("description") == identity]


def create_key(store: Store, identity: str) -> Keys:
    """Make a service account that carries the identity's policy."""
    return _create(store, identity)


def place_key(store: Store, identity: str, chosen: Keys) -> bool:
    """Have this very key be one of the identity's; False when it was already."""
    if chosen.access_key_id not in key_ids(store, identity):
        _create(store, identity, access_key=chosen.access_key_id, secret_key=chosen.secret_access_key)
        return True
    if not is_active(store, identity, chosen.access_key_id) or is_accepted(store, chosen):
        return False
    with _explained(store, f"changing the secret of a key of {identity}"):
        _update(store, identity, chosen.access_key_id, secret_key=chosen.secret_access_key)
    return True


def _create(store: Store, identity: str, **chosen: str) -> Keys:
    with _explained(store, f"creating a key of {identity}"):
        policy = _policy(store, identity)
        name = identity[:_NAME_LENGTH].rstrip("-")
        answer = store.minio.add_service_account(name=name, description=identity, policy=policy, **chosen)
        made = json.loads(answer)["credentials"]
        return Keys(made["accessKey"], made["secretKey"])


def is_active(store: Store, identity: str, access_key_id: str) -> bool:
    """Whether the service account is there and switched on."""
    account: dict[str, Any] = {}
    with _explained(store, f"reading a key of {identity}", gone=_NO_ACCOUNT):
        account = _account(store, access_key_id)
    return account.get("accountStatus") == "on"


def set_active(store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
    """Switch the service account on or off. One that is off is refused at once, and kept."""
    word = "on" if active else "off"
    with _explained(store, f"switching a key of {identity} {word}"):
        _update(store, identity, access_key_id, status=word)


def delete_key(store: Store, identity: str, access_key_id: str) -> None:
    """Delete a service account; nothing happens when it is gone already."""
    with _explained(store, f"deleting a key of {identity}", gone=_NO_ACCOUNT):
        store.minio.delete_service_account(access_key_id)


def _policy(store: Store, identity: str) -> Policy:
    policy: Policy = json.loads(store.minio.policy_info(identity))
    return policy


def _carried(account: dict[str, Any]) -> Policy:
    """What a service account may do: everything, if it has no policy of its own."""
    return _EVERYTHING if account.get("impliedPolicy") else json.loads(account["policy"])


def _update(store: Store, identity: str, access_key_id: str, **changes: str) -> None:
    """Change a service account. Without its policy, MinIO would take that away, and leave it all rights."""
    policy = _policy(store, identity)
    store.minio.update_service_account(access_key=access_key_id, policy=policy, **changes)


def _account(store: Store, access_key_id: str) -> dict[str, Any]:
    account: dict[str, Any] = json.loads(store.minio.get_service_account(access_key_id))
    return account


@contextmanager
def _explained(store: Store, doing: str, gone: str = "") -> Iterator[None]:
    """As `infra.stores.store.explained`, for MinIO's errors; the code `gone` is no error."""
    from minio.error import MinioAdminException  # noqa: PLC0415  # only stores of this kind need it
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        yield
    except MinioAdminException as error:
        code, message = _answer(error)
        if not gone or code != gone:
            raise refusal(store, doing, code, message) from error
    except HTTPError as error:
        raise UnreachableError(f"{doing}: no useful answer from {store.endpoint} ({error})") from error


def _answer(error: MinioAdminException) -> tuple[str, str]:
    try:
        body = json.loads(error._body)  # noqa: SLF001  # the only place that has the code
        return body["Code"], body["Message"]
    except (ValueError, KeyError, TypeError):
        raise InfraError(
            "this store has no MinIO admin API; set mpr-storage:credentials to iam or static"
        ) from error
