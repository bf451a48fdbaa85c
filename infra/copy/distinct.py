"""Whether two buckets are two: a copy onto itself would be taken for a second copy that there is not.

Names and addresses tell some of it. What has another address may still be the same store (a proxy, a second
interface), and what has the same may be another (one ingress, many hosts). Where there is a doubt, an object
written to one bucket and looked for in the other decides.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from ipaddress import ip_address
from itertools import product
from urllib.parse import urlsplit

from core.storage import ObjectInfo, ObjectNotFoundError, get_s3_client
from core.storage._internal import Request, call, translated
from core.storage.settings import Settings
from infra.copy.side import Side
from infra.errors import UsageError
from infra.identities import ROLES, Role

#: Every S3 endpoint of AWS: within a partition, the name of a bucket is that bucket.
_AWS = "amazonaws.com"
_PORTS = {"http": 80, "https": 443}


def require_two(source: Side, target: Side) -> None:
    """Refuse a copy onto itself, as far as names tell. Nothing is asked of the stores.

    Raises:
        UsageError: it is one environment, or a bucket of one is a bucket of the other.
    """
    if source.environment == target.environment:
        raise UsageError(
            f"both environments are {source.environment}: name the one to copy from and the one to copy to"
        )
    for ours, theirs in product(ROLES, ROLES):
        if source.bucket(ours) == target.bucket(theirs) and place(source.settings) == place(target.settings):
            raise _one(source, target, ours, theirs)
    if target.settings.bucket_in == target.settings.bucket_out:
        raise UsageError(
            f"both buckets of {target.environment} are {target.settings.bucket_in}: in and out would mix there"
        )


def place(settings: Settings) -> tuple[str, int]:
    """Where the store is. Spellings of one address are equal: case, trailing slash, default port, loopback."""
    if settings.endpoint_url is None:
        return (f"{_AWS}.cn" if settings.region.startswith("cn-") else _AWS, _PORTS["https"])
    url = urlsplit(settings.endpoint_url)
    host = (url.hostname or "").rstrip(".")
    for end in (_AWS, f"{_AWS}.cn"):
        if host.endswith(f".{end}"):
            return (end, _PORTS["https"])
    return ("loopback" if _is_loopback(host) else host, url.port or _PORTS[url.scheme])


def is_doubtful(source: Side, target: Side, role: Role, twins: int) -> bool:
    """Whether the two could be one bucket.

    Args:
        source: where to copy from.
        target: where to copy to.
        role: which bucket.
        twins: how many objects have the same time on both sides. A copy gets a time of its own.
    """
    if twins:
        return True
    return source.bucket(role) == target.bucket(role) and bool(_addresses(source) & _addresses(target))


def is_twin(one: ObjectInfo, other: ObjectInfo) -> bool:
    """Whether one bucket under two names would show the object so."""
    return (one.etag, one.last_modified) == (other.etag, other.last_modified)


def prove(source: Side, target: Side, role: Role) -> None:
    """Write an object to the target, look for it in the source, and delete it.

    Raises:
        UsageError: it is there: the two are one bucket.
        InfraError: the target does not take it.
    """
    key = f"mpr-probe-{secrets.token_hex(8)}"
    client, bucket = get_s3_client(target.settings), target.bucket(role)
    try:
        with target.told(), translated("PutObject", bucket, key):
            client.put_object(Bucket=bucket, Key=key, Body=b"")
        if _has(source, role, key):
            raise _one(source, target, role, role)
    finally:
        with target.told(), translated("DeleteObject", bucket, key):
            client.delete_object(Bucket=bucket, Key=key)


def _has(side: Side, role: Role, key: str) -> bool:
    with side.told():
        try:
            call(Request("HeadObject", side.bucket(role), key), side.settings)
        except ObjectNotFoundError:
            return False
    return True


def _one(source: Side, target: Side, ours: Role, theirs: Role) -> UsageError:
    return UsageError(
        f"the {ours} bucket of {source.environment} is the {theirs} bucket of {target.environment} "
        f"({source.bucket(ours)}): there is nothing to copy"
    )


def _addresses(side: Side) -> set[tuple[str, int]]:
    host, port = place(side.settings)
    with suppress(OSError):  # whoever connects says what is wrong with the name
        return {(str(found[4][0]), port) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    return set()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
