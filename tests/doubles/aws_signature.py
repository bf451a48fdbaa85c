"""Signature version 4 from the server's side: in a header, or in the query of a presigned URL.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_HEADER = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)")
_UNSIGNED = "UNSIGNED-PAYLOAD"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Signature:
    """What a request says about who signed it, and how."""

    key: str
    region: str
    service: str
    headers: tuple[str, ...]
    value: str
    stamp: str
    token: str | None
    #: When a presigned URL ends; None: signed in a header.
    ends: datetime | None = None

    @property
    def expired(self) -> bool:
        return self.ends is not None and self.ends < datetime.now(UTC)


def read(request: Any) -> Signature | None:
    """The signature of a request; None: it has none."""
    query = {key: one[0] for key, one in parse_qs(request.query_string.decode()).items()}
    if "X-Amz-Signature" in query:
        start = datetime.strptime(query["X-Amz-Date"], _STAMP).replace(tzinfo=UTC)
        ends = start + timedelta(seconds=int(query["X-Amz-Expires"]))
        names, value, token = query["X-Amz-SignedHeaders"], query["X-Amz-Signature"], "X-Amz-Security-Token"
        return _signature(query["X-Amz-Credential"], names, value, query["X-Amz-Date"], query.get(token), ends)
    found = _HEADER.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        return None
    stamp, token = request.headers["X-Amz-Date"], request.headers.get("X-Amz-Security-Token")
    return _signature(found[1], found[2], found[3], stamp, token, None)


def _signature(  # its parts, as they are sent
    credential: str, names: str, value: str, stamp: str, token: str | None, ends: datetime | None
) -> Signature:
    key, _, region, service, _ = credential.split("/")
    return Signature(key, region, service, tuple(names.split(";")), value, stamp, token, ends)


def is_genuine(signature: Signature, request: Any, body: bytes, secret: str) -> bool:
    """Whether who signed had the secret, and the request is the one that was signed."""
    payload = request.headers.get("X-Amz-Content-SHA256")
    digest = hashlib.sha256(body).hexdigest()
    if payload and _DIGEST.fullmatch(payload) and payload != digest:
        return False
    payload = payload or (digest if signature.ends is None else _UNSIGNED)
    signer = SigV4Auth(Credentials(signature.key, secret), signature.service, signature.region)
    stamped = AWSRequest()
    stamped.context["timestamp"] = signature.stamp
    text = signer.string_to_sign(stamped, _canonical(signature, request, payload))
    return hmac.compare_digest(signer.signature(text, stamped), signature.value)


def _canonical(signature: Signature, request: Any, payload: str) -> str:
    path, _, query = request.environ["RAW_URI"].partition("?")
    pairs = [one.partition("=") for one in query.split("&") if one and not one.startswith("X-Amz-Signature=")]
    headers = [f"{one}:{' '.join(request.headers.get(one, '').split())}" for one in signature.headers]
    parts = [
        request.method,
        path,
        "&".join(f"{key}={value}" for key, _, value in sorted(pairs)),
        *headers,
        "",
        ";".join(signature.headers),
        payload,
    ]
    return "\n".join(parts)
