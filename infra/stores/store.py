"""A store with its administrator's access key, and its clients.

Clients are created once for each store and process: the first takes about 0.1 s, and Pulumi's provider process
serves every resource of a stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.storage import get_s3_client
from core.storage._internal import CONNECT_TIMEOUT, READ_TIMEOUT, authorities, tls_context
from core.storage.settings import Settings
from infra.aws_clients import ATTEMPTS, limits
from infra.config.environment import AddressingStyle
from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores.access_key import AccessKey
from infra.stores.codes import code_of, means
from infra.stores.kinds import Meaning

if TYPE_CHECKING:
    from minio import MinioAdmin
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

#: The errors for the administrator's requests, by what the store's error code means.
_REFUSALS: tuple[tuple[Meaning, type[InfraError], str], ...] = (
    (
        "wrong access key",
        UsageError,
        (
            "the store at {endpoint} does not accept the admin key {key} ({code}); check MPR_ADMIN_ACCESS_KEY_ID "
            "and MPR_ADMIN_SECRET_ACCESS_KEY, or the stack's admin settings"
        ),
    ),
    (
        "clock skew",
        UsageError,
        "this machine's clock differs too much from that of {endpoint}; correct the clock",
    ),
    ("other region", UsageError, "{endpoint} is not in region {region} ({message}); set mpr-storage:region"),
    ("starting", UnreachableError, "{endpoint} is not ready yet ({code}); try again in a few seconds"),
    ("access denied", UsageError, "the admin key {key} may not do this at {endpoint}"),
)


@dataclass(frozen=True)
class Store:
    """The address of a store and its administrator's access key. Equal stores share their clients."""

    endpoint: str
    region: str
    admin: AccessKey
    #: As configured; None: what fits the endpoint.
    addressing_style: AddressingStyle | None = None

    @property
    def s3(self) -> S3Client:
        """The administrator's S3 client."""
        return s3_client(self, self.admin)

    @property
    def iam(self) -> IAMClient:
        """A client of the AWS IAM API, which SeaweedFS and Ceph serve on the S3 port."""
        return _iam(self, ATTEMPTS)

    @property
    def iam_once(self) -> IAMClient:
        """The same, sending each request once: a repeated one to create an access key would create another."""
        return _iam(self, 1)

    @property
    def minio(self) -> MinioAdmin:
        """A client of MinIO's own admin API."""
        return _minio(self)

    def settings(self, access_key: AccessKey) -> Settings:
        """Return the settings of a client with this access key."""
        return Settings(
            endpoint_url=self.endpoint,
            region=self.region,
            addressing_style=self.addressing_style,
            access_key_id=access_key.access_key_id,
            secret_access_key=access_key.secret_access_key,
            session_token=access_key.session_token,
        )


def s3_client(store: Store, access_key: AccessKey) -> S3Client:
    """Return the S3 client of this store for any access key."""
    return get_s3_client(store.settings(access_key))


@lru_cache
def _iam(store: Store, attempts: int) -> IAMClient:
    import botocore.session  # noqa: PLC0415  # 0.15 s that an update without a change does not need

    # The access key is given: a profile of the user that does not exist is no reason to fail.
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    client: Any = session.create_client(
        "iam",
        endpoint_url=store.endpoint or None,
        region_name=store.region,
        aws_access_key_id=store.admin.access_key_id,
        aws_secret_access_key=store.admin.secret_access_key,
        aws_session_token=store.admin.session_token,
        # Validation accepts only access key IDs of 16 characters or more, as on AWS.
        config=limits(attempts, parameter_validation=False),
    )
    return client  # type: ignore[no-any-return]  # boto3's stubs describe it, botocore's do not


@lru_cache
def _minio(store: Store) -> MinioAdmin:
    from minio import MinioAdmin  # noqa: PLC0415  # only stores of this kind need it
    from minio.credentials.providers import StaticProvider  # noqa: PLC0415
    from urllib3 import PoolManager, Retry, Timeout  # noqa: PLC0415

    url = urlsplit(store.endpoint)
    return MinioAdmin(
        endpoint=url.netloc,
        credentials=StaticProvider(
            store.admin.access_key_id, store.admin.secret_access_key, store.admin.session_token
        ),
        region=store.region,
        secure=url.scheme == "https",
        # By default MinIO's client waits 5 minutes, and ignores AWS_CA_BUNDLE.
        http_client=PoolManager(
            timeout=Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            # Not of PUT: a repeated request to create an access key would create another one.
            retries=Retry(
                total=ATTEMPTS - 1,
                backoff_factor=0.2,
                status_forcelist=[500, 502, 503, 504],
                allowed_methods=["GET", "DELETE"],
            ),
            ssl_context=tls_context(authorities()) if url.scheme == "https" else None,
        ),
    )


@contextmanager
def explained(store: Store, doing: str) -> Iterator[None]:
    """Raise botocore's errors as an `InfraError` that says what failed, as `doing`, and what to do next.

    botocore takes any XML document for a response. A member that it lacks is a KeyError of the caller.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004, PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        raise refusal(store, doing, code_of(error), message) from error
    except (ConnectionError, HTTPClientError) as error:
        raise UnreachableError(f"{doing}: no useful response from {store.endpoint} ({error})") from error
    except (ResponseParserError, KeyError) as error:
        raise foreign_response(store, doing) from error
    except BotoCoreError as error:
        message = f"{doing}: botocore refuses a variable that starts with AWS_, or a file in ~/.aws: {error}"
        raise UsageError(message) from error


def foreign_response(store: Store, doing: str) -> UsageError:
    """Return the error for a response that is not from the API of the store."""
    return UsageError(
        f"{doing}: the response is not from an API of the store at {store.endpoint}, but from a proxy, a console "
        "or a login page: check mpr-storage:endpoint and mpr-storage:credentials"
    )


def refusal(store: Store, doing: str, code: str, message: str) -> InfraError:
    """Return the error for an error response to the administrator's request."""
    kind, sentence = next(
        ((kind, sentence) for meaning, kind, sentence in _REFUSALS if means(code, meaning)),
        (InfraError, "{endpoint} responded {code}: {message}"),
    )
    sentence = sentence.format(
        endpoint=store.endpoint, key=store.admin.masked, region=store.region, code=code, message=message
    )
    return kind(f"{doing}: {sentence}")
