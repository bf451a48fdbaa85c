"""Identities over the AWS IAM API, as SeaweedFS and Ceph serve it: a user with one inline policy, and access keys.

https://docs.aws.amazon.com/IAM/latest/APIReference/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from infra.stores.access_key import AccessKey
from infra.stores.codes import Suppress
from infra.stores.store import Store, explained

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

    from infra.policies import Policy

#: The name of the inline policy of each user.
_POLICY = "mpr-storage"

#: What may give a user permissions, and how to list its names.
_SOURCES: Mapping[str, Callable[[IAMClient, str], list[str]]] = {
    "inline policy": lambda iam, user: iam.list_user_policies(UserName=user)["PolicyNames"],
    "attached policy": lambda iam, user: [
        policy.get("PolicyName", "")
        for policy in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    ],
    "group": lambda iam, user: [group["GroupName"] for group in iam.list_groups_for_user(UserName=user)["Groups"]],
}


def ensure_identity(store: Store, identity: str, policy: Policy) -> None:
    """Create the user with exactly this policy, or adopt it."""
    with explained(store, f"identity {identity}"):
        if not _exists(store, identity):
            store.iam.create_user(UserName=identity)
        store.iam.put_user_policy(UserName=identity, PolicyName=_POLICY, PolicyDocument=json.dumps(policy))


def read_identity(store: Store, identity: str) -> Policy | None:
    """Return the user's policy, which is empty if it has none, or None if the user does not exist."""
    with explained(store, f"reading identity {identity}"):
        if not _exists(store, identity):
            return None
        with Suppress("no identity"):
            response = store.iam.get_user_policy(UserName=identity, PolicyName=_POLICY)
            document: Any = response["PolicyDocument"]
            return json.loads(document) if isinstance(document, str) else dict(document)
    return {}


def further_permissions(store: Store, identity: str) -> list[str]:
    """Return the other policies of the user, and its groups."""
    with explained(store, f"reading identity {identity}"):
        return [
            f"{source} {name}" for source, names in _SOURCES.items() for name in _listed(store, identity, names)
        ]


def _listed(store: Store, identity: str, names: Callable[[IAMClient, str], list[str]]) -> list[str]:
    with Suppress("no identity", "not supported"):
        return [name for name in names(store.iam, identity) if name != _POLICY]
    return []


def delete_identity(store: Store, identity: str) -> None:
    """Delete the user, after its access keys: AWS deletes no user that has any."""
    with explained(store, f"deleting identity {identity}"):
        for access_key_id in access_keys(store, identity):
            delete_key(store, identity, access_key_id)
        with Suppress("no identity"):
            store.iam.delete_user_policy(UserName=identity, PolicyName=_POLICY)
        with Suppress("no identity"):
            store.iam.delete_user(UserName=identity)


def access_keys(store: Store, identity: str) -> dict[str, bool]:
    """Return the IDs of the user's access keys, each with whether it is active; none of a missing user."""
    with explained(store, f"listing the access keys of {identity}"), Suppress("no identity"):
        keys = store.iam.list_access_keys(UserName=identity)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key.get("Status") == "Active" for key in keys}
    return {}


def create_key(store: Store, identity: str) -> AccessKey:
    """Create an access key of the user."""
    with explained(store, f"creating an access key of {identity}"):
        key = store.iam_once.create_access_key(UserName=identity)["AccessKey"]
        return AccessKey(key["AccessKeyId"], key["SecretAccessKey"])


def set_active(store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
    """Activate or deactivate the access key. The store refuses an inactive one at once, and keeps it."""
    with explained(store, f"{'activating' if active else 'deactivating'} an access key of {identity}"):
        store.iam.update_access_key(
            UserName=identity, AccessKeyId=access_key_id, Status="Active" if active else "Inactive"
        )


def delete_key(store: Store, identity: str, access_key_id: str) -> None:
    """Delete an access key; do nothing if it does not exist."""
    with explained(store, f"deleting an access key of {identity}"), Suppress("no access key"):
        store.iam.delete_access_key(UserName=identity, AccessKeyId=access_key_id)


def deletion_by_hand(store: Store, identity: str) -> str:
    """Return the command that deletes an access key of this IAM user."""
    return (
        f"`aws --endpoint-url {store.endpoint} iam delete-access-key --user-name {identity} --access-key-id "
        "<access key ID>` (`list-access-keys` shows the IDs; the admin keys belong in AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY)"
    )


def _exists(store: Store, identity: str) -> bool:
    with Suppress("no identity"):
        store.iam.get_user(UserName=identity)
        return True
    return False
