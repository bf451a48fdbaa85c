"""What goes on inside, for whoever wants to see it: log records, and spans and metrics of OpenTelemetry.

Nothing here imports OpenTelemetry: a program that collects has done so, and in all others a hook costs a look into
`sys.modules`. Attributes have the names of the semantic conventions
(https://opentelemetry.io/docs/specs/semconv/object-stores/s3/) where those have one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import closing
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from core.storage._errors import StorageError
from core.storage._log import logger

if TYPE_CHECKING:
    from typing import Self, TypeVar

    from core.storage._objects import ObjectInfo
    from core.storage._results import TransferResult

    _Item = TypeVar("_Item")

_NAME = "core.storage"
#: Seconds between which durations are counted: those of the conventions, and longer ones for videos. Left alone,
#: the SDK takes bounds that are meant for milliseconds, and nearly everything is below the first.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 1800)
_DIRECTIONS = {"download": "receive", "upload": "transmit"}


class Hook:
    """Around an operation; this one does nothing, because nobody collects."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """See how it ended."""

    def moved(self, info: ObjectInfo) -> ObjectInfo:
        """The object has arrived, here or there."""
        return info


_NOTHING = Hook()


def span(name: str, bucket: str, key: str | None = None) -> Hook:
    """A span around the block, current in it."""
    api = _collecting()
    return _NOTHING if api is None else _Span(api, name, bucket, key)


def measured(operation: str, bucket: str) -> Hook:
    """The metrics of one operation: that it was, how it ended, how long it took, what it moved."""
    api = _collecting()
    return _NOTHING if api is None else _Measured(api, operation, bucket)


def bulk(
    name: str, results: Generator[TransferResult[_Item], None, None]
) -> Generator[TransferResult[_Item], None, None]:
    """The results, with one span from the first that is asked for to the last; its objects have none."""
    api = _collecting()
    return results if api is None else _traced(api, name, results)


def retried(error: StorageError, cause: Exception | None, attempt: int, most: int, seconds: float) -> None:
    """Record that a request is made once more, after a pause."""
    why = error.code or str(cause)
    place = error.bucket if error.key is None else f"{error.bucket}/{error.key}"
    # With %r: what a store or a key holds breaks no line.
    message = "%s on %r failed (%r), attempt %d of %d; tried again after %s s"
    logger.info(message, error.operation, place, why, attempt, most, seconds)
    _count_retry(error.operation, error.bucket, error.code or type(cause or error).__name__)


def resumed(bucket: str, key: str, position: int, size: int, cause: Exception, seconds: float) -> None:
    """Record that a download whose connection broke continues, after a pause."""
    message = "the download of %r broke at byte %d of %d (%r); resumed after %s s"
    logger.info(message, f"{bucket}/{key}", position, size, str(cause), seconds)
    _count_retry("GetObject", bucket, type(cause).__name__)


def verified(info: ObjectInfo) -> ObjectInfo:
    """A download is whole."""
    logger.debug("%r is whole: %d bytes, verified by %s", f"{info.bucket}/{info.key}", info.size, info.verified_by)
    return info


def swept(folder: str, count: int) -> None:
    """Parts that killed processes had left are gone."""
    logger.info("removed %d parts of downloads that had been killed from %r", count, folder)


class _Api:
    """OpenTelemetry, and the instruments. They go where the program's providers say, also those it sets later."""

    def __init__(self) -> None:
        self.trace: Any = import_module("opentelemetry.trace")
        self.context: Any = import_module("opentelemetry.context")
        self.tracer: Any = self.trace.get_tracer(_NAME)
        meter = import_module("opentelemetry.metrics").get_meter(_NAME)
        self.operations = meter.create_counter(f"{_NAME}.operations", "{operation}", "Operations that ended")
        self.duration = _histogram(meter, f"{_NAME}.duration", "s", "How long operations took")
        self.bytes = meter.create_counter(f"{_NAME}.bytes", "By", "Bytes of objects that were moved whole")
        self.retries = meter.create_counter(f"{_NAME}.retries", "{retry}", "Requests that were made once more")

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
        with _lock:  # an instrument is made once
            if _api is None:
                _api = _Api()
    return _api


def _after_fork() -> None:
    global _lock  # noqa: PLW0603  # it may have been held by a thread that is not here
    _lock = Lock()


os.register_at_fork(after_in_child=_after_fork)


class _Span(Hook):
    __slots__ = ("_api", "_span", "_token")

    def __init__(self, api: _Api, name: str, bucket: str, key: str | None) -> None:
        self._api = api
        place = {"aws.s3.bucket": bucket} if key is None else {"aws.s3.bucket": bucket, "aws.s3.key": key}
        self._span = api.start(name, "CLIENT", place)
        self._token = None

    def __enter__(self) -> Self:
        self._token = self._api.context.attach(self._api.trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._api.context.detach(self._token)
        if error is not None:
            self._api.failed(self._span, error)
        self._span.end()

    def moved(self, info: ObjectInfo) -> ObjectInfo:
        self._span.set_attributes({f"{_NAME}.bytes": info.size, f"{_NAME}.verified_by": info.verified_by})
        return info


class _Measured(Hook):
    __slots__ = ("_api", "_attributes", "_since")

    def __init__(self, api: _Api, operation: str, bucket: str) -> None:
        self._api = api
        self._attributes = {f"{_NAME}.operation": operation, "aws.s3.bucket": bucket}
        self._since = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        seconds = time.monotonic() - self._since
        outcome = {} if error is None else {"error.type": _type_of(error)}
        self._api.operations.add(1, self._attributes | outcome)
        self._api.duration.record(seconds, self._attributes | outcome)

    def moved(self, info: ObjectInfo) -> ObjectInfo:
        direction = _DIRECTIONS[self._attributes[f"{_NAME}.operation"]]
        self._api.bytes.add(
            info.size, {"network.io.direction": direction, "aws.s3.bucket": self._attributes["aws.s3.bucket"]}
        )
        return info


def _traced(
    api: _Api, name: str, results: Generator[TransferResult[_Item], None, None]
) -> Generator[TransferResult[_Item], None, None]:
    # Never current: the block around a yield is the caller's.
    span = api.start(name, "INTERNAL", {})
    counts = dict.fromkeys(("items", "failed", "skipped", "bytes"), 0)
    try:
        with closing(results):
            for one in results:
                counts["items"] += 1
                counts["failed"] += not one.ok
                counts["skipped"] += one.skipped
                counts["bytes"] += one.info.size if one.info and not one.skipped else 0
                yield one
    except GeneratorExit:
        raise
    except BaseException as error:
        api.failed(span, error)
        raise
    finally:
        span.set_attributes({f"{_NAME}.{what}": count for what, count in counts.items()})
        span.end()


def _count_retry(operation: str | None, bucket: str | None, why: str) -> None:
    api = _collecting()
    if api is not None:
        attributes = {"rpc.method": f"S3/{operation}", "error.type": why}
        api.retries.add(1, {**attributes, "aws.s3.bucket": bucket or ""})
        api.trace.get_current_span().add_event("retry", attributes)


def _type_of(error: BaseException) -> str:
    code = error.code if isinstance(error, StorageError) else None
    return code or type(error).__name__
