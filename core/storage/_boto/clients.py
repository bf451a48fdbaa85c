"""One S3 client for each process and each set of settings."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any

from core.storage._config.current import current_settings
from core.storage._http.authorities import authorities
from core.storage._http.limits import CONNECT_TIMEOUT, POOL, READ_TIMEOUT
from core.storage._http.retry import ATTEMPTS
from core.storage._public import public
from core.storage.settings import Settings

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session
    from mypy_boto3_s3 import S3Client

#: Sets of settings whose clients are kept. More than one at a time is rare: a rotation of keys, a test.
_KEPT = 8

_lock = Lock()
_sessions: dict[Settings, Session] = {}
_clients: dict[tuple[Settings, bool], S3Client] = {}


@public
def get_s3_client(settings: Settings | None = None) -> S3Client:
    """The boto3 S3 client for `settings`, by default for those of the environment.

    The same client comes back for the same settings, so calling this for each request costs next to nothing;
    it may be used from many threads, and a process made by `fork` gets its own. It signs with version 4, knows
    which checksums and which addressing its endpoint understands, waits 5 s for a connection and 20 s for a
    byte, and tries a request up to 5 times. With keys in the settings, nothing in ``~/.aws`` changes it;
    without keys, boto3's own chain finds them. Keys from the file in ``S3_ENV_FILE`` are read again within a
    second after it changed, also by a client that was made before. Where the settings name a bucket owner, every
    request is refused by AWS on a bucket of anyone else.

    For `client.upload_file` and its like, pass ``TransferConfig(preferred_transfer_client="classic")``: the
    default may choose a transfer client that ignores the endpoint (boto3#4839). Do not close the client.

    Raises:
        StorageConfigError: a variable of the environment is missing or wrong.
    """
    return _client(settings or current_settings(), presign=False)


def presign_client(settings: Settings) -> S3Client:
    """A client that signs URLs for browsers: for the public endpoint, and without headers of our own.

    It never connects. It sends no ExpectedBucketOwner: that would become part of the signature, and a browser
    would have to send a header that it knows nothing of.
    """
    return _client(settings, presign=True)


def session_of(settings: Settings) -> Session:
    """The session that the clients for these settings come from."""
    presign_client(settings)
    return _sessions[settings]


def forget_clients() -> None:
    """Close and drop every client and connection of this process."""
    from core.storage import _engine  # noqa: PLC0415  # asyncio, where there were requests
    from core.storage._http import pool  # noqa: PLC0415  # as above

    _engine.end(pool.forget)
    with _lock:
        for client in _clients.values():
            client.close()
        _clients.clear()
        _sessions.clear()


def _client(settings: Settings, *, presign: bool) -> S3Client:
    found = _clients.get((settings, presign))
    if found is not None:
        return found
    with _lock:  # creating clients is not thread-safe (boto3#1592); using them is
        if (settings, presign) in _clients:
            return _clients[settings, presign]
        _make_room(settings)
        client = _new_client(settings, presign=presign)
        # A client made without credentials never finds any: the next call makes another one.
        if _sessions[settings].get_credentials() is not None:
            _clients[settings, presign] = client
        return client


def _make_room(settings: Settings) -> None:
    if settings not in _sessions and len(_sessions) >= _KEPT:
        oldest = next(iter(_sessions))
        del _sessions[oldest]
        for presign in (False, True):
            _clients.pop((oldest, presign), None)  # not closed: another thread may be using it


def _new_client(settings: Settings, *, presign: bool) -> S3Client:
    from core.storage._boto.session import new_session  # noqa: PLC0415  # imports botocore

    if settings not in _sessions:
        _sessions[settings] = new_session(settings)
    endpoint = settings.public_endpoint_url if presign else None
    client: Any = _sessions[settings].create_client(
        "s3",
        region_name=settings.region,
        endpoint_url=endpoint or settings.endpoint_url,
        # Left to botocore, an empty AWS_CA_BUNDLE means that no certificate is checked.
        verify=authorities() or True,
        config=_config(settings),
    )
    if settings.bucket_owner and not presign:
        client.meta.events.register("provide-client-params.s3", _owner_check(settings.bucket_owner))
    return client  # type: ignore[no-any-return]  # boto3's stubs describe it, botocore's do not


def _config(settings: Settings) -> Config:
    from botocore.config import Config  # noqa: PLC0415  # imported with the session

    checksums = settings.dialect.checksums
    return Config(
        signature_version="s3v4",
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        # Over https, botocore itself puts a dotted bucket name into the path: a certificate covers one label.
        s3={"addressing_style": settings.addressing_style or settings.dialect.addressing},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        max_pool_connections=POOL,
        # The settings are the one place that says where the store is, not a stray AWS_ENDPOINT_URL.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # missing in the stubs
    )


def _owner_check(owner: str) -> Any:
    def add_owner(params: dict[str, Any], model: Any, **_: object) -> dict[str, Any]:
        takes_it = model.input_shape is not None and "ExpectedBucketOwner" in model.input_shape.members
        return {"ExpectedBucketOwner": owner, **params} if takes_it else params

    return add_owner


def _after_fork() -> None:
    # The parent's sockets must not be shared, and its lock may have been held by a thread that is not here.
    global _lock  # noqa: PLW0603  # module state of this process
    _lock = Lock()
    _clients.clear()
    _sessions.clear()


os.register_at_fork(after_in_child=_after_fork)
