"""Log records of this library, and its spans and metrics of OpenTelemetry.

Nothing here imports OpenTelemetry: a program that collects has imported it, and in every other program a hook
costs a look into `sys.modules`. Attributes have the names of the semantic conventions
(https://opentelemetry.io/docs/specs/semconv/object-stores/s3/) where those define one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, aclosing, closing, contextmanager, nullcontext
from importlib import import_module
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from core.storage._errors import StorageError
from core.storage._log import logger
from core.storage._objects import ObjectInfo
from core.storage._results import TransferResult

_Item = TypeVar("_Item")
_NAME = "core.storage"
#: Upper bounds of the histogram of durations, in seconds: those of the conventions, and longer ones for videos.
#: The SDK's own are meant for milliseconds: nearly every duration is below the first.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 1800)
_DIRECTIONS = {"download": "receive", "upload": "transmit"}


class Hook(NamedTuple):
    """What an operation calls while it is traced or measured."""

    #: Record that the whole object was transferred, and return it.
    moved: Callable[[ObjectInfo], ObjectInfo]


_NOTHING = nullcontext(Hook(lambda info: info))


def span(name: str, bucket: str, key: str | None = None) -> AbstractContextManager[Hook]:
    """Trace the block as a span, which is the current one in it."""
    api = _collecting()
    return _NOTHING if api is None else _traced(api, name, bucket, key)


def measured(operation: str, bucket: str) -> AbstractContextManager[Hook]:
    """Record the metrics of an operation: count, error, duration, bytes."""
    api = _collecting()
    return _NOTHING if api is None else _measured(api, operation, bucket)


def bulk(
    name: str, results: Generator[TransferResult[_Item], None, None]
) -> Generator[TransferResult[_Item], None, None]:
    """Return the results, traced as one span from the first that is requested to the last; objects have none."""
    api = _collecting()
    return results if api is None else _traced_bulk(api, name, results)


def bulk_here(
    name: str, results: AsyncGenerator[TransferResult[_Item], None]
) -> AsyncGenerator[TransferResult[_Item], None]:
    """Do as `bulk` in the running event loop."""
    api = _collecting()
    return results if api is None else _traced_bulk_here(api, name, results)


def retried(error: StorageError, cause: Exception | None, attempt: int, most: int, seconds: float) -> None:
    """Record that a request is sent again, after a pause."""
    reason = error.code or str(cause)
    target = error.bucket if error.key is None else f"{error.bucket}/{error.key}"
    # With %r: a line break in a key or in a store's response breaks no line of the log.
    message = "%s on %r failed (%r), attempt %d of %d; tried again after %s s"
    logger.info(message, error.operation, target, reason, attempt, most, seconds)
    _count_retry(error.operation, error.bucket, error.code or type(cause or error).__name__)


def resumed(bucket: str, key: str, position: int, size: int, cause: Exception, seconds: float) -> None:
    """Record that a download whose connection broke continues, after a pause."""
    message = "the download of %r broke at byte %d of %d (%r); resumed after %s s"
    logger.info(message, f"{bucket}/{key}", position, size, str(cause), seconds)
    _count_retry("GetObject", bucket, type(cause).__name__)


def verified(info: ObjectInfo) -> ObjectInfo:
    """Record that a download is complete, and return it."""
    logger.debug(
        "%r is complete: %d bytes, verified by %s", f"{info.bucket}/{info.key}", info.size, info.verified_by
    )
    return info


def swept(folder: str, count: int) -> None:
    """Record that temporary files of killed processes were removed."""
    logger.info("removed %d temporary files of killed downloads from %r", count, folder)


class _Api:
    """OpenTelemetry with the instruments. They use the program's providers, also those that it sets later."""

    def __init__(self) -> None:
        self.trace: Any = import_module("opentelemetry.trace")
        self.tracer: Any = self.trace.get_tracer(_NAME)
        meter = import_module("opentelemetry.metrics").get_meter(_NAME)
        self.operations = meter.create_counter(f"{_NAME}.operations", "{operation}", "Operations that ended")
        self.duration = _histogram(meter, f"{_NAME}.duration", "s", "How long operations took")
        self.bytes = meter.create_counter(f"{_NAME}.bytes", "By", "Bytes of complete transfers")
        self.retries = meter.create_counter(f"{_NAME}.retries", "{retry}", "Requests that were attempted again")

    def start(self, name: str, kind: str, attributes: dict[str, Any]) -> Any:
        kinds = self.trace.SpanKind
        attributes = {"rpc.system.name": "aws-api", **attributes}
        return self.tracer.start_span(f"{_NAME}.{name}", kind=kinds[kind], attributes=attributes)

    def failed(self, span: Any, error: BaseException) -> None:
        span.set_attribute("error.type", _type_of(error))
        if request_id := getattr(error, "request_id", None):
            span.set_attribute("aws.request_id", request_id)
        span.set_status(self.trace.StatusCode.ERROR, str(error))


