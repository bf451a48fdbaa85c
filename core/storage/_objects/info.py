"""The description of one object, and whether it exists."""

from __future__ import annotations

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._engine import run
from core.storage._errors import ObjectNotFoundError
from core.storage._http.clock import header_time
from core.storage._http.request import Request, exchange, send
from core.storage._keys import check_key
from core.storage._objects import ObjectInfo
from core.storage._public import public
from core.storage._transfer.checksums import etag_of
from core.storage.settings import Settings


@public
def get_object_info(bucket: str, key: str) -> ObjectInfo:
    """Return the description of the object `key` of `bucket`: size, ETag and time of its last change.

    One request, retried; nothing of the content is read, so `ObjectInfo.verified_by` is empty. Safe from many
    threads and processes.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        key: the object key.

    Raises:
        UnsafeKeyError: the key is not the name of an object.
        ObjectNotFoundError: the store says that there is no such object.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError, InvalidResponseError: see these classes.
    """
    return run(object_info(bucket, key, current_settings()))


@public
def object_exists(bucket: str, key: str) -> bool:
    """Return whether `bucket` has the object `key`. One request, or two if it has not; each is retried.

    False means that the store itself said so, with its error code ``NoSuchKey``. Any other failure is an error: no
    permission, no bucket, or a 404 of a proxy or of another server. An identity without ``s3:ListBucket`` gets
    `AccessDeniedError` for an object that does not exist
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).

    Args:
        bucket: its name, such as `core.storage.BUCKET_OUT`.
        key: the object key.

    Raises:
        UnsafeKeyError: the key is not the name of an object.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError, InvalidResponseError: see these classes.
    """
    return run(exists(bucket, key, current_settings()))


async def exists(bucket: str, key: str, settings: Settings) -> bool:
    """Do as `object_exists`."""
    try:
        await object_info(bucket, key, settings)
    except ObjectNotFoundError:
        return False
    return True


async def object_info(bucket: str, key: str, settings: Settings) -> ObjectInfo:
    """Do as `get_object_info`."""
    head = Request("HeadObject", bucket, check_key(key))
    with _telemetry.span("get_object_info", bucket, key), _telemetry.measured("head", bucket):
        try:
            headers = (await exchange(head, settings)).headers
        except ObjectNotFoundError:
            # A response to HEAD has no body: only the one to GET tells S3's 404 from that of another server.
            (await send(Request("GetObject", bucket, key), settings)).close()
            headers = (await exchange(head, settings)).headers
    modified = header_time(headers, "last-modified")
    return ObjectInfo(key, int(headers.get("content-length", "-1")), etag_of(headers), modified, bucket=bucket)
