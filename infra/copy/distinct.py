"""Detect whether source and target are the same bucket.

Names and addresses do not always tell. Two addresses may belong to one store (a proxy, a second interface), and
one address to two stores (one ingress with several hosts). In doubt, an object is written to the target, and
searched in the source.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from ipaddress import ip_address
from itertools import product
from urllib.parse import urlsplit

from core.storage import ObjectInfo, ObjectNotFoundError
from core.storage._internal import Request, call
from core.storage.settings import Settings
from infra.config.identities import ROLES, Role
from infra.copy.side import Side
from infra.errors import UsageError

#: Every S3 endpoint of AWS: within a partition, the name of a bucket is unique.
_AWS = "amazonaws.com"
_PORTS = {"http": 80, "https": 443}


def require_two(source: Side, target: Side) -> None:
    """Refuse a copy onto itself, as far as names and addresses tell, without a request.

    Raises:
        UsageError: the environments are the same, or a bucket of one is a bucket of the other.
    """
    if source.environment == target.environment:
        raise UsageError(
            f"both environments are {source.environment}: name the one to copy from and the one to copy to"
        )
    for own, other in product(ROLES, ROLES):
        if source.bucket(own) == target.bucket(other) and address(source.settings) == address(target.settings):
            raise _same_bucket(source, target, own, other)
    if target.settings.bucket_in == target.settings.bucket_out:
        raise UsageError(
            f"both buckets of {target.environment} are {target.settings.bucket_in}: in and out would be mixed"
        )


def address(settings: Settings) -> tuple[str, int]:
    """Return the host and port of a store, equal for all spellings of case, slash, default port and loopback."""
    if settings.endpoint_url is None:
        return (f"{_AWS}.cn" if settings.region.startswith("cn-") else _AWS, _PORTS["https"])
    url = urlsplit(settings.endpoint_url)
    host = (url.hostname or "").rstrip(".")
    for end in (_AWS, f"{_AWS}.cn"):
        if host.endswith(f".{end}"):
            return (end, _PORTS["https"])
    return ("localhost" if _is_loopback(host) else host, url.port or _PORTS[url.scheme])


def may_be_one(source: Side, target: Side, role: Role, equal_times: int) -> bool:
    """Return whether the buckets could be the same.

    Args:
        source: where to copy from.
        target: where to copy to.
        role: the role of the bucket on both sides.
        equal_times: the number of objects with the same time on both sides. A copied object has a later one.
    """
    if equal_times:
        return True
    return source.bucket(role) == target.bucket(role) and bool(_addresses(source) & _addresses(target))


def has_equal_time(info: ObjectInfo, other: ObjectInfo) -> bool:
    """Return whether the object and its counterpart may be one object."""
    return (info.etag, info.last_modified) == (other.etag, other.last_modified)


def probe(source: Side, target: Side, role: Role) -> None:
    """Write an object to the target, search it in the source, and delete it.

    Raises:
        UsageError: the source has it: the two are one bucket.
        StorageError: the target does not accept it.
    """
    key, bucket = f"mpr-probe-{secrets.token_hex(8)}", target.bucket(role)
    try:
        with target.named_in_errors():
            call(Request("PutObject", bucket, key), target.settings)
        with suppress(ObjectNotFoundError), source.named_in_errors():
            call(Request("HeadObject", source.bucket(role), key), source.settings)
            raise _same_bucket(source, target, role, role)
    finally:
        with target.named_in_errors():
            call(Request("DeleteObject", bucket, key), target.settings)


def _same_bucket(source: Side, target: Side, own: Role, other: Role) -> UsageError:
    return UsageError(
        f"the {own} bucket of {source.environment} is the {other} bucket of {target.environment} "
        f"({source.bucket(own)}): there is nothing to copy"
    )


def _addresses(side: Side) -> set[tuple[str, int]]:
    host, port = address(side.settings)
    with suppress(OSError):  # the first request reports it
        return {(str(row[4][0]), port) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    return set()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ip = ip_address(host)
    except ValueError:
        return False
    return ip.is_loopback or ip.is_unspecified
