"""Signing requests: signature version 4, by botocore, with the credentials that it finds and renews."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from botocore.auth import S3SigV4Auth

from core.storage._boto.credentials import frozen
from core.storage.settings import Settings

#: What stands for the hash of a body that is not signed.
_UNSIGNED = "UNSIGNED-PAYLOAD"
#: The SHA-256 of no body.
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class _Request(NamedTuple):
    """What botocore's signing looks at. Its own request keeps headers as e-mails do, for twice the time."""

    method: str
    url: str
    headers: dict[str, str]
    context: dict[str, Any]
    params: None = None


class _Auth(S3SigV4Auth):
    """botocore's, told what the hash of the body is."""

    def payload(self, request: Any) -> str:
        return str(request.context["payload"])


def sign(settings: Settings, method: str, url: str, headers: dict[str, str], payload: str) -> dict[str, str]:
    """The headers with those of the signature.

    Args:
        settings: whose region and credentials sign.
        method: of the request.
        url: the whole address, encoded as it will be sent.
        headers: those that are part of the signature; the Host must be among them.
        payload: what `payload_hash` says of the body.

    Raises:
        NoCredentialsError: of botocore, when there are none.
    """
    request: Any = _Request(method, url, headers, {"payload": payload})
    _Auth(_credentials(settings), "s3", settings.region).add_auth(request)
    return headers


def payload_hash(scheme: str, body: bytes) -> str:
    """What the signature says of the body. Over TLS, its Content-MD5, which is signed too, is all it takes."""
    if not body:
        return _EMPTY
    return _UNSIGNED if scheme == "https" else hashlib.sha256(body).hexdigest()


def _credentials(settings: Settings) -> Any:
    if settings.access_key_id and settings.secret_access_key:
        return frozen(settings)
    from core.storage._boto.clients import session_of  # noqa: PLC0415  # the whole of botocore

    # The session keeps what it found, renews it in time, and looks again while there was nothing to find.
    found = session_of(settings).get_credentials()
    return found and found.get_frozen_credentials()
