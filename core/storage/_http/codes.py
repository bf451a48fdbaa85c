"""The errors and explanations for S3 error codes, statuses and TLS failures: tables without logic."""

from __future__ import annotations

from core.storage import _errors as errors
from core.storage._http.retry import RETRYABLE_CODES, RETRYABLE_STATUSES

_Row = tuple[type[errors.StorageError], str]

BUSY: _Row = (
    errors.StoreUnreachableError,
    "the store failed or was too busy for {operation} on {place}; try again later",
)

#: By error codes (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), or for responses without a
#: body, such as those to HEAD, by status.
_BY_CODES: dict[str, _Row] = {
    "NoSuchBucket": (
        errors.BucketNotFoundError,
        "there is no bucket {bucket}; check S3_BUCKET_IN and S3_BUCKET_OUT",
    ),
    "NoSuchKey NoSuchVersion 404": (
        errors.ObjectNotFoundError,
        "there is no object {key!r} in the bucket {bucket}",
    ),
    "AccessDenied AllAccessDisabled 403": (
        errors.AccessDeniedError,
        (
            "access denied for {operation} on {place}: the access key lacks this permission, or the object does "
            "not exist and the key lacks s3:ListBucket; use the env file of an identity with the permission"
        ),
    ),
    "InvalidAccessKeyId XAdminUserNotFound": (  # the second: Versity S3 Gateway 1.8
        errors.InvalidCredentialsError,
        "the store does not know the access key; it may have been rotated: create the env file again",
    ),
    "InvalidToken SignatureDoesNotMatch": (
        errors.InvalidCredentialsError,
        "the secret does not belong to the access key; load the env file of this environment again",
    ),
    "ExpiredToken ExpiredTokenException TokenRefreshRequired": (
        errors.ExpiredCredentialsError,
        "the temporary credentials have expired; fetch new ones",
    ),
    "RequestTimeTooSkewed RequestExpired": (
        errors.ClockSkewError,
        "{skew}; sync the clock of this machine (chrony, ntpd, `hwclock`)",
    ),
    "PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException 301": (
        errors.WrongRegionError,
        "{place} is not in the region that the client signs for{region}",
    ),
    "InvalidRange 416": (
        errors.StorageError,
        "the requested range of {place} begins at or after its end; get_object_info returns its size",
    ),
    "InvalidObjectState": (
        errors.StorageError,
        (
            "{place} is archived (S3 Glacier), so it cannot be read: restore it first with RestoreObject "
            "(`aws s3api restore-object`), which takes minutes to hours"
        ),
    ),
    "PreconditionFailed 412": (errors.ObjectChangedError, "{place} was replaced while it was read; read it again"),
    "BadDigest InvalidDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch": (
        errors.IntegrityError,
        "the store refused {place}: the received bytes do not have the checksum that was sent; upload it again",
    ),
}
CODES: dict[str, _Row] = {
    **{code: row for codes, row in _BY_CODES.items() for code in codes.split()},
    **dict.fromkeys([*RETRYABLE_CODES, *map(str, RETRYABLE_STATUSES)], BUSY),
}

#: By what OpenSSL, Python and botocore say of a failed TLS handshake; the first matching row.
TLS: tuple[tuple[str, type[errors.StorageError], str], ...] = (
    (
        r"\[X509|\[Errno (2|13|21)\]",
        errors.StorageConfigError,
        "{variable} must name a file of certificates in PEM form, or a folder of them, that can be read ({error})",
    ),
    (
        r"match",
        errors.StoreUnreachableError,
        "the store's certificate is for another host ({error}); set S3_ENDPOINT_URL to a host of the certificate",
    ),
    (
        r"expired",
        errors.StoreUnreachableError,
        "the store's certificate has expired ({error}); renew it there, or set the clock of this machine",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        errors.StoreUnreachableError,
        "this machine does not trust the store's certificate ({error}); name its authority in AWS_CA_BUNDLE",
    ),
    (
        r"",
        errors.StoreUnreachableError,
        "the TLS handshake failed ({error}); write https in S3_ENDPOINT_URL only if the store supports TLS",
    ),
)
#: For a response that no S3 API sends.
NOT_S3 = (
    "the response has status {status}, {kind}{words} and {problem}, so it is not from an S3 API: S3_ENDPOINT_URL "
    "is the address of something else, or a proxy or login page responded instead of the store. Check the host "
    "and port of S3_ENDPOINT_URL (MinIO's console is on port 9001, its S3 API on 9000), HTTPS_PROXY and NO_PROXY"
)
#: By the statuses of a response without S3's error document, which is from a proxy or a gateway.
_BY_STATUSES: dict[str, _Row] = {
    "301 302 303 307 308": (
        errors.InvalidResponseError,
        (
            "the response is a redirect ({status}) to {location}, which is not followed, because a signature is "
            "valid for one address: set S3_ENDPOINT_URL to the store's own address"
        ),
    ),
    "407": (
        errors.StoreUnreachableError,
        "the proxy requires a login (407): put user and password into HTTPS_PROXY or HTTP_PROXY",
    ),
    "413": (
        errors.InvalidResponseError,
        (
            "a proxy in front of the store refuses bodies of this size (413): raise its limit to 64 MiB or more "
            "(nginx: client_max_body_size)"
        ),
    ),
    "502 503 504": (
        errors.StoreUnreachableError,
        "a gateway in front of the store responded {status}: it cannot reach the store, which may be starting",
    ),
    "500": (errors.StoreUnreachableError, "the server failed with status 500 and without an error document of S3"),
    "429": (errors.StoreUnreachableError, "a gateway in front of the store limits the number of requests (429)"),
}
#: `NOT_S3` explains every other status.
BY_STATUS = {int(status): row for statuses, row in _BY_STATUSES.items() for status in statuses.split()}
PROXY = "the proxy cannot be reached ({error}); check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
UNRESOLVED = "the host name cannot be resolved ({error}); check S3_ENDPOINT_URL, and the DNS of this machine"
NO_RESPONSE = "no response ({error}); is the store running, and S3_ENDPOINT_URL correct?"
NO_CREDENTIALS = (
    "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, by loading the env file that `make up` (or "
    "`pulumi up -s <environment>`) writes"
)
