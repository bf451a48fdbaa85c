"""Writing and hashing a large file in threads, several of its parts at once."""

from __future__ import annotations

import asyncio
from collections import deque

from core.storage._engine import in_worker
from core.storage._transfer.atomic_file import write_at
from core.storage._transfer.checksums import Check, Hash, PartsMd5

#: Bytes that a thread writes and hashes at once.
BUFFER = 1024 * 1024
#: Buffers of one file whose parts are hashed one after the other, and of all files that have several at once.
_FEW = 4
_MANY = 32


class ParallelFile:
    """Takes bytes in order, and gives them to threads: those of one part one after the other, parts at once.

    `stop` must be called at the end, and waits for the threads.
    """

    #: How many of them there are now.
    _active = 0

    def __init__(self, descriptor: int, check: Check) -> None:
        self._descriptor = descriptor
        self._parts = check.hash if isinstance(check.hash, PartsMd5) else None
        self._hash = check.hash
        self._free: deque[memoryview] = deque()
        self._created = 0
        #: The last job of the part that is received, and all jobs that have not ended.
        self._last: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._error: Exception | None = None
        self._stopped = False
        ParallelFile._active += 1

    async def free_buffer(self, position: int) -> memoryview:
        """Return a buffer for the bytes from `position` on, which ends where their part ends.

        Raises:
            OSError: the file cannot be written.
        """
        while not self._free and self._created >= self._most():
            self._changed.clear()
            await self._changed.wait()
        self._must_be_well()
        if self._free:
            buffer = self._free.pop()
        else:
            buffer = memoryview(bytearray(BUFFER))
            self._created += 1
        return buffer[: self._until_end_of_part(position)]

    def write(self, buffer: memoryview, count: int, position: int) -> None:
        """Have the first bytes of the buffer, which belong at `position`, written and hashed."""
        begins_part = bool(self._parts) and position % self._part_size() == 0
        before = None if begins_part else self._last
        part = self._parts.part(position // self._part_size()) if self._parts else self._hash
        self._last = asyncio.create_task(self._job(before, buffer, count, position, part))
        self._jobs.add(self._last)
        self._last.add_done_callback(self._jobs.discard)

    def give_back(self, buffer: memoryview) -> None:
        """Take back a buffer that is not in use any more."""
        self._free.append(memoryview(buffer.obj))
        self._changed.set()

    async def finish(self) -> None:
        """Wait until everything is written and hashed.

        Raises:
            OSError: the file cannot be written.
        """
        if self._jobs:
            await asyncio.wait(self._jobs)
        self._must_be_well()

    async def stop(self) -> None:
        """End the threads' work on the file."""
        if self._stopped:
            return
        self._stopped = True
        ParallelFile._active -= 1
        for job in self._jobs:
            job.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)

    async def _job(
        self, before: asyncio.Task[None] | None, buffer: memoryview, count: int, position: int, part: Hash
    ) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            self._must_be_well()
            await in_worker(_write, self._descriptor, buffer[:count], position, part)
        except Exception as error:  # noqa: BLE001  # `free_buffer` and `finish` raise it
            self._error = self._error or error
        self.give_back(buffer)

    def _must_be_well(self) -> None:
        if self._error is not None:
            raise self._error

    def _part_size(self) -> int:
        return self._parts.part_size if self._parts else 0

    def _until_end_of_part(self, position: int) -> int:
        size = self._part_size()
        return min(BUFFER, size - position % size) if size else BUFFER

    def _most(self) -> int:
        return max(_FEW, _MANY // ParallelFile._active) if self._parts else _FEW


def _write(descriptor: int, data: memoryview, position: int, part: Hash) -> None:
    write_at(descriptor, data, position)
    part.update(data)
