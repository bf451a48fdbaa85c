"""Who a request to the tests' AWS comes from: a user or a role session with its policies, from moto's records."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import IAMBackend, iam_backends
from moto.sts.models import sts_backends
from moto.utilities.utils import PARTITION_NAMES

from tests.doubles.iam import Document, Principal


class UnknownKey(Exception):  # noqa: N818  # what AWS calls it differs by service
    """There is no such key, or it is inactive."""


class Expired(Exception):  # noqa: N818
    """The temporary key was one."""


class UnknownProvider(Exception):  # noqa: N818
    """The account trusts no identity provider of this name."""


@dataclass(frozen=True)
class Known:
    """A key that exists."""

    secret: str
    principal: Principal
    partition: str


def holder(key: str, token: str | None) -> Known:
    """Who has an access key.

    Raises:
        UnknownKey: no principal has this access key.
        Expired: the credentials have expired.
    """
    for partition, backend in _backends():
        found = backend.access_keys.get(key)
        if found is None:
            continue
        if token is not None or found.user_name is None:
            return _session(backend.account_id, partition, key, token)
        if found.status != "Active" or found.user_name not in backend.users:
            raise UnknownKey
        return Known(found.secret_access_key, _user(backend, backend.users[found.user_name]), partition)
    raise UnknownKey


def _backends() -> Iterator[tuple[str, IAMBackend]]:
    for account in list(iam_backends):
        for partition in PARTITION_NAMES:
            yield partition, iam_backends[account][partition]


def _user(backend: IAMBackend, user: Any) -> Principal:
    policies = [*_inline(user), *_managed(user)]
    for group in backend.get_groups_for_user(user.name):
        policies += [*_inline(group), *_managed(group)]
    context = {"aws:username": (user.name,), "aws:userid": (user.id,), "aws:principaltype": ("User",)}
    return Principal(
        user.arn,
        backend.account_id,
        tuple(policies),
        _boundary(backend, user),
        context={**context, "aws:principalarn": (user.arn,), "aws:principalaccount": (backend.account_id,)},
    )


def _session(account: str, partition: str, key: str, token: str | None) -> Known:
    sessions = sts_backends[account][partition].assumed_roles
    found = next((one for one in sessions if one.access_key_id == key), None)
    if found is None or found.session_token != token:
        raise UnknownKey
    if found.expiration < utcnow():
        raise Expired
    backend = iam_backends[account][partition]
    role = next((one for one in backend.roles.values() if one.arn == found.role_arn), None)
    if role is None:
        raise UnknownKey
    context = {"aws:principalarn": (role.arn,), "aws:principalaccount": (account,), "aws:userid": (found.user_id,)}
    policies = (*_inline(role), *_managed(role))
    principal = Principal(
        found.arn, account, policies, _boundary(backend, role), also=(role.arn,), context=context
    )
    return Known(found.secret_access_key, principal, partition)


def web_identity(token: str, role_arn: str) -> Principal:
    """Whom a token of an identity provider stands for. Its own signature is not verified.

    Raises:
        UnknownProvider: the role's account does not have the provider.
    """
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    issuer = claims["iss"].removeprefix("https://")
    _, partition, _, _, account, _ = role_arn.split(":", 5)
    arn = f"arn:{partition}:iam::{account}:oidc-provider/{issuer}"
    if arn not in iam_backends[account][partition].open_id_providers:
        raise UnknownProvider(issuer)
    context = {f"{issuer}:{name}".lower(): (str(claims[name]),) for name in ("aud", "sub") if name in claims}
    return Principal(arn, account, kind="Federated", context=context)


def _inline(holder: Any) -> Iterator[Document]:
    for document in holder.policies.values():
        yield json.loads(document)


def _managed(holder: Any) -> Iterator[Document]:
    for policy in holder.managed_policies.values():
        yield _document(policy)


def _document(policy: Any) -> Document:
    document: Document = json.loads(next(one.document for one in policy.versions if one.is_default))
    return document


def _boundary(backend: IAMBackend, holder: Any) -> Document | None:
    arn = getattr(holder, "permissions_boundary_arn", None)
    if not arn:
        return None
    policy = backend.managed_policies.get(arn)
    # A boundary that is gone allows nothing.
    return {"Statement": []} if policy is None else _document(policy)
