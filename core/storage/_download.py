"""Downloading one object: whole, verified, or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO

from core.storage import _retry
from core.storage._client import current_settings
from core.storage._clock import header_time
from core.storage._errors import IntegrityError, ObjectChangedError, StoreUnreachableError
from core.storage._files import check_space, check_target, replacing
from core.storage._http import Answer
from core.storage._keys import check_key
from core.storage._progress import Progress, Report
from core.storage._request import Request, send
from core.storage._verify import Check, check_for, etag_of

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo
    from core.storage.settings import Settings

#: Bytes read at once, and gained between two faults for the first to be forgotten.
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
        return fetch(bucket, key, file, Progress(progress))


def fetch(bucket: str, key: str, file: BinaryIO, report: Report, settings: Settings | None = None) -> ObjectInfo:
    """Write the object into the empty `file`, with the guarantees of `download_file` but for the renaming."""
    source = _Source(bucket, check_key(key), settings or current_settings())
    try:
        check = _receive(source, file, report)
    except IntegrityError:
        # A bit that flipped on the way does not flip again; one that flipped in the store does.
        file.seek(0)
        file.truncate()
        check = _receive(source, file, report)
    return source.info(check.verified_by)


def _receive(source: _Source, file: BinaryIO, report: Report) -> Check:
    """All bytes of the object, over as many connections as it takes, and their hash."""
    with closing(source.open()) as answer:
        sink = _Sink(file, source, report)
        cause = sink.drain(answer)
    failures = 0
    while cause:
        failures = 1 if sink.gained >= CHUNK else failures + 1
        if failures >= _retry.ATTEMPTS:
            raise source.broken(sink.position) from cause
        _retry.pause(failures)
        with closing(source.resume(sink.position)) as answer:
            if not _is_partial(answer):
                sink.restart()
            cause = sink.drain(answer)
    if not sink.check.holds():
        raise source.damaged(sink.check.verified_by)
    return sink.check


def _is_partial(answer: Answer) -> bool:
    return answer.status == 206  # noqa: PLR2004  # Partial Content


class _Source:
    """The object in the store, as its first answer described it. Every later answer must describe the same."""

    def __init__(self, bucket: str, key: str, settings: Settings) -> None:
        self.bucket = bucket
        self.key = key
        self.size = -1
        self._settings = settings
        self._headers: Mapping[str, str] = {}

    def open(self) -> Answer:
        """The whole object."""
        answer = self._get({})
        length = self._length(answer)
        if not self._headers:
            self._headers, self.size = answer.headers, length
        self._must_be_the_same(answer, length)
        return answer

    def resume(self, position: int) -> Answer:
        """The object from `position` on; or all of it, from a server that ignores ranges."""
        if not position or "etag" not in self._headers:
            return self.open()
        answer = self._get({"Range": f"bytes={position}-", "If-Match": self._headers["etag"]})
        total = self._total(answer, position) if _is_partial(answer) else self._length(answer)
        self._must_be_the_same(answer, total)
        return answer

    def check(self) -> Check:
        """A fresh check of its bytes."""
        return check_for(self._headers, self.size)

    def info(self, verified_by: str) -> ObjectInfo:
        from core.storage._objects import ObjectInfo  # noqa: PLC0415  # dataclasses cost 12 ms

        modified = header_time(self._headers, "last-modified")
        return ObjectInfo(self.key, self.size, etag_of(self._headers), modified, verified_by, self.bucket)

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

    def _get(self, plain: Mapping[str, str]) -> Answer:
        # Only AWS is sure to know the header.
        known = self._settings.dialect.checksums == "when_supported"
        signed = {"x-amz-checksum-mode": "ENABLED"} if known else {}
        return send(Request("GetObject", self.bucket, self.key, signed=signed, plain=plain), self._settings)

    def _length(self, answer: Answer) -> int:
        if answer.length is None:
            answer.close()
            raise IntegrityError(
                f"the store did not say how long {self.bucket}/{self.key} is, so that a part of it could pass for "
                "the whole; a proxy on the way may have removed Content-Length",
                **self._place(),
            )
        return answer.length

    def _total(self, answer: Answer, position: int) -> int:
        named = answer.headers.get("content-range", "")
        found = _CONTENT_RANGE.fullmatch(named)
        if not found or int(found[1]) != position:
            answer.close()
            raise IntegrityError(
                f"the store was asked for {self.bucket}/{self.key} from byte {position}, and sent {named!r}",
                **self._place(),
            )
        return int(found[2])

    def _must_be_the_same(self, answer: Answer, size: int) -> None:
        if (size, answer.headers.get("etag")) != (self.size, self._headers.get("etag")):
            answer.close()
            raise ObjectChangedError(
                f"{self.bucket}/{self.key} was replaced while it was read; read it again", **self._place()
            )

    def _place(self) -> Any:
        return {"bucket": self.bucket, "key": self.key, "operation": "GetObject"}


class _Sink:
    """The file that the bytes go to, and their running hash."""

    def __init__(self, file: BinaryIO, source: _Source, report: Report) -> None:
        if source.size > CHUNK:  # less is found out as fast by writing it
            check_space(file, source.size)
        self._file = file
        self._source = source
        self._report = report
        self._furthest = 0
        self.gained = 0
        self.position = 0
        self.check = source.check()

    def restart(self) -> None:
        """Forget everything: the next byte is the object's first."""
        self._file.seek(0)
        self._file.truncate()
        self.position = 0
        self.check = self._source.check()

    def drain(self, answer: Answer) -> Exception | None:
        """Take in the body. None when the object is whole, otherwise why it broke off."""
        cause = self._read(answer)
        # Bytes that arrived before, and again after a restart, are no progress.
        self.gained = max(0, self.position - self._furthest)
        self._furthest += self.gained
        return None if self.position == self._source.size else cause

    def _read(self, answer: Answer) -> Exception:
        while True:
            try:
                piece = answer.piece()
            except OSError as error:
                return error
            if not piece:
                return EOFError("the body ended early")
            self._take(piece)

    def _take(self, piece: memoryview) -> None:
        self.position += len(piece)
        if self.position > self._source.size:
            raise self._source.oversized()
        self.check.hash.update(piece)
        written = self._file.write(piece)
        while written < len(piece):  # as a file without a buffer may, before it says what is wrong
            written += self._file.write(piece[written:])
        self._report.reached(self.position)