def _histogram(meter: Any, *names: str) -> Any:
    try:
        return meter.create_histogram(*names, explicit_bucket_boundaries_advisory=_BOUNDS)
    except TypeError:  # before opentelemetry-api 1.30
        return meter.create_histogram(*names)


_api: _Api | None = None
_lock = Lock()


def _collecting() -> _Api | None:
    global _api  # noqa: PLW0603  # of this process
    # A program that collects has imported at least one of the two.
    if _api is None and ("opentelemetry.trace" in sys.modules or "opentelemetry.metrics" in sys.modules):
        with _lock:  # the SDK warns of an instrument that is created twice
            if _api is None:
                _api = _Api()
    return _api


def _after_fork() -> None:
    global _lock  # noqa: PLW0603  # a thread of the parent, which the child has not, may have held it
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def _traced(api: _Api, name: str, bucket: str, key: str | None) -> Iterator[Hook]:
    attributes = {"aws.s3.bucket": bucket} if key is None else {"aws.s3.bucket": bucket, "aws.s3.key": key}
    span = api.start(name, "CLIENT", attributes)

    def moved(info: ObjectInfo) -> ObjectInfo:
        span.set_attributes({f"{_NAME}.bytes": info.size, f"{_NAME}.verified_by": info.verified_by})
        return info

    with api.trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield Hook(moved)
        except BaseException as error:
            api.failed(span, error)
            raise


@contextmanager
def _measured(api: _Api, operation: str, bucket: str) -> Iterator[Hook]:
    attributes = {f"{_NAME}.operation": operation, "aws.s3.bucket": bucket}

    def moved(info: ObjectInfo) -> ObjectInfo:
        direction = _DIRECTIONS[operation]
        api.bytes.add(info.size, {"network.io.direction": direction, "aws.s3.bucket": bucket})
        return info

    start = time.monotonic()
    try:
        yield Hook(moved)
    except BaseException as error:
        attributes["error.type"] = _type_of(error)
        raise
    finally:
        api.duration.record(time.monotonic() - start, attributes)
        api.operations.add(1, attributes)


def _traced_bulk(
    api: _Api, name: str, results: Generator[TransferResult[_Item], None, None]
) -> Generator[TransferResult[_Item], None, None]:
    with _bulk_span(api, name) as count, closing(results):
        for result in results:
            count(result)
            yield result


async def _traced_bulk_here(
    api: _Api, name: str, results: AsyncGenerator[TransferResult[_Item], None]
) -> AsyncGenerator[TransferResult[_Item], None]:
    with _bulk_span(api, name) as count:
        async with aclosing(results):
            async for result in results:
                count(result)
                yield result


@contextmanager
def _bulk_span(api: _Api, name: str) -> Iterator[Callable[[TransferResult[Any]], None]]:
    # Never the current span: the block around a yield is the caller's.
    span = api.start(name, "INTERNAL", {})
    counts = dict.fromkeys(("items", "failed", "skipped", "bytes"), 0)

    def count(result: TransferResult[Any]) -> None:
        counts["items"] += 1
        counts["failed"] += not result.ok
        counts["skipped"] += result.skipped
        counts["bytes"] += result.info.size if result.info and not result.skipped else 0

    try:
        yield count
    except GeneratorExit:
        raise
    except BaseException as error:
        api.failed(span, error)
        raise
    finally:
        span.set_attributes({f"{_NAME}.{name}": value for name, value in counts.items()})
        span.end()


def _count_retry(operation: str | None, bucket: str | None, error_type: str) -> None:
    api = _collecting()
    if api is not None:
        attributes = {"rpc.method": f"S3/{operation}", "error.type": error_type}
        api.retries.add(1, {**attributes, "aws.s3.bucket": bucket or ""})
        api.trace.get_current_span().add_event("retry", attributes)


def _type_of(error: BaseException) -> str:
    code = error.code if isinstance(error, StorageError) else None
    return code or type(error).__name__
