"""From what botocore raises to the errors of this library: the one place that knows the codes of stores."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.storage._clock import store_time
from core.storage._errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ClockSkewError,
    ExpiredCredentialsError,
    IntegrityError,
    InvalidCredentialsError,
    ObjectChangedError,
    ObjectNotFoundError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    WrongRegionError,
)

_NO_BUCKET = (BucketNotFoundError, "there is no bucket {bucket}; check S3_BUCKET_IN and S3_BUCKET_OUT")
_NO_OBJECT = (ObjectNotFoundError, "there is no object {key!r} in the bucket {bucket}")
_DENIED = (
    AccessDeniedError,
    (
        "the key may not do {operation} on {place}, or must not learn that it does not exist; use the env file of "
        "an identity that may"
    ),
)
_BAD_KEY = (
    InvalidCredentialsError,
    "the store does not know the access key; make the env file anew, the key may have been rotated",
)
_BAD_SECRET = (
    InvalidCredentialsError,
    "the secret does not belong to the access key; load the env file of this environment again",
)
_EXPIRED = (ExpiredCredentialsError, "the temporary credentials have run out; fetch new ones")
_SKEW = (ClockSkewError, "{skew}; sync the clock of this machine (chrony, ntpd, `hwclock`)")
_REGION = (WrongRegionError, "{place} is not in the region that the client signs for{region}")
_CHANGED = (ObjectChangedError, "{place} was replaced while it was read; read it again")
_DAMAGED = (IntegrityError, "the store refused {place}: the bytes that it got are not those that were sent")
_BUSY = (StoreUnreachableError, "the store was too busy for {operation} on {place}; try again later")

#: By the code of the answer: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. The numbers
#: stand for answers without a body, such as those to HEAD.
_CODES: dict[str, tuple[type[StorageError], str]] = {
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchKey": _NO_OBJECT,
    "NoSuchVersion": _NO_OBJECT,
    "404": _NO_OBJECT,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "403": _DENIED,
    "InvalidAccessKeyId": _BAD_KEY,
    "InvalidToken": _BAD_SECRET,
    "SignatureDoesNotMatch": _BAD_SECRET,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _SKEW,
    "RequestExpired": _SKEW,
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "301": _REGION,
    "PreconditionFailed": _CHANGED,
    "412": _CHANGED,
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    **dict.fromkeys(
        ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "ThrottlingException"), _BUSY
    ),
    **dict.fromkeys(("429", "500", "502", "503", "504"), _BUSY),
}

#: What a failed TLS handshake says, as OpenSSL, Python and botocore put it; the first row that fits.
_TLS: tuple[tuple[str, type[StorageError], str], ...] = (
    (
        r"\[X509|\[Errno (2|13|21)\]",
        StorageConfigError,
        "AWS_CA_BUNDLE must name a file of certificates in PEM form that can be read ({error})",
    ),
    (
        r"match",
        StoreUnreachableError,
        "the store's certificate is for another host ({error}); put a host that it is for into S3_ENDPOINT_URL",
    ),
    (
        r"expired",
        StoreUnreachableError,
        "the store's certificate has run out ({error}); renew it there, or set the clock of this machine",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        StoreUnreachableError,
        "this machine does not trust the store's certificate ({error}); name its authority in AWS_CA_BUNDLE",
    ),
    (
        r"",
        StoreUnreachableError,
        "the TLS handshake failed ({error}); write https in S3_ENDPOINT_URL only where the store speaks it",
    ),
)
_PROXY = "the proxy cannot be reached ({error}); check HTTPS_PROXY and NO_PROXY"
_SILENCE = "no answer ({error}); is the store running, and S3_ENDPOINT_URL right?"
_MANGLED = "the bytes that arrived are not the object ({error}); try again"
_NO_CREDENTIALS = (
    "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, by loading the env file that `make up` (or "
    "`pulumi up -s <environment>`) writes"
)

#: Seconds. A smaller difference is only the time that the answer took.
_VISIBLE_SKEW = 60

#: What looks like an access key id: a message of a store may quote it.
_KEY_ID = re.compile(r"\b(AKIA|ASIA|GOOG)[A-Z0-9]{8,}\b")


class _Attempt:
    """What was tried when the error came."""

    def __init__(self, operation: str, bucket: str, key: str | None) -> None:
        self.operation = operation
        self.bucket = bucket
        self.key = key
        self.place = bucket if key is None else f"{bucket}/{key}"


@contextmanager
def translated(operation: str, bucket: str, key: str | None = None) -> Iterator[None]:
    """Raise the errors of botocore as those of this library, with the original as their cause."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  # loaded by now, with the client

    try:
        yield
    except ClientError as error:
        raise _from_answer(error.response, _Attempt(operation, bucket, key)) from error
    except BotoCoreError as error:
        raise _from_client(error, _Attempt(operation, bucket, key)) from error


