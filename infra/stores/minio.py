"""Identities over MinIO's admin API: a named policy, and service accounts with a copy of it as access keys.

A service account belongs to the administrator, and its policy limits what it may do. Its description is the name
of the identity, because MinIO truncates names to 32 characters. Only MinIO creates an access key with a chosen ID
and secret.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.errors import InfraError, UnreachableError
from infra.policies import Policy, normalised
from infra.stores.access_key import AccessKey
from infra.stores.codes import means
from infra.stores.keys import is_accepted
from infra.stores.kinds import Meaning
from infra.stores.store import Store, foreign_response, refusal

if TYPE_CHECKING:
    from minio.error import MinioAdminException

_NAME_LENGTH = 32
#: The permissions of the administrator, and of a service account without a policy of its own.
_EVERYTHING: Policy = {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]}


def ensure_identity(store: Store, identity: str, policy: Policy) -> None:
    """Create or replace the named policy, and that of every access key of the identity."""
    with _explained(store, f"identity {identity}"):
        store.minio.policy_add(identity, policy=policy)
        for access_key_id in access_keys(store, identity):
            store.minio.update_service_account(access_key=access_key_id, policy=policy)


def read_identity(store: Store, identity: str) -> Policy | None:
    """Return the named policy, or the first different policy of an access key, because that one is in force."""
    policy: Policy | None = None
    with _explained(store, f"reading identity {identity}", "no identity"):
        policy = _policy(store, identity)
        in_force = (_policy_of(_account(store, access_key_id)) for access_key_id in access_keys(store, identity))
        policy = next((other for other in in_force if normalised(other) != normalised(policy)), policy)
    return policy


def further_permissions(store: Store, identity: str) -> list[str]:  # noqa: ARG001  # of the protocol
    """Return nothing: `read_identity` reads the only policy that a service account has."""
    return []


def delete_identity(store: Store, identity: str) -> None:
    """Delete the access keys and the named policy."""
    for access_key_id in access_keys(store, identity):
        delete_key(store, identity, access_key_id)
    with _explained(store, f"deleting identity {identity}", "no identity"):
        store.minio.policy_remove(identity)


def access_keys(store: Store, identity: str) -> dict[str, bool]:
    """Return the access key IDs of the identity's service accounts, each with whether it is active."""
    with _explained(store, f"listing the access keys of {identity}"):
        accounts = json.loads(store.minio.list_service_account(store.admin.access_key_id))["accounts"] or []
        return {
            account["accessKey"]: account["accountStatus"] == "on"
            for account in accounts
            if account.get("description") == identity
        }


def create_key(store: Store, identity: str, **chosen: str) -> AccessKey:
    """Create a service account with the identity's policy, and with the chosen access key if there is one."""
    with _explained(store, f"creating an access key of {identity}"):
        policy = _policy(store, identity)
        name = identity[:_NAME_LENGTH].rstrip("-")
        response = store.minio.add_service_account(name=name, description=identity, policy=policy, **chosen)
        credentials = json.loads(response)["credentials"]
        return AccessKey(credentials["accessKey"], credentials["secretKey"])


def place_key(store: Store, identity: str, chosen: AccessKey) -> bool:
    """Give the identity the chosen access key; return False if it had that already."""
    if is_placed(store, identity, chosen):
        return False
    if chosen.access_key_id not in access_keys(store, identity):
        create_key(store, identity, access_key=chosen.access_key_id, secret_key=chosen.secret_access_key)
        return True
    with _explained(store, f"changing the secret access key of {identity}"):
        _update(store, identity, chosen.access_key_id, secret_key=chosen.secret_access_key)
    return True


def is_placed(store: Store, identity: str, chosen: AccessKey) -> bool:
    """Return whether the identity has the chosen access key; of an inactive one, the secret cannot be compared."""
    active = access_keys(store, identity).get(chosen.access_key_id)
    return active is not None and (not active or is_accepted(store, chosen))


def set_active(store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
    """Enable or disable the service account. The store refuses a disabled one at once, and keeps it."""
    status = "on" if active else "off"
    with _explained(store, f"{'activating' if active else 'deactivating'} an access key of {identity}"):
        _update(store, identity, access_key_id, status=status)


def delete_key(store: Store, identity: str, access_key_id: str) -> None:
    """Delete a service account; do nothing if it does not exist."""
    with _explained(store, f"deleting an access key of {identity}", "no access key"):
        store.minio.delete_service_account(access_key_id)


def deletion_by_hand(store: Store, identity: str) -> str:  # noqa: ARG001  # of the protocol
    """Return the command that deletes a service account."""
    return "`mc admin accesskey rm <alias> <access key ID>`"


def _policy(store: Store, identity: str) -> Policy:
    policy: Policy = json.loads(store.minio.policy_info(identity))
    return policy


def _policy_of(account: dict[str, Any]) -> Policy:
    """Return what a service account may do: everything, if it has no policy of its own."""
    return _EVERYTHING if account.get("impliedPolicy") else json.loads(account["policy"])


def _update(store: Store, identity: str, access_key_id: str, **changes: str) -> None:
    """Change a service account. An update without a policy would remove it, which leaves all permissions."""
    policy = _policy(store, identity)
    store.minio.update_service_account(access_key=access_key_id, policy=policy, **changes)


def _account(store: Store, access_key_id: str) -> dict[str, Any]:
    account: dict[str, Any] = json.loads(store.minio.get_service_account(access_key_id))
    return account


@contextmanager
def _explained(store: Store, doing: str, *suppressed: Meaning) -> Iterator[None]:
    """Do as `infra.stores.store.explained` with MinIO's errors, except those that are suppressed."""
    from minio.error import MinioAdminException  # noqa: PLC0415  # only stores of this kind need it
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        yield
    except MinioAdminException as error:
        code, message = _parsed(error)
        if not means(code, *suppressed):
            raise refusal(store, doing, code, message) from error
    except (HTTPError, ssl.SSLError) as error:
        raise UnreachableError(f"{doing}: no useful response from {store.endpoint} ({error})") from error
    except (ValueError, KeyError, OSError) as error:  # no JSON, another document, or not encrypted
        raise foreign_response(store, doing) from error


def _parsed(error: MinioAdminException) -> tuple[str, str]:
    """Return the code and the message of an error."""
    try:
        body = json.loads(error._body)  # noqa: SLF001  # nothing else holds the code
        return body["Code"], body["Message"]
    except (ValueError, KeyError, TypeError):
        raise InfraError(
            "this store has no MinIO admin API; set mpr-storage:credentials to iam or static"
        ) from error
