"""What a bucket, an endpoint and a region may be called, on every store."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from urllib.parse import urlsplit


def bucket_name_problem(name: str) -> str | None:
    """Why no store takes `name` for a bucket, or None.

    The rules common to every store
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
    """
    if not 3 <= len(name) <= 63:  # noqa: PLR2004  # the numbers of the rule
        return f"must be 3 to 63 characters long, got {len(name)}"
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", name):
        return "must hold only a-z, 0-9, hyphen and dot, and start and end with a letter or digit"
    if ".." in name or _is_ipv4(name):
        return "must not hold two dots in a row or look like an IP address"
    return None


def endpoint_problem(url: str) -> str | None:
    """Why `url` cannot be the address of a store, or None."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises on a port that is no number
    except ValueError as error:
        return f"is not a URL ({error})"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "must be scheme://host[:port] with http or https"
    if parts.username is not None or parts.path not in {"", "/"} or parts.query or parts.fragment:
        return "must be scheme://host[:port] alone, without user, path or query"
    return None


def region_problem(region: str) -> str | None:
    """Why `region` cannot be signed for, or None."""
    return None if re.fullmatch(r"[A-Za-z0-9-]{1,64}", region) else "must hold only letters, digits and hyphens"


def _is_ipv4(name: str) -> bool:
    try:
        IPv4Address(name)
    except ValueError:
        return False
    return True
