"""The file that the bytes of a download go to, and their running hash."""

from __future__ import annotations

import os

from core.storage._http.framing import Response
from core.storage._progress import Report
from core.storage._transfer.atomic_file import check_space, write_at
from core.storage._transfer.checksums import Check
from core.storage._transfer.parallel_file import ParallelFile
from core.storage._transfer.source import Source

#: Bytes from which on an object is written and hashed in worker threads, and gained between two faults for the
#: first to be forgotten.
CHUNK = 1024 * 1024


def new_sink(descriptor: int, source: Source, report: Report) -> Sink:
    """Return the sink for an object of this size.

    Raises:
        OSError: the file system has no room for it.
    """
    if source.size <= CHUNK:  # that there is no room is found out as fast by writing it
        return Sink(descriptor, source, report)
    check_space(descriptor, source.size)
    return LargeSink(descriptor, source, report)


class Sink:
    """Writes and hashes bytes where they arrive: the way for small objects."""

    def __init__(self, descriptor: int, source: Source, report: Report) -> None:
        self._descriptor = descriptor
        self._source = source
        self._report = report
        self._furthest = 0
        self.gained = 0
        self._begin()

    async def restart(self) -> None:
        """Forget everything: the next byte is the object's first."""
        await self.close()
        os.ftruncate(self._descriptor, 0)
        self._begin()

    async def checked(self) -> Check:
        """Return the check that the bytes have passed.

        Raises:
            IntegrityError: they have not.
        """
        if not self._check.holds():
            raise self._source.damaged(self._check.verified_by)
        return self._check

    async def close(self) -> None:
        """Wait for the worker threads that use the file."""

    async def drain(self, response: Response) -> Exception | None:
        """Take in the body. None when the object is whole, otherwise why it broke off."""
        cause = await self._read(response)
        # Bytes that arrived before, and again after a restart, are no progress.
        self.gained = max(0, self.position - self._furthest)
        self._furthest += self.gained
        return None if self.position == self._source.size else cause

    def _begin(self) -> None:
        self.position = 0
        self._check = self._source.check()

    async def _read(self, response: Response) -> Exception:
        while True:
            try:
                piece = await response.piece()
            except OSError as error:
                return error
            if not piece:
                return EOFError("the body ended early")
            start = self.position
            self._advance(len(piece))
            write_at(self._descriptor, piece, start)
            self._check.hash.update(piece)

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > self._source.size:
            raise self._source.oversized()
        self._report.reached(self.position)


class LargeSink(Sink):
    """Has worker threads write and hash the bytes, while the next ones are received."""

    _parallel: ParallelFile

    def _begin(self) -> None:
        super()._begin()
        self._parallel = ParallelFile(self._descriptor, self._check)

    async def checked(self) -> Check:
        await self._parallel.finish()
        return await super().checked()

    async def close(self) -> None:
        await self._parallel.stop()

    async def _read(self, response: Response) -> Exception:
        while True:
            buffer = await self._parallel.free_buffer(self.position)
            count = 0
            try:
                count = await response.into(buffer)
            except OSError as error:
                return error
            finally:
                if not count:
                    self._parallel.give_back(buffer)
            if not count:
                return EOFError("the body ended early")
            start = self.position
            self._advance(count)
            self._parallel.write(buffer, count, start)
