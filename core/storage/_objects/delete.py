"""Deleting objects, one or many."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable
from html import escape
from typing import Generic, overload
from xml.etree import ElementTree as ET

from core.storage import _telemetry
from core.storage._config.current import current_settings
from core.storage._engine import all_done, run
from core.storage._errors import StorageError
from core.storage._http.limits import PAGE, WORKERS
from core.storage._http.request import Request, exchange
from core.storage._keys import check_key
from core.storage._objects import AnyObjectItem, BucketAndKey, ObjectInfo, ObjectItem, pair_of
from core.storage._public import public
from core.storage._results import TransferResult
from core.storage._transfer.checksums import content_md5, md5
from core.storage._transfer.items import each
from core.storage.settings import Settings

#: Error codes of stores that do not have DeleteObjects (boto3#2293), or want it otherwise.
_NO_BATCHES = frozenset(
    {"NotImplemented", "MethodNotAllowed", "InvalidArgument", "InvalidRequest", "MalformedXML"}
)
#: Characters that XML 1.0 cannot hold (https://www.w3.org/TR/xml/#charsets), and line ends, which parsers change.
_NOT_IN_XML = re.compile("[^\\t\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


@public
def delete_object(bucket: str, key: str) -> None:
    """Delete the object `key` of `bucket`; an object that does not exist is no error.

    One request, retried. In a bucket with versions, S3 keeps the object as an older version and adds a delete
    marker (https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html). Safe from many threads and
    processes.

    Args:
        bucket: its name, such as `core.storage.BUCKET_OUT`.
        key: the object key.

    Raises:
        UnsafeKeyError: the key is not the name of an object.
        BucketNotFoundError, AccessDeniedError, StoreUnreachableError, InvalidResponseError: see these classes.
    """
    run(delete(bucket, key, current_settings()))


@overload
def delete_many(items: Iterable[BucketAndKey]) -> Generator[TransferResult[BucketAndKey], None, None]: ...
@overload
def delete_many(items: Iterable[ObjectInfo]) -> Generator[TransferResult[ObjectInfo], None, None]: ...
@overload
def delete_many(items: Iterable[AnyObjectItem]) -> Generator[TransferResult[AnyObjectItem], None, None]: ...
@public
def delete_many(items: Iterable[ObjectItem]) -> Generator[TransferResult[ObjectItem], None, None]:
    """Delete objects, up to 1,000 with one request; yield a result for each, in their order.

    Nothing is deleted before the first result is requested: iterate to the end, or the rest stays. An item that
    fails does not stop the others. Memory does not grow with the number of items, which are taken from their
    iterator when they are needed. What the store does not confirm is deleted by a request of its own, as is
    every object of a store without DeleteObjects. Objects that do not exist, and buckets with versions: as
    `delete_object`.

    There is no deletion by prefix: list the objects, look at the list, then delete it::

        old = [info for info in list_objects(BUCKET_OUT, "overlays/7d44/") if info.last_modified < limit]
        failed = [result for result in delete_many(old) if result.error]

    Args:
        items: from `list_objects`, or pairs of bucket and key.

    Raises:
        StorageConfigError: a variable of the environment is missing or wrong.
    """
    if isinstance(items, AsyncIterable):
        raise TypeError("the items come from an asynchronous iterator: use the functions of core.storage.aio")
    settings = current_settings()
    return _telemetry.bulk("delete_many", _results(items, settings))


def _results(items: Iterable[ObjectItem], settings: Settings) -> Generator[TransferResult[ObjectItem], None, None]:
    batches = _Batches[ObjectItem]()
    for item in items:
        if batch := batches.add(item):
            yield from run(delete_batch(batch, settings))
    yield from run(delete_batch(batches.rest(), settings))


async def delete(bucket: str, key: str, settings: Settings) -> None:
    """Do as `delete_object`."""
    with _telemetry.span("delete_object", bucket, key), _telemetry.measured("delete", bucket):
        await exchange(Request("DeleteObject", bucket, check_key(key)), settings)


async def results_here(
    items: Iterable[ObjectItem] | AsyncIterable[ObjectItem], settings: Settings
) -> AsyncGenerator[TransferResult[ObjectItem], None]:
    """Do as `delete_many` in the running event loop."""
    batches = _Batches[ObjectItem]()
    async for item in each(items):
        for result in await delete_batch(batches.add(item), settings):
            yield result
    for result in await delete_batch(batches.rest(), settings):
        yield result


class _Batches(Generic[ObjectItem]):
    """Collects items to batches of up to 1,000 of one bucket."""

    def __init__(self) -> None:
        self._batch: list[ObjectItem] = []
        self._bucket = ""

    def add(self, item: ObjectItem) -> list[ObjectItem]:
        """Add an item, and return the batch that is complete by that; mostly none."""
        complete: list[ObjectItem] = []
        bucket = _bucket_of(item)
        if bucket != self._bucket:
            complete = self.rest()
        self._bucket = bucket
        self._batch.append(item)
        return self.rest() if len(self._batch) == PAGE else complete

    def rest(self) -> list[ObjectItem]:
        """Return the batch that was begun."""
        batch, self._batch = self._batch, []
        return batch


async def delete_batch(items: list[ObjectItem], settings: Settings) -> list[TransferResult[ObjectItem]]:
    """Delete objects of one bucket, and return their results."""
    if not items:
        return []
    errors: dict[int, Exception] = {}
    keys: dict[int, str] = {}
    bucket = ""
    for number, item in enumerate(items):
        try:
            bucket, key = pair_of(item)
            keys[number] = check_key(key)
        except (TypeError, ValueError) as error:  # UnsafeKeyError is a ValueError
            errors[number] = error
    try:
        confirmed = await _confirmed(
            bucket, [key for key in keys.values() if not _NOT_IN_XML.search(key)], settings
        )
    except StorageError as error:
        return [TransferResult(item, error=errors.get(number, error)) for number, item in enumerate(items)]
    left = iter([(number, key) for number, key in keys.items() if key not in confirmed])

    async def delete_left() -> None:
        for number, key in left:
            try:
                await exchange(Request("DeleteObject", bucket, key), settings)
            except StorageError as error:
                errors[number] = error

    await all_done(delete_left() for _ in range(WORKERS))
    return [TransferResult(item, error=errors.get(number)) for number, item in enumerate(items)]


def _bucket_of(item: object) -> str:
    try:
        return pair_of(item)[0]
    except TypeError:
        return ""


async def _confirmed(bucket: str, keys: list[str], settings: Settings) -> set[str]:
    """Delete the objects with one request, and return the keys that the store confirms."""
    if len(keys) < 2:  # noqa: PLR2004  # one is deleted by a request of its own
        return set()
    objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    body = f"<Delete>{objects}</Delete>".encode()
    signed = {"Content-MD5": content_md5(md5(body).digest()), "Content-Type": "application/xml"}
    try:
        reply = await exchange(
            Request("DeleteObjects", bucket, query="delete=", signed=signed, body=body), settings
        )
    except StorageError as error:
        if error.code not in _NO_BATCHES:
            raise
        return set()
    try:
        result = ET.fromstring(reply.body)  # noqa: S314  # expat limits the expansion of entities
    except (ET.ParseError, LookupError, ValueError):  # also an encoding that Python does not know
        return set()
    return {key.text or "" for key in result.iterfind("{*}Deleted/{*}Key")}
