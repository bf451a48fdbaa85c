"""The kinds of S3 endpoints: what each needs of its client, and the region that requests to it are signed for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from core.storage._config.validate import endpoint_problem


@dataclass(frozen=True)
class Dialect:
    """What a kind of S3 endpoint needs of its client."""

    #: ``request_checksum_calculation`` and ``response_checksum_validation`` of botocore. Only AWS is sure to
    #: take the trailing checksums that ``when_supported`` sends over TLS (boto3#4392, boto3#4400).
    checksums: Literal["when_supported", "when_required"]
    #: ``virtual`` puts the bucket in the host name, ``path`` in the path.
    addressing: Literal["path", "virtual"]
    #: Whether PutObject heeds ``If-None-Match: *``. Google's storage documents that condition for reads alone
    #: (https://docs.cloud.google.com/storage/docs/request-preconditions), and refuses its own,
    #: ``x-goog-if-generation-match``, together with the ``x-amz-`` headers of a signature (carrierwave#2356).
    creates: bool = True
    #: The value of ``Accept-Encoding``. Google's storage decompresses an object stored with gzip for a client
    #: that does not accept gzip, and then sends neither its length nor its hash
    #: (https://docs.cloud.google.com/storage/docs/transcoding). Everywhere else a proxy could compress.
    accept_encoding: Literal["identity", "gzip"] = "identity"


#: ``virtual`` on AWS makes presigned URLs regional (botocore#2798).
AWS = Dialect("when_supported", "virtual")
_GOOGLE = Dialect("when_required", "path", creates=False, accept_encoding="gzip")
_OTHER = Dialect("when_required", "path")


class _EndpointKind(NamedTuple):
    """One row of the table of endpoints."""

    #: Matches the whole host name of the endpoint.
    host: re.Pattern[str]
    dialect: Dialect
    #: The region to sign for where the environment sets none, as a template of `re.Match.expand`. Empty: none.
    region: str


#: By the parsed host name of the endpoint, never by a part of the URL; the first row that matches. Without an
#: endpoint, the host is ``amazonaws.com``. An endpoint of AWS names its region, but for the global ones
#: (https://docs.aws.amazon.com/general/latest/gr/s3.html). Google Cloud Storage and Cloudflare R2 sign for
#: ``auto`` (https://developers.cloudflare.com/r2/api/s3/api/), as for the jurisdictions of R2.
_ENDPOINT_KINDS = (
    _EndpointKind(
        re.compile(
            r"(?:.*(?:\.|s3-)(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d)(?:\.vpce)?\.|.*\.)?amazonaws\.com(?:\.cn)?"
        ),
        AWS,
        r"\g<region>",
    ),
    # also of one location: https://docs.cloud.google.com/storage/docs/regional-endpoints
    _EndpointKind(re.compile(r"(?:.*\.)?storage(?:\.[\w-]+\.rep)?\.googleapis\.com"), _GOOGLE, "auto"),
    _EndpointKind(re.compile(r"(?:.*\.)?r2\.cloudflarestorage\.com"), _OTHER, "auto"),
    _EndpointKind(re.compile(r".*"), _OTHER, "us-east-1"),
)


def dialect_of(endpoint_url: str | None) -> Dialect:
    """Return what the endpoint needs of its client."""
    return _matched(endpoint_url)[0].dialect


def region_for(endpoint_url: str | None) -> str:
    """Return the region to sign for where the environment sets none; empty: it must."""
    kind, match = _matched(endpoint_url)
    return match.expand(kind.region)


def no_region(endpoint_url: str | None) -> str:
    """Return the message for an environment that must set a region."""
    why = f"S3_ENDPOINT_URL={endpoint_url} names no region" if endpoint_url else "there is no S3_ENDPOINT_URL"
    return (
        f"AWS_REGION is not set, and {why}. Set AWS_REGION to the region of the buckets, such as "
        "AWS_REGION=eu-west-1; for a store that is not AWS, set S3_ENDPOINT_URL to its address, such as "
        "S3_ENDPOINT_URL=http://minio:9000."
    )


@lru_cache(maxsize=16)  # asked for by every request
def _matched(endpoint_url: str | None) -> tuple[_EndpointKind, re.Match[str]]:
    host = _host_of(endpoint_url) if endpoint_url else "amazonaws.com"
    return next((kind, match) for kind in _ENDPOINT_KINDS if (match := kind.host.fullmatch(host)))


def _host_of(url: str) -> str:
    """Return the host name without a final dot; empty for what is not a URL, which `Settings` refuses."""
    return "" if endpoint_problem(url) else (urlsplit(url).hostname or "").rstrip(".")
