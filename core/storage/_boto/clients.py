"""One S3 client for each process and each set of settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from core.storage import _engine
from core.storage._config.current import current_settings
from core.storage._errors import StorageConfigError
from core.storage._http import pool
from core.storage._http.authorities import authorities
from core.storage._http.limits import CONNECT_TIMEOUT, POOL, READ_TIMEOUT
from core.storage._http.retry import ATTEMPTS
from core.storage._public import public
from core.storage.settings import Settings

if TYPE_CHECKING:
    from botocore.session import Session

    from core.storage._boto.client_type import S3Client

#: The number of settings whose clients are kept. A process rarely uses more than one: a rotation, a test.
_KEPT = 8

#: The redirects that botocore follows.
_FOLLOWED = (301, 302, 307)

_lock = Lock()
#: The session of each set of settings, and its clients: True is the one that presigns.
_sessions: dict[Settings, tuple[Session, dict[bool, S3Client]]] = {}


@public
def get_s3_client(settings: Settings | None = None) -> S3Client:
    """Return the boto3 S3 client for `settings`, by default for those of the environment.

    The same settings get the same client, so a call for each request costs next to nothing. The client is
    thread-safe, and a process made by `fork` gets its own. It signs with version 4, uses the checksums and the
    addressing style that its endpoint supports, waits 5 s for a connection and 20 s for a byte, and makes up to
    5 attempts. At an endpoint of the settings, a redirect that does not come from S3 is a ``ClientError`` with the
    status as its code. With access keys in the settings, nothing in ``~/.aws`` changes the client; without them,
    boto3's own credential chain applies. Access keys from the file in ``S3_ENV_FILE`` are read again within a
    second after it changed, also by an existing client. If the settings name a bucket owner, AWS refuses every
    request to a bucket of another account.

    For `client.upload_file` and the like, pass ``TransferConfig(preferred_transfer_client="classic")``: the
    default may choose a transfer client that ignores the endpoint (boto3#4839). Do not close the client.

    Raises:
        StorageConfigError: a variable of the environment is missing or wrong, or botocore refuses one of its own,
            such as AWS_PROFILE.
    """
    return _session_and_client(settings or current_settings(), presign=False)[1]


def presign_client(settings: Settings) -> S3Client:
    """Return the client that signs URLs for browsers, for the public endpoint. It never connects.

    It adds no ExpectedBucketOwner: that would be part of the signature, and browsers do not send it.
    """
    return _session_and_client(settings, presign=True)[1]


def session_of(settings: Settings) -> Session:
    """Return the session of the clients for `settings`.

    It has made a client: botocore's credential chain asks STS in the region of the session's last client.
    """
    return _session_and_client(settings, presign=True)[0]


def forget_clients() -> None:
    """Close and drop every client and connection of this process."""
    _engine.end(pool.forget)
    with _lock:
        for _, clients in _sessions.values():
            for client in clients.values():
                client.close()
        _sessions.clear()


def _session_and_client(settings: Settings, *, presign: bool) -> tuple[Session, S3Client]:
    entry = _sessions.get(settings)
    if entry is not None and presign in entry[1]:
        return entry[0], entry[1][presign]
    from core.storage._boto.session import new_session  # noqa: PLC0415  # imports botocore

    with _lock:  # creating clients is not thread-safe (boto3#1592); using them is
        if settings not in _sessions:
            if len(_sessions) >= _KEPT:
                del _sessions[next(iter(_sessions))]  # its clients are not closed: another thread may use them
            _sessions[settings] = (new_session(settings), {})
        session, clients = _sessions[settings]
        with _refusals_explained():
            client = clients.get(presign) or _new_client(session, settings, presign=presign)
        # A client made without credentials never finds any: the next call makes another one.
        if session.get_credentials() is not None:
            clients[presign] = client
        return session, client


@contextmanager
def _refusals_explained() -> Iterator[None]:
    """Raise what botocore refuses in its own variables and files as StorageConfigError."""
    from botocore import exceptions as known  # noqa: PLC0415  # imports botocore

    of_chain = (known.CredentialRetrievalError, known.MetadataRetrievalError)
    try:
        yield
    except (known.ConnectionError, known.HTTPClientError, *of_chain):
        raise  # the source of the credentials did not respond: the next call may succeed
    except (known.BotoCoreError, ValueError) as error:
        message = f"botocore refuses a variable that starts with AWS_, or a file in ~/.aws: {error}"
        raise StorageConfigError(message) from error


def _new_client(session: Session, settings: Settings, *, presign: bool) -> S3Client:
    from botocore.config import Config  # noqa: PLC0415  # imports botocore

    dialect = settings.dialect
    endpoint = settings.public_endpoint_url if presign else None
    client: Any = session.create_client(
        "s3",
        region_name=settings.region,
        endpoint_url=endpoint or settings.endpoint_url,
        # botocore takes an empty AWS_CA_BUNDLE for "verify no certificate".
        verify=authorities() or True,
        config=Config(
            signature_version="s3v4",
            request_checksum_calculation=dialect.checksums,
            response_checksum_validation=dialect.checksums,
            # Over https, botocore itself puts a dotted bucket name into the path: a certificate covers one label.
            s3={"addressing_style": settings.addressing_style or dialect.addressing},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            tcp_keepalive=True,
            max_pool_connections=POOL,
            # A stray AWS_ENDPOINT_URL must not win over the settings.
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # missing in the stubs
        ),
    )
    if settings.endpoint_url:
        client.meta.events.register_first("needs-retry.s3", _refuse_redirect)
    if settings.bucket_owner and not presign:
        client.meta.events.register("provide-client-params.s3", partial(_add_owner, settings.bucket_owner))
    return client  # type: ignore[no-any-return]  # boto3's stubs describe it, botocore's do not


def _add_owner(owner: str, params: dict[str, Any], model: Any, **_: object) -> dict[str, Any]:
    if model.input_shape is None or "ExpectedBucketOwner" not in model.input_shape.members:
        return params
    return {"ExpectedBucketOwner": owner, **params}


def _refuse_redirect(response: tuple[Any, Any] | None, operation: Any, **_: object) -> None:
    """Raise a redirect as an error, unless the region of a bucket comes with it, as from AWS.

    Otherwise botocore sends HeadBucket to find the region. That is redirected as well, until Python raises
    RecursionError.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415  # imports botocore

    if response is None:
        return  # there is an exception instead
    http, parsed = response
    has_region = "x-amz-bucket-region" in http.headers or parsed.get("Error", {}).get("Region")
    if http.status_code in _FOLLOWED and not has_region:
        raise ClientError(parsed, operation.name)


def _after_fork() -> None:
    # The parent's sockets must not be shared, and a thread that is not in the child may have held its lock.
    global _lock  # noqa: PLW0603  # module state of this process
    _lock = Lock()
    _sessions.clear()


os.register_at_fork(after_in_child=_after_fork)
