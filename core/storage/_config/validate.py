"""The rules for each setting. Each function returns what is wrong with a value, or None."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Address
from urllib.parse import urlsplit


def bucket_name_problem(name: str) -> str | None:
    """Return what is wrong with a bucket name, by the rules that are common to every store.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    if not 3 <= len(name) <= 63:  # noqa: PLR2004  # the numbers of the rule
        return f"must be 3 to 63 characters long, got {len(name)}"
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", name):
        return "must hold only a-z, 0-9, hyphen and dot, and start and end with a letter or digit"
    problem = "must not hold two dots in a row or look like an IP address"
    if ".." in name:
        return problem
    with suppress(ValueError):
        IPv4Address(name)
        return problem
    return None


def endpoint_problem(url: str) -> str | None:
    """Return what is wrong with the URL of an endpoint."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises if the port is not a number
    except ValueError as error:
        return f"is not a URL ({error})"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "must be scheme://host[:port] with http or https"
    if parts.username is not None or parts.path not in {"", "/"} or set("?#") & set(url):
        return "must be scheme://host[:port] alone, without user, path or query"
    return _host_problem(parts.hostname)


def _host_problem(host: str) -> str | None:
    if "_" in host:
        return (
            f"has an underscore in the host name {host}, which is not allowed there (RFC 1123), so "
            "botocore refuses it: give the host a name with a hyphen"
        )
    if not all(0 < len(label) <= 63 for label in host.removesuffix(".").split(".")):  # noqa: PLR2004  # RFC 1035, 2.3.4
        return f"has a host name whose parts between the dots are not 1 to 63 characters long: {host}"
    if not re.fullmatch(r"[A-Za-z0-9.:%-]+", host):  # an IPv6 address has colons, and a zone after a percent sign
        return f"has a character in the host name {host} that is not allowed there: use its ASCII form, xn--..."
    return None


def region_problem(region: str) -> str | None:
    """Return what is wrong with the name of a region."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", region):
        return "must hold only letters, digits and hyphens"
    if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d[a-z]", region):
        return f"is {region}, which is an availability zone: set it to the region {region[:-1]}"
    return None


def account_problem(number: str) -> str | None:
    """Return what is wrong with an AWS account ID."""
    return None if re.fullmatch(r"[0-9]{12}", number) else "must be an AWS account ID of 12 digits"


def addressing_problem(style: str) -> str | None:
    """Return what is wrong with an addressing style."""
    return None if style in {"path", "virtual"} else "must be path or virtual"


def header_problem(value: str) -> str | None:
    """Return what is wrong with an access key ID or a session token: both are sent in headers."""
    if " " in value or not value.isascii():
        return "holds a space or a character outside ASCII: copy it again"
    return secret_problem(value)


def secret_problem(value: str) -> str | None:
    """Return what is wrong with a secret access key."""
    if not value.isprintable():
        return "holds a line break or another control character: copy it again"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "is in quotes, which docker --env-file and others keep as part of the value: remove them"
    return None
