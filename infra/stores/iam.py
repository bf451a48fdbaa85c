"""Identities over the AWS IAM API, as SeaweedFS and Ceph serve it: a user with one inline policy, and its keys.

https://docs.aws.amazon.com/IAM/latest/APIReference/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from infra.stores.store import Keys, Store, code_of, explained

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

    from infra.policies import Policy

#: The name of the one inline policy of each user.
_POLICY = "mpr-storage"
_GONE = "NoSuchEntity"

#: What a store says that knows no groups or attached policies.
_UNKNOWN_ACTION = {"NotImplemented", "InvalidAction", "MethodNotAllowed"}

#: What may give a user rights, and how its names are listed.
_RIGHTS: Mapping[str, Callable[[IAMClient, str], list[str]]] = {
    "inline policy": lambda iam, user: iam.list_user_policies(UserName=user)["PolicyNames"],
    "attached policy": lambda iam, user: [
        one.get("PolicyName", "") for one in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    ],
    "group": lambda iam, user: [one["GroupName"] for one in iam.list_groups_for_user(UserName=user)["Groups"]],
}

T = TypeVar("T")


def ensure_identity(store: Store, identity: str, policy: Policy) -> None:
    """Make the user with exactly this policy, or adopt it."""
    with explained(store, f"identity {identity}"):
        if _user_is_missing(store, identity):
            store.iam.create_user(UserName=identity)
        store.iam.put_user_policy(UserName=identity, PolicyName=_POLICY, PolicyDocument=json.dumps(policy))


def read_identity(store: Store, identity: str) -> Policy | None:
    """The user's policy; empty when the user has none, None when there is no such user."""
    with explained(store, f"reading identity {identity}"):
        if _user_is_missing(store, identity):
            return None
        try:
            answer = store.iam.get_user_policy(UserName=identity, PolicyName=_POLICY)
        except ClientError as error:
            return _if_gone(error, {})
        document: Any = answer["PolicyDocument"]
        return json.loads(document) if isinstance(document, str) else dict(document)


def rights_beside(store: Store, identity: str) -> list[str]:
    """Policies of the user besides ours, inline or attached, and groups that it is in."""
    with explained(store, f"reading identity {identity}"):
        return [f"{what} {name}" for what, names in _RIGHTS.items() for name in _listed(store, identity, names)]


def _listed(store: Store, identity: str, names: Callable[[IAMClient, str], list[str]]) -> list[str]:
    try:
        return [name for name in names(store.iam, identity) if name != _POLICY]
    except ClientError as error:
        if code_of(error) in _UNKNOWN_ACTION:
            return []  # a store without these has none
        return _if_gone(error, [])


def delete_identity(store: Store, identity: str) -> None:
    """Delete the user, its keys first: a user with keys cannot be deleted on AWS."""
    with explained(store, f"deleting identity {identity}"):
        for access_key_id in key_ids(store, identity):
            delete_key(store, identity, access_key_id)
        with suppress(store.iam.exceptions.NoSuchEntityException):
            store.iam.delete_user_policy(UserName=identity, PolicyName=_POLICY)
        with suppress(store.iam.exceptions.NoSuchEntityException):
            store.iam.delete_user(UserName=identity)


def key_ids(store: Store, identity: str) -> list[str]:
    """The ids of the user's keys; none when there is no such user."""
    with explained(store, f"listing the keys of {identity}"):
        try:
            answer = store.iam.list_access_keys(UserName=identity)
        except ClientError as error:
            return _if_gone(error, [])
        return [one["AccessKeyId"] for one in answer["AccessKeyMetadata"]]


def create_key(store: Store, identity: str) -> Keys:
    """Make a new access key for the user."""
    with explained(store, f"creating a key of {identity}"):
        key = store.iam.create_access_key(UserName=identity)["AccessKey"]
        return Keys(key["AccessKeyId"], key["SecretAccessKey"])


def is_active(store: Store, identity: str, access_key_id: str) -> bool:
    """Whether the key is there and switched on."""
    with explained(store, f"listing the keys of {identity}"):
        found = store.iam.list_access_keys(UserName=identity)["AccessKeyMetadata"]
    return any(one["AccessKeyId"] == access_key_id and one.get("Status") == "Active" for one in found)


def set_active(store: Store, identity: str, access_key_id: str, *, active: bool) -> None:
    """Switch the key on or off. One that is off is refused at once, and kept."""
    with explained(store, f"switching a key of {identity} {'on' if active else 'off'}"):
        store.iam.update_access_key(
            UserName=identity, AccessKeyId=access_key_id, Status="Active" if active else "Inactive"
        )


def delete_key(store: Store, identity: str, access_key_id: str) -> None:
    """Delete an access key; nothing happens when it is gone already."""
    with (
        explained(store, f"deleting a key of {identity}"),
        suppress(store.iam.exceptions.NoSuchEntityException),
    ):
        store.iam.delete_access_key(UserName=identity, AccessKeyId=access_key_id)


def _user_is_missing(store: Store, identity: str) -> bool:
    try:
        store.iam.get_user(UserName=identity)
    except ClientError as error:
        return _if_gone(error, True)  # noqa: FBT003  # the value, not a switch
    return False


def _if_gone(error: ClientError, value: T) -> T:
    if code_of(error) == _GONE:
        return value
    raise error
