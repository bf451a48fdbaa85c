"""Downloading one object: whole, verified, or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from core.storage import _retry
from core.storage._client import get_s3_client
from core.storage._errors import IntegrityError, ObjectChangedError, StoreUnreachableError
from core.storage._files import check_space, check_target, replacing
from core.storage._keys import check_key
from core.storage._progress import Progress
from core.storage._translate import body_errors, translated
from core.storage._verify import Check, check_for

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo

#: Bytes read at once. Measured: 1 MiB on one stream is the fastest way that boto3 has; smaller reads cost
#: CPU, larger ones and further streams gain nothing.
CHUNK = 1024 * 1024

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def download_file(
    bucket: str,
    key: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Download the object `key` of `bucket` to the file `path`, replacing what stands there.

    Atomic: the bytes go to a hidden temporary file beside `path`, which is renamed when they are whole,
    verified and on the disk; after any failure, KeyboardInterrupt included, `path` is as it was. Verified:
    size always, hash where the store gives one (`ObjectInfo.verified_by` says which); a hash that does not fit
    is downloaded once more before it is an error. Retried: a connection that breaks is resumed where it broke,
    with backoff, up to 5 times in a row without getting further. Safe from many threads and processes.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        key: the object's key.
        path: the file to write. Its folder must exist. A symbolic link is replaced, not followed.
        progress: called with the number of bytes that newly arrived, always positive; what arrives a second
            time after a fault is not counted again. If it raises, that is logged and the download goes on.

    Raises:
        UnsafeKeyError: the key names no object.
        ObjectNotFoundError, BucketNotFoundError, AccessDeniedError, StoreUnreachableError: as they say.
        ObjectChangedError: the object was replaced meanwhile.
        IntegrityError: what arrived is not the object, twice.
        OSError: the file cannot be written: no folder, no space, no right.
    """
    check_key(key)
    with replacing(check_target(path)) as file:
        return fetch(bucket, key, file, progress=progress)


def fetch(bucket: str, key: str, file: BinaryIO, *, progress: Callable[[int], object] | None = None) -> ObjectInfo:
    """Write the object into the empty `file`, with the guarantees of `download_file` but for the renaming."""
    source = _Source(bucket, check_key(key))
    report = Progress(progress)
    try:
        check = _receive(source, file, report)
    except IntegrityError:
        # A bit that flipped on the way does not flip again; one that flipped in the store does.
        check = _receive(source, file, report)
    return source.info(check.verified_by)


def _receive(source: _Source, file: BinaryIO, report: Progress) -> Check:
    """All bytes of the object, over as many connections as it takes, and their hash."""
    answer = source.open()
    check_space(file, source.size)
    sink = _Sink(file, source, check_for(answer), report)
    failures = 0
    while cause := sink.drain(answer):
        failures = 1 if sink.gained >= CHUNK else failures + 1
        if failures >= _retry.ATTEMPTS:
            raise source.broken(sink.position) from cause
        _retry.pause(failures)
        answer = source.resume(sink.position)
        if not _is_partial(answer):
            sink.restart(check_for(answer))
    if not sink.check.holds():
        raise source.damaged(sink.check.verified_by)
    return sink.check


def _is_partial(answer: Any) -> bool:
    return bool(answer["ResponseMetadata"]["HTTPStatusCode"] == 206)  # noqa: PLR2004  # Partial Content


