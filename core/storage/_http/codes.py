"""What the error codes of stores mean, and what to do: tables, without a line of logic."""

from __future__ import annotations

from core.storage._errors import (
    AccessDeniedError,
    BucketNotFoundError,
    ClockSkewError,
    ExpiredCredentialsError,
    IntegrityError,
    InvalidCredentialsError,
    InvalidResponseError,
    ObjectChangedError,
    ObjectNotFoundError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    WrongRegionError,
)
from core.storage._http.retry import RETRYABLE_CODES, RETRYABLE_STATUSES

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
_ARCHIVED = (
    StorageError,
    (
        "{place} is archived (S3 Glacier), so it cannot be read: restore it first with RestoreObject "
        "(`aws s3api restore-object`), which takes minutes to hours"
    ),
)
BUSY = (StoreUnreachableError, "the store failed or was too busy for {operation} on {place}; try again later")

#: By the code of the answer: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. The numbers
#: stand for answers without a body, such as those to HEAD.
CODES: dict[str, tuple[type[StorageError], str]] = {
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchKey": _NO_OBJECT,
    "NoSuchVersion": _NO_OBJECT,
    "404": _NO_OBJECT,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "403": _DENIED,
    "InvalidAccessKeyId": _BAD_KEY,
    "XAdminUserNotFound": _BAD_KEY,  # Versity S3 Gateway 1.8
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
    "InvalidObjectState": _ARCHIVED,
    "PreconditionFailed": _CHANGED,
    "412": _CHANGED,
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    **dict.fromkeys(RETRYABLE_CODES, BUSY),
    **dict.fromkeys(map(str, RETRYABLE_STATUSES), BUSY),
}

#: What a failed TLS handshake says, as OpenSSL, Python and botocore put it; the first row that fits.
TLS: tuple[tuple[str, type[StorageError], str], ...] = (
    (
        r"\[X509|\[Errno (2|13|21)\]",
        StorageConfigError,
        "{variable} must name a file of certificates in PEM form, or a folder of them, that can be read ({error})",
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
#: A response that no S3 API gives.
NOT_S3 = (
    "the response has status {status}, {kind}{words} and {problem}, so it is not from an S3 API: S3_ENDPOINT_URL "
    "is the address of something else, or a proxy or login page responded instead of the store. Check the host "
    "and port of S3_ENDPOINT_URL (MinIO's console is on port 9001, its S3 API on 9000), HTTPS_PROXY and NO_PROXY"
)
#: By the status of a response without S3's error document, which is a proxy's or a gateway's: why, and what to do.
#: Statuses that are not here are explained by `NOT_S3`.
BY_STATUS: dict[int, tuple[type[StorageError], str]] = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        (
            InvalidResponseError,
            (
                "the response is a redirect ({status}) to {location}, which is not followed, because a signature "
                "is valid for one address: set S3_ENDPOINT_URL to the address that the store has itself"
            ),
        ),
    ),
    407: (
        StoreUnreachableError,
        "the proxy wants a login (407): put user and password into HTTPS_PROXY or HTTP_PROXY",
    ),
    413: (
        InvalidResponseError,
        (
            "a proxy in front of the store refuses bodies of this size (413): raise its limit to 64 MiB or more "
            "(nginx: client_max_body_size)"
        ),
    ),
    **dict.fromkeys(
        (502, 503, 504),
        (
            StoreUnreachableError,
            "a gateway in front of the store responded {status}: it cannot reach the store, or the store starts",
        ),
    ),
    500: (StoreUnreachableError, "the server failed with status 500 and without an error document of S3"),
    429: (StoreUnreachableError, "a gateway in front of the store limits the number of requests (429)"),
}
PROXY = "the proxy cannot be reached ({error}); check HTTPS_PROXY and NO_PROXY"
UNRESOLVED = "the host name cannot be resolved ({error}); check S3_ENDPOINT_URL, and the DNS of this machine"
NO_RESPONSE = "no response ({error}); is the store running, and S3_ENDPOINT_URL right?"
NO_CREDENTIALS = (
    "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, by loading the env file that `make up` (or "
    "`pulumi up -s <environment>`) writes"
)
