"""Signature version 4.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. botocore takes five times as long
to sign a request, and 0.1 s to import.
"""

from __future__ import annotations

import hmac
import time
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

#: The SHA-256 of an empty body.
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class AccessKey(NamedTuple):
    """The access key that signs a request."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        """Return the access key ID alone: a traceback may show local variables."""
        return f"AccessKey({self.access_key_id!r})"


def sign(
    access_key: AccessKey, region: str, method: str, path: str, query: str, headers: dict[str, str], payload: str
) -> dict[str, str]:
    """Return `headers` with those of the signature added. All of `headers`, which must hold Host, are signed.

    `path` and `query` are encoded as they are sent; each name in `query` has an equals sign. `payload` is the
    result of `payload_hash`.
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time()))
    signed = headers | {"x-amz-date": timestamp, "x-amz-content-sha256": payload}
    if access_key.session_token:
        signed["x-amz-security-token"] = access_key.session_token
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in signed.items())
    names = ";".join(name for name, _ in lines)
    canonical = "".join(f"{name}:{value}\n" for name, value in lines)
    request = f"{method}\n{path}\n{'&'.join(sorted(query.split('&')))}\n{canonical}\n{names}\n{payload}"
    scope = f"{timestamp[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = _signing_key(access_key.secret_access_key, timestamp[:8], region)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{access_key.access_key_id}/{scope}"
    signed["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


def payload_hash(scheme: str, body: bytes | memoryview, digest: str = "") -> str:
    """Return the value of x-amz-content-sha256. Over TLS only the Content-MD5 of the body is signed, as a header.

    `digest` is the SHA-256 of the body in hexadecimal, if the caller has it.
    """
    if not body:
        return _EMPTY
    return "UNSIGNED-PAYLOAD" if scheme == "https" else digest or sha256(body).hexdigest()


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for text in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, text.encode(), "sha256")
    return key
