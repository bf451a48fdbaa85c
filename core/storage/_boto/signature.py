"""Signing requests with signature version 4.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. botocore takes five times as long,
and its import 0.1 s.
"""

from __future__ import annotations

import hmac
import time
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

#: What stands for the hash of a body that is not signed.
_UNSIGNED = "UNSIGNED-PAYLOAD"
#: The SHA-256 of no body.
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Keys(NamedTuple):
    """What signs a request."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


def sign(
    keys: Keys, region: str, method: str, path: str, query: str, headers: dict[str, str], payload: str
) -> dict[str, str]:
    """Return the headers with those of the signature added.

    Args:
        keys: sign.
        region: to sign for.
        method: of the request.
        path: encoded as it will be sent.
        query: encoded as it will be sent, without the question mark; each name has an equals sign.
        headers: those that are part of the signature; the Host must be among them.
        payload: the hash of the body, as `payload_hash` returns it.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time()))
    signed = headers | {"x-amz-date": moment, "x-amz-content-sha256": payload}
    if keys.session_token:
        signed["x-amz-security-token"] = keys.session_token
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in signed.items())
    names = ";".join(name for name, _ in lines)
    canonical = "".join(f"{name}:{value}\n" for name, value in lines)
    request = f"{method}\n{path}\n{'&'.join(sorted(query.split('&')))}\n{canonical}\n{names}\n{payload}"
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(
        _signing_key(keys.secret_access_key, moment[:8], region), text.encode(), "sha256"
    ).hex()
    signed["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


def payload_hash(scheme: str, body: bytes, digest: str = "") -> str:
    """Return what the signature says of the body. Over TLS, its Content-MD5, which is signed too, is all it takes.

    Args:
        scheme: of the endpoint.
        body: of the request.
        digest: the SHA-256 of the body in hexadecimal, if it is known already.
    """
    if not body:
        return _EMPTY
    return _UNSIGNED if scheme == "https" else digest or sha256(body).hexdigest()


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for text in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, text.encode(), "sha256")
    return key
