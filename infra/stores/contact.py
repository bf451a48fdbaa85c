"""The first request to a store, before anything is created.

It tells whether a store responds, of which kind it is, whether it accepts the administrator's access key, and
whether the clocks agree. The library sends it without botocore, whose import would take 0.1 s of each preview
and update.
"""

from __future__ import annotations

import asyncio

from core.storage import InvalidResponseError, StorageConfigError, StorageError, StoreUnreachableError
from core.storage._internal import Failure, Reply, Request, once, run
from core.storage.settings import Settings
from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores.codes import means
from infra.stores.kinds import Kind, named
from infra.stores.store import Store, refusal

#: What a server that is no store, or is not ready, responds.
_NO_STORE = (InvalidResponseError, StorageConfigError, StoreUnreachableError)
_TIMEOUT = 5.0  # seconds; a store that is running responds at once


def contact(store: Store, bucket: str) -> Kind:
    """Return the kind of the store, once it has accepted the administrator's access key.

    The request lists `bucket`, which need not exist; nor need the access key be allowed to list it.

    Raises:
        UnreachableError: there is no response within 5 seconds, or one that is not HTTP.
        UsageError: the response is not from an S3 API, the access key is wrong, or the clocks or regions differ.
    """
    try:
        response = _first(store.settings(store.admin), bucket)
    except StorageConfigError as error:
        raise infra_error(store, "first contact", error) from error
    if isinstance(response, Failure) and not means(response.error.code or "", "access denied", "no bucket"):
        raise infra_error(store, "first contact", response.error) from response.cause
    return named(response.headers.get("server", ""))


def require_s3(settings: Settings, bucket: str) -> None:
    """Refuse what is not a store before botocore reads its responses.

    botocore takes an empty response, or a document of another service, for a success.

    Raises:
        UnreachableError: there is no response within 5 seconds.
        StorageError: the store does not respond, or a server that is not ready, or a redirect; or the response is
            not from an S3 API.
    """
    response = _first(settings, bucket)
    if isinstance(response, Failure) and isinstance(response.error, _NO_STORE):
        raise response.error from response.cause


def _first(settings: Settings, bucket: str) -> Reply | Failure:
    try:
        return run(asyncio.wait_for(once(listing(bucket), settings), _TIMEOUT))
    except TimeoutError as error:
        reason = f"no response within {_TIMEOUT:g} s; is the store running, and mpr-storage:endpoint correct?"
        where = settings.endpoint_url or "AWS"
        raise UnreachableError(f"cannot reach the store at {where}: {reason}") from error


def listing(bucket: str) -> Request:
    """Return a short request, to which a store responds only after it has checked the access key."""
    return Request("ListObjectsV2", bucket, query="list-type=2&max-keys=1")


def infra_error(store: Store, doing: str, error: StorageError) -> InfraError:
    """Return the error of this package for one of `core.storage`, with the names of the stack's settings."""
    code = error.code or ""
    sentence = error.message.removeprefix(f"{error.operation} on {error.bucket}: ")
    sentence = sentence.replace("S3_ENDPOINT_URL", "mpr-storage:endpoint")
    if isinstance(error, StoreUnreachableError) and not means(code, "starting"):
        return UnreachableError(f"cannot reach the store at {store.endpoint}: {sentence}")
    if isinstance(error, (InvalidResponseError, StorageConfigError)):
        return UsageError(f"{doing} ({store.endpoint}): {sentence}")
    return refusal(store, doing, code, sentence.rpartition(f" (the store said {code}: ")[2].rstrip(")"))
