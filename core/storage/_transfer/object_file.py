"""An object as a file object, of which only the ranges that are read are downloaded."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.storage._config.current import current_settings
from core.storage._engine import run
from core.storage._objects import ObjectInfo
from core.storage._objects.info import object_info
from core.storage._progress import Report
from core.storage._public import public
from core.storage._transfer.download_bytes import content_of
from core.storage._transfer.source import Source
from core.storage.settings import Settings

#: Bytes of the first range at a position, and the most that ranges that follow each other grow to.
_LEAST = 64 * 1024
_MOST = 8 * 1024 * 1024
#: Positions that are read from in turn, such as those of sound and picture.
_WINDOWS = 4


@public
def open_object(bucket: str, key: str) -> io.BufferedReader:
    """Open the object `key` of `bucket` as a buffered, seekable, read-only binary file.

    Only what is read is downloaded, in ranges of 64 KiB, which double up to 8 MiB while they follow each other;
    up to 4 positions are followed at a time. So a player finds the index at the end of a video, and `zipfile`
    one member, without the rest. All ranges are of the version that was there at the call: they are requested
    with ``If-Match``. Verified by length and ETag, because no store has a hash of a range; retried as
    `download_file`. Uses up to 32 MiB. Thread-safe, as every `io.BufferedReader`. There is nothing to release:
    closing it is optional.

    Args:
        bucket: its name, such as `core.storage.BUCKET_IN`.
        key: the object key.

    Raises:
        UnsafeKeyError: the key is not the name of an object.
        ObjectNotFoundError, BucketNotFoundError, AccessDeniedError, StoreUnreachableError: see these classes.
        ObjectChangedError: later, while reading: the object was replaced.
    """
    settings = current_settings()
    return io.BufferedReader(_ObjectReader(run(object_info(bucket, key, settings)), settings), _LEAST)


@dataclass
class _Window:
    """Bytes of the object, and how many come next if the reading goes on there."""

    start: int
    data: bytes
    next_size: int

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class _ObjectReader(io.RawIOBase):
    """The object, read by ranges."""

    mode = "rb"

    def __init__(self, info: ObjectInfo, settings: Settings) -> None:
        self.name = f"{info.bucket}/{info.key}"
        self._info = info
        self._settings = settings
        self._position = 0
        #: The one that was read last is at the end.
        self._windows: list[_Window] = []

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        if self.closed:
            raise ValueError(f"the file object of {self.name} is closed: open it again with open_object")
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._info.size}
        if whence not in base:
            raise ValueError(f"whence must be 0, 1 or 2, got {whence!r}")
        position = base[whence] + offset
        if position < 0:
            raise ValueError(f"a position before the beginning of {self.name}: {position}")
        self._position = position
        return position

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        if self._position >= self._info.size or not view:
            return 0
        window = self._window(len(view))
        offset = self._position - window.start
        data = window.data[offset : offset + len(view)]
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _window(self, wanted: int) -> _Window:
        """Return the window that has the current position, downloaded if it is not there."""
        window = next(self._matching(), None)
        if window is not None and self._position < window.end:
            self._windows.remove(window)
        else:
            size = _LEAST if window is None else window.next_size
            data = self._downloaded(max(size, min(wanted, _MOST)))
            if window is not None:
                self._windows.remove(window)
            window = _Window(self._position, data, min(2 * size, _MOST))
        self._windows = [*self._windows[1 - _WINDOWS :], window]
        return window

    def _matching(self) -> Iterator[_Window]:
        """Yield the windows that have the current position, or end there."""
        return (window for window in reversed(self._windows) if window.start <= self._position <= window.end)

    def _downloaded(self, length: int) -> bytes:
        info = self._info
        source = Source(info.bucket, info.key, self._settings, self._position, length, info)
        return run(content_of(source, Report()))[0]
