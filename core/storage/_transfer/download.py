"""Downloading one object: whole, verified, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from core.storage import _telemetry
from core.storage._boto.clients import current_settings
from core.storage._errors import IntegrityError
from core.storage._http import retry
from core.storage._http.framing import Answer
from core.storage._keys import check_key
from core.storage._log import logger
from core.storage._progress import Progress, Report
from core.storage._public import public
from core.storage._transfer.atomic_file import check_space, check_target, replacing, sweep
from core.storage._transfer.checksums import Check
from core.storage._transfer.source import Source, is_partial

if TYPE_CHECKING:
    from core.storage._objects import ObjectInfo
    from core.storage._transfer.parallel_hash import Follower
    from core.storage.settings import Settings

#: Bytes read at once, and gained between two faults for the first to be forgotten.
CHUNK = 1024 * 1024
#: Bytes from which on the hash is made beside the download: it is slower than a fast network.
_LARGE = 16 * CHUNK


@public
def download_file(
    bucket: str,
    key: str,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> ObjectInfo:
    """Download the object `key` of `bucket` to the file `path`, replacing what stands there.

    Atomic: the bytes go to a hidden temporary file beside `path`, which is renamed when they are whole,
    verified and on the disk; after any failure, KeyboardInterrupt included, `path` is as it was. What a killed
    process left is removed an hour later, by the next download into the same folder. Verified:
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
    target = check_target(path)
    sweep(str(target.parent))
    with _telemetry.span("download_file", bucket, key) as span, replacing(target) as file:
        return span.moved(fetch(bucket, key, file, Progress(progress)))


def fetch(bucket: str, key: str, file: BinaryIO, report: Report, settings: Settings | None = None) -> ObjectInfo:
    """Write the object into the empty `file`, with the guarantees of `download_file` but for the renaming."""
    source = Source(bucket, check_key(key), settings or current_settings())
    with _telemetry.measured("download", bucket) as measure:
        return _telemetry.verified(measure.moved(_fetched(source, file, report)))


def _fetched(source: Source, file: BinaryIO, report: Report) -> ObjectInfo:
    try:
        check = _receive(source, file, report)
    except IntegrityError as error:
        # A bit that flipped on the way does not flip again; one that flipped in the store does.
        logger().warning("%s; it is read once more", error)
        file.seek(0)
        file.truncate()
        check = _receive(source, file, report)
    return source.info(check.verified_by)


def _receive(source: Source, file: BinaryIO, report: Report) -> Check:
    """All bytes of the object, over as many connections as it takes, and their hash."""
    with closing(source.open()) as answer, closing(_Sink(file, source, report)) as sink:
        cause = sink.drain(answer)
        failures = 0
        while cause:
            failures = 1 if sink.gained >= CHUNK else failures + 1
            if failures >= retry.ATTEMPTS:
                raise source.broken(sink.position) from cause
            seconds = retry.pause(failures)
            _telemetry.resumed(source.bucket, source.key, sink.position, source.size, cause, seconds)
            with closing(source.resume(sink.position)) as further:
                if not is_partial(further):
                    sink.restart()
                cause = sink.drain(further)
        return sink.checked()


class _Sink:
    """The file that the bytes go to, and their running hash."""

    def __init__(self, file: BinaryIO, source: Source, report: Report) -> None:
        if source.size > CHUNK:  # less is found out as fast by writing it
            check_space(file, source.size)
        self._file = file
        self._source = source
        self._report = report
        self._furthest = 0
        self.gained = 0
        self._begin()

    def restart(self) -> None:
        """Forget everything: the next byte is the object's first."""
        self.close()
        self._file.seek(0)
        self._file.truncate()
        self._begin()

    def checked(self) -> Check:
        """The check that the bytes have passed.

        Raises:
            IntegrityError: they have not.
        """
        if self._follower:
            self._follower.finish()
        if not self._check.holds():
            raise self._source.damaged(self._check.verified_by)
        return self._check

    def close(self) -> None:
        """End what goes on beside."""
        if self._follower:
            self._follower.stop()

    def _begin(self) -> None:
        self.position = 0
        self._check = self._source.check()
        self._follower: Follower | None = None
        if self._source.size >= _LARGE and self._check.verified_by != "size":
            from core.storage._transfer.parallel_hash import Follower  # noqa: PLC0415  # threads, for what is large

            self._follower = Follower(self._file.fileno(), self._check)

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
        written = self._file.write(piece)
        while written < len(piece):  # as a file without a buffer may, before it says what is wrong
            written += self._file.write(piece[written:])
        if self._follower:
            self._follower.wrote(self.position)
        else:
            self._check.hash.update(piece)
        self._report.reached(self.position)
