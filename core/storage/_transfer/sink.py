"""The target of a download: memory or a file, with the running hash of its bytes."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from typing import ClassVar

from core.storage._engine import in_worker
from core.storage._errors import IntegrityError
from core.storage._http.framing import Response
from core.storage._progress import Report
from core.storage._transfer.checksums import Check, Hash, PartsMd5
from core.storage._transfer.source import Source

#: Bytes. A larger object is written and hashed in worker threads, so many bytes at once. A connection that
#: delivers as many before it breaks resets the count of failures.
CHUNK = 1024 * 1024
_ENDED_EARLY = EOFError("the body ended early")
#: Buffers of a file with one hash, and of all files with a hash per part together.
_FEW = 4
_MANY = 32


class Sink:
    """Where the bytes of a download go, and their running hash."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._furthest = 0
        #: Bytes of the last response that had not arrived before.
        self.gained = 0
        self._begin()

    async def restart(self) -> None:
        """Begin again: the next byte is the object's first."""
        await self.close()
        self._begin()

    async def checked(self) -> Check:
        """Return the check of the received bytes, or raise an IntegrityError if the checksums differ."""
        received = self._check.received()
        if received != self._check.expected:
            raise self._source.error(
                IntegrityError,
                f"checksum mismatch: received {self._source.bucket}/{self._source.key} with the "
                f"{self._check.verified_by} {received}, the store's is {self._check.expected}; the object is "
                "damaged (upload it again), or a proxy changes responses (connect without it)",
            )
        return self._check

    async def close(self) -> None:
        """Wait for the worker threads that use the target."""

    async def drain(self, response: Response) -> Exception | None:
        """Receive the body; return None when all bytes are there, otherwise why the body ended early."""
        cause = await self._read(response)
        # Bytes that are received again after a restart are no progress.
        self.gained = max(0, self.position - self._furthest)
        self._furthest += self.gained
        return None if self.position == self._source.size else cause

    def _begin(self) -> None:
        self.position = 0
        self._check = self._source.check()

    async def _read(self, response: Response) -> Exception:
        """Receive the body to its end, and return why it ended."""
        raise NotImplementedError

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > self._source.size:
            raise self._source.error(
                IntegrityError,
                f"received more of {self._source.bucket}/{self._source.key} than its {self._source.size} bytes: "
                "a proxy may change responses, connect without it",
            )
        self._report.reached(self.position)


class MemorySink(Sink):
    """Bytes in memory. A large object is hashed in a worker thread, while the next bytes are received."""

    def __init__(self, source: Source, report: Report) -> None:
        self.content = bytearray(source.size)
        self._job: asyncio.Task[object] | None = None
        super().__init__(source, report)

    async def checked(self) -> Check:
        await self.close()
        return await super().checked()

    async def close(self) -> None:
        if self._job is not None:
            await asyncio.wait([self._job])

    async def _read(self, response: Response) -> Exception:
        room = memoryview(self.content)
        while self.position < len(room):
            data = room[self.position : self.position + CHUNK]
            try:
                count = await response.into(data)
            except OSError as error:
                return error
            if not count:
                return _ENDED_EARLY
            self._advance(count)
            await self._hash(data[:count])
        try:
            self._advance(len(await response.piece()))  # there is none, or an error
        except OSError as error:
            return error
        return _ENDED_EARLY

    async def _hash(self, data: memoryview) -> None:
        if len(self.content) <= CHUNK:
            self._check.hash.update(data)
            return
        await self.close()
        self._job = asyncio.create_task(in_worker(self._check.hash.update, data))


class FileSink(Sink):
    """The file of a small object: its bytes are written and hashed in the event loop, which is faster for them."""

    def __init__(self, descriptor: int, source: Source, report: Report) -> None:
        self._descriptor = descriptor
        super().__init__(source, report)

    async def restart(self) -> None:
        await super().restart()
        os.ftruncate(self._descriptor, 0)

    async def _read(self, response: Response) -> Exception:
        while True:
            try:
                data = await response.piece()
            except OSError as error:
                return error
            if not data:
                return _ENDED_EARLY
            start = self.position
            self._advance(len(data))
            _write(self._descriptor, data, start, self._check.hash)


class LargeFileSink(FileSink):
    """The file of a large object: worker threads write and hash its bytes, while the next ones are received.

    The bytes of one part are hashed in order, several parts at once.
    """

    _active: ClassVar[set[LargeFileSink]] = set()

    def __init__(self, descriptor: int, source: Source, report: Report) -> None:
        status = os.fstatvfs(descriptor)
        free = status.f_bavail * status.f_frsize
        if status.f_blocks and source.size > free:  # some file systems (FUSE) report no blocks
            raise OSError(errno.ENOSPC, f"the object has {source.size} bytes, the file system has {free} free")
        super().__init__(descriptor, source, report)

    async def checked(self) -> Check:
        if self._jobs:
            await asyncio.wait(self._jobs)
        self._raise_error()
        return await super().checked()

    async def close(self) -> None:
        self._active.discard(self)
        for job in self._jobs:
            job.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)

    def _begin(self) -> None:
        super()._begin()
        self._parts = self._check.hash if isinstance(self._check.hash, PartsMd5) else None
        #: A file with one hash has one part, without an end.
        self._part_size = self._parts.part_size if self._parts else sys.maxsize
        self._free: asyncio.LifoQueue[memoryview] = asyncio.LifoQueue()
        self._buffers = 0
        #: The last job of the part that is received, and all jobs that have not ended.
        self._last: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._error: Exception | None = None
        self._active.add(self)

    async def _read(self, response: Response) -> Exception:
        while True:
            buffer = await self._buffer()
            count = 0
            try:
                count = await response.into(buffer)
            except OSError as error:
                return error
            finally:
                if not count:
                    self._free.put_nowait(buffer)
            if not count:
                return _ENDED_EARLY
            start = self.position
            self._advance(count)
            self._start_job(buffer[:count], start)

    async def _buffer(self) -> memoryview:
        """Return a buffer for the next bytes of the part."""
        most = max(_FEW, _MANY // len(self._active)) if self._parts else _FEW
        if self._free.empty() and self._buffers < most:
            self._free.put_nowait(memoryview(bytearray(CHUNK)))
            self._buffers += 1
        buffer = await self._free.get()
        self._raise_error()
        return memoryview(buffer.obj)[: self._part_size - self.position % self._part_size]

    def _start_job(self, data: memoryview, position: int) -> None:
        number, offset = divmod(position, self._part_size)
        checksum = self._parts.part(number) if self._parts else self._check.hash
        self._last = asyncio.create_task(self._job(self._last if offset else None, data, position, checksum))
        self._jobs.add(self._last)
        self._last.add_done_callback(self._jobs.discard)

    async def _job(
        self, before: asyncio.Task[None] | None, data: memoryview, position: int, checksum: Hash
    ) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            self._raise_error()
            await in_worker(_write, self._descriptor, data, position, checksum)
        except Exception as error:  # noqa: BLE001  # `_raise_error` raises it where the object is received
            self._error = self._error or error
        self._free.put_nowait(data)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error


def _write(descriptor: int, data: memoryview, position: int, checksum: Hash) -> None:
    """Write and hash all of the data; one `os.pwrite` may write less, as on a disk that is nearly full."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], position + written)
    checksum.update(data)
