"""The kinds of S3 endpoints: what each needs of its client, and the region that requests to it are signed for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
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
    #: The region to sign for if the environment sets none, as a template for `re.Match.expand` on the host name.
    region: str = "us-east-1"
    #: Whether PutObject heeds ``If-None-Match: *``. Google's storage documents that condition for reads alone
    #: (https://docs.cloud.google.com/storage/docs/request-preconditions), and refuses its own,
    #: ``x-goog-if-generation-match``, together with the ``x-amz-`` headers of a signature (carrierwave#2356).
    creates: bool = True
    #: The value of ``Accept-Encoding``. Google's storage decompresses an object stored with gzip for a client
    #: that does not accept gzip, and then sends neither its length nor its hash
    #: (https://docs.cloud.google.com/storage/docs/transcoding). Everywhere else a proxy could compress.
    accept_encoding: Literal["identity", "gzip"] = "identity"


#: ``virtual`` makes presigned URLs regional (botocore#2798). An endpoint of AWS names its region, except the
#: global ones (https://docs.aws.amazon.com/general/latest/gr/s3.html): for those, the template gives "".
AWS = Dialect("when_supported", "virtual", r"\g<region>")
#: By the host name of the endpoint, never by a part of the URL; the first match decides. Google Cloud Storage and
#: Cloudflare R2, with its jurisdictions, sign for ``auto`` (https://developers.cloudflare.com/r2/api/s3/api/).
_DIALECTS = (
    (r"(?:.*(?:\.|s3-)(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d)(?:\.vpce)?\.|.*\.)?amazonaws\.com(?:\.cn)?", AWS),
    # also of one location: https://docs.cloud.google.com/storage/docs/regional-endpoints
    (
        r"(?:.*\.)?storage(?:\.[\w-]+\.rep)?\.googleapis\.com",
        Dialect("when_required", "path", "auto", creates=False, accept_encoding="gzip"),
    ),
    (r"(?:.*\.)?r2\.cloudflarestorage\.com", Dialect("when_required", "path", "auto")),
    (r".*", Dialect("when_required", "path")),
)


def dialect_of(endpoint_url: str | None) -> Dialect:
    """Return what the endpoint needs of its client."""
    return _matched(endpoint_url)[0]


def region_for(endpoint_url: str | None) -> str:
    """Return the region to sign for if the environment sets none; empty if it must set one."""
    dialect, match = _matched(endpoint_url)
    return match.expand(dialect.region)


@lru_cache(maxsize=16)  # called for every request
def _matched(endpoint_url: str | None) -> tuple[Dialect, re.Match[str]]:
    host = "amazonaws.com"
    if endpoint_url:  # `Settings` refuses an invalid URL later
        host = "" if endpoint_problem(endpoint_url) else (urlsplit(endpoint_url).hostname or "").rstrip(".")
    return next((dialect, match) for pattern, dialect in _DIALECTS if (match := re.fullmatch(pattern, host)))