def body_errors() -> tuple[type[Exception], ...]:
    """What reading the body of an answer raises when the connection breaks."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    return (HTTPClientError, IncompleteReadError, HTTPError, OSError)


def _from_answer(answer: Any, tried: _Attempt) -> StorageError:
    metadata = answer.get("ResponseMetadata", {})
    error = answer.get("Error", {})
    code = str(error.get("Code") or metadata.get("HTTPStatusCode") or "")
    kind, sentence = _CODES.get(code) or _by_status(metadata) or (StorageError, "{operation} on {place} failed")
    sentence = sentence.format(
        bucket=tried.bucket,
        key=tried.key,
        operation=tried.operation,
        place=tried.place,
        skew=_skew(metadata),
        region=_region(error, metadata),
    )
    request_id = metadata.get("RequestId") or metadata.get("HTTPHeaders", {}).get("x-amz-request-id")
    return kind(
        f"{sentence} ({_said(code, error)})",
        bucket=tried.bucket,
        key=tried.key,
        operation=tried.operation,
        code=code or None,
        request_id=request_id,
    )


def _by_status(metadata: Any) -> tuple[type[StorageError], str] | None:
    """For codes that only one store uses: a fault of the server is a fault of the server."""
    status = metadata.get("HTTPStatusCode", 0)
    return _BUSY if status in {429, 502, 503, 504} else None


def _said(code: str, error: Any) -> str:
    message = str(error.get("Message") or "").strip()
    text = f"the store said {code}: {message}" if message else f"the store said {code or 'nothing'}"
    return _KEY_ID.sub(lambda found: found[0][:4] + "...", text)


def _skew(metadata: Any) -> str:
    """How far this clock is from the store's, as far as its Date header tells."""
    theirs = store_time(metadata)
    seconds = 0 if theirs is None else round(time.time() - theirs.timestamp())
    if abs(seconds) < _VISIBLE_SKEW:
        return "the clock of this machine differs too much from the store's"
    side = "ahead of" if seconds > 0 else "behind"
    return f"the clock of this machine is {abs(seconds)} s {side} the store's"


def _region(error: Any, metadata: Any) -> str:
    region = error.get("Region") or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return f"; set AWS_REGION to {region}" if region else "; set AWS_REGION to the region of the bucket"


def _from_client(error: Exception, tried: _Attempt) -> StorageError:
    """The request got no answer at all, or was never sent."""
    kind, sentence = _unanswered(error)
    return kind(
        f"{tried.operation} on {tried.place}: {sentence}",
        bucket=tried.bucket,
        key=tried.key,
        operation=tried.operation,
    )


def _unanswered(error: Exception) -> tuple[type[StorageError], str]:
    import botocore.exceptions as known  # noqa: PLC0415  # loaded by now, with the client

    if isinstance(error, known.SSLError):
        return _handshake(str(error.kwargs["error"]))
    unreachable = (known.ConnectionError, known.HTTPClientError)
    table: tuple[tuple[Any, type[StorageError], str], ...] = (
        (known.ProxyConnectionError, StoreUnreachableError, _PROXY),
        (unreachable, StoreUnreachableError, _SILENCE),
        ((known.NoCredentialsError, known.PartialCredentialsError), StorageConfigError, _NO_CREDENTIALS),
        (known.FlexibleChecksumError, IntegrityError, _MANGLED),
        ((known.ParamValidationError, known.InvalidConfigError), StorageConfigError, "{error}"),
        (Exception, StorageError, "{error}"),
    )
    kind, sentence = next((kind, sentence) for family, kind, sentence in table if isinstance(error, family))
    return kind, sentence.format(error=error)


def _handshake(said: str) -> tuple[type[StorageError], str]:
    """What OpenSSL said, without the URL around it: a key may hold any of the words."""
    kind, sentence = next((kind, sentence) for pattern, kind, sentence in _TLS if re.search(pattern, said))
    return kind, sentence.format(error=said)