class _Source:
    """The object in the store, as its first answer described it. Every later answer must describe the same."""

    def __init__(self, bucket: str, key: str) -> None:
        self.bucket = bucket
        self.key = key
        self.size = -1
        self._first: Any = None

    def open(self) -> Any:
        """The whole object."""
        answer = self._get()
        if self._first is None:
            self._first, self.size = answer, self._length(answer)
        self._must_be_the_same(answer, self._length(answer))
        return answer

    def resume(self, position: int) -> Any:
        """The object from `position` on; or all of it, from a server that ignores ranges."""
        if not position or "ETag" not in self._first:
            return self.open()
        answer = self._get(Range=f"bytes={position}-", IfMatch=self._first["ETag"])
        if _is_partial(answer):
            self._must_be_the_same(answer, self._total(answer, position))
        else:
            self._must_be_the_same(answer, self._length(answer))
        return answer

    def info(self, verified_by: str) -> ObjectInfo:
        from core.storage._objects import ObjectInfo  # noqa: PLC0415  # dataclasses cost 12 ms

        modified = self._first.get("LastModified") or datetime.now(UTC)
        return ObjectInfo(self.key, self.size, self._first.get("ETag", "").strip('"'), modified, verified_by)

    def broken(self, position: int) -> StoreUnreachableError:
        return StoreUnreachableError(
            f"the connection broke {_retry.ATTEMPTS} times at byte {position} of {self.size} of "
            f"{self.bucket}/{self.key}; nothing was kept, try again later",
            **self._place(),
        )

    def damaged(self, verified_by: str) -> IntegrityError:
        return IntegrityError(
            f"what arrived of {self.bucket}/{self.key} does not have the {verified_by} that the store names; the "
            "object is damaged, or a proxy on the way changes it",
            **self._place(),
        )

    def oversized(self) -> IntegrityError:
        return IntegrityError(
            f"the store sent more of {self.bucket}/{self.key} than the {self.size} bytes that it named",
            **self._place(),
        )

    def _get(self, **more: str) -> Any:
        with translated("GetObject", self.bucket, self.key):
            return get_s3_client().get_object(Bucket=self.bucket, Key=self.key, **more)  # type: ignore[arg-type]

    def _length(self, answer: Any) -> int:
        if "ContentLength" not in answer:
            answer["Body"].close()
            raise IntegrityError(
                f"the store did not say how long {self.bucket}/{self.key} is, so that a part of it could pass for "
                "the whole; a proxy on the way may have removed Content-Length",
                **self._place(),
            )
        return int(answer["ContentLength"])

    def _total(self, answer: Any, position: int) -> int:
        found = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
        if not found or int(found[1]) != position:
            answer["Body"].close()
            raise IntegrityError(
                f"the store was asked for {self.bucket}/{self.key} from byte {position}, and sent "
                f"{answer.get('ContentRange')!r}",
                **self._place(),
            )
        return int(found[2])

    def _must_be_the_same(self, answer: Any, size: int) -> None:
        if (size, answer.get("ETag")) != (self.size, self._first.get("ETag")):
            answer["Body"].close()
            raise ObjectChangedError(
                f"{self.bucket}/{self.key} was replaced while it was read; read it again", **self._place()
            )

    def _place(self) -> Any:
        return {"bucket": self.bucket, "key": self.key, "operation": "GetObject"}


class _Sink:
    """The file that the bytes go to, and their running hash."""

    def __init__(self, file: BinaryIO, source: _Source, check: Check, report: Progress) -> None:
        self._file = file
        self._source = source
        self._report = report
        self._furthest = 0
        self.gained = 0
        self.restart(check)

    def restart(self, check: Check) -> None:
        """Forget everything: the next byte is the object's first."""
        self._file.seek(0)
        self._file.truncate()
        self.position = 0
        self.check = check

    def drain(self, answer: Any) -> Exception | None:
        """Take in the body. None when the object is whole, otherwise why it broke off."""
        with translated("GetObject", self._source.bucket, self._source.key), closing(answer["Body"]) as body:
            cause = self._read(body)
        # Bytes that arrived before, and again after a restart, are no progress.
        self.gained = max(0, self.position - self._furthest)
        self._furthest += self.gained
        return None if self.position == self._source.size else cause

    def _read(self, body: Any) -> Exception:
        errors = body_errors()
        while True:
            try:
                chunk = body.read(CHUNK)
            except errors as error:
                return error
            if not chunk:
                return EOFError("the body ended early")
            self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        self.position += len(chunk)
        if self.position > self._source.size:
            raise self._source.oversized()
        self._file.write(chunk)
        self.check.hash.update(chunk)
        self._report.reached(self.position)
