"""A store with its administrator's keys, and the clients that speak to it.

Clients are made once for each store and process: the first costs about 0.1 s of JSON models, and Pulumi's
provider process serves every resource of a stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.storage import get_s3_client
from core.storage._internal import mask
from core.storage.settings import Settings
from infra.errors import InfraError, UnreachableError, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from minio import MinioAdmin
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

#: Codes that say a key is wrong: S3's, IAM's, and that of the Versity S3 Gateway.
WRONG_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId", "XAdminUserNotFound"}
#: The same of the administrator's. SeaweedFS' IAM API says Unknown for a bad signature.
_BAD_KEYS = WRONG_KEY | {"Unknown"}
DENIED_CODES = {"AccessDenied", "403", "AccessForbidden"}
#: Codes that say that there is no such bucket.
GONE = {"NoSuchBucket", "404"}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired"}
_OTHER_REGION = {"AuthorizationHeaderMalformed", "InvalidRegion"}
#: What a server says that listens already and is not ready yet.
_STARTING = {"XMinioServerNotInitialized", "ServiceUnavailable"}
#: Answers to a request of the administrator's that prove the key: no error, or a right that is missing.
ACCEPTED_CODES = {"", *DENIED_CODES}


@dataclass(frozen=True)
class Keys:
    """An access key: its id and its secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    #: Of temporary keys only.
    session_token: str | None = field(default=None, repr=False)

    @property
    def hint(self) -> str:
        """As much of the id as may be shown."""
        return mask(self.access_key_id)


@dataclass(frozen=True)
class Store:
    """Where a store is and who administers it. Immutable and hashable; clients are shared by equal stores."""

    endpoint: str
    region: str
    admin: Keys

    @property
    def s3(self) -> S3Client:
        """The administrator's S3 client."""
        return s3_client(self, self.admin)

    @property
    def iam(self) -> IAMClient:
        """A client of the AWS IAM API, which SeaweedFS and Ceph serve on the S3 port."""
        return _iam(self)

    @property
    def minio(self) -> MinioAdmin:
        """A client of MinIO's own admin API."""
        return _minio(self)


def s3_client(store: Store, keys: Keys) -> S3Client:
    """An S3 client of this store with any keys; the same one for the same arguments."""
    return get_s3_client(
        Settings(
            endpoint_url=store.endpoint,
            region=store.region,
            access_key_id=keys.access_key_id,
            secret_access_key=keys.secret_access_key,
        )
    )


@lru_cache
def _iam(store: Store) -> IAMClient:
    import boto3  # noqa: PLC0415  # 0.15 s that an update without a change need not pay
    from botocore.config import Config  # noqa: PLC0415

    return boto3.session.Session().client(
        "iam",
        endpoint_url=store.endpoint or None,
        region_name=store.region,
        aws_access_key_id=store.admin.access_key_id,
        aws_secret_access_key=store.admin.secret_access_key,
        aws_session_token=store.admin.session_token,
        config=Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "max_attempts": 3},
            parameter_validation=False,  # it knows AWS's key ids only, which have 16 characters or more
        ),
    )


@lru_cache
def _minio(store: Store) -> MinioAdmin:
    from minio import MinioAdmin  # noqa: PLC0415  # only stores of this kind need it
    from minio.credentials.providers import StaticProvider  # noqa: PLC0415

    url = urlsplit(store.endpoint)
    return MinioAdmin(
        endpoint=url.netloc,
        credentials=StaticProvider(store.admin.access_key_id, store.admin.secret_access_key),
        region=store.region,
        secure=url.scheme == "https",
    )


@contextmanager
def explained(store: Store, doing: str) -> Iterator[None]:
    """Turn what boto3 raises while `doing` something into a sentence that says what to do next."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004, PLC0415

    try:
        yield
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        raise refusal(store, doing, code_of(error), message) from error
    except (ConnectionError, HTTPClientError) as error:
        raise UnreachableError(f"{doing}: no useful answer from {store.endpoint} ({error})") from error


def code_of(error: ClientError) -> str:
    """The code of a refusal."""
    # SeaweedFS' IAM API answers some with the code at the top, or with none.
    answer: Any = error.response
    return str(answer.get("Error", answer).get("Code", "Unknown"))


def refusal(store: Store, doing: str, code: str, message: str) -> InfraError:
    """The error for a refusal by the store, with what to do about it."""
    if code in _BAD_KEYS:
        return UsageError(
            f"{doing}: the store at {store.endpoint} does not accept the admin key {store.admin.hint} ({code}); "
            "check MPR_ADMIN_ACCESS_KEY_ID and MPR_ADMIN_SECRET_ACCESS_KEY, or the stack's admin settings"
        )
    if code in _SKEWED:
        return UsageError(
            f"{doing}: this machine's clock differs too much from that of {store.endpoint}; set the clock right"
        )
    if code in _OTHER_REGION:
        return UsageError(
            f"{doing}: {store.endpoint} is not in region {store.region} ({message}); set mpr-storage:region"
        )
    if code in _STARTING:
        return UnreachableError(f"{doing}: {store.endpoint} is not ready yet ({code}); try again in a moment")
    if code in DENIED_CODES:
        return UsageError(f"{doing}: the admin key {store.admin.hint} may not do this at {store.endpoint}")
    return InfraError(f"{doing}: {store.endpoint} answered {code}: {message}")
