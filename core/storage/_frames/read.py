"""Fetching cached frames: each is the one that the manifest names, whatever the store's ETags are."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from core.storage._engine import in_worker
from core.storage._errors import IntegrityError, ObjectNotFoundError
from core.storage._frames.manifest import CachedFrame, FrameManifest
from core.storage._http.limits import WORKERS
from core.storage._objects import ObjectInfo
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.atomic_file import Replacement, check_target, sweep
from core.storage._transfer.bulk import Bulk
from core.storage._transfer.counter import Counter
from core.storage._transfer.download import fetch
from core.storage._transfer.unchanged import md5_of, proven_md5
from core.storage.settings import Settings

_ANEW = "`discard` the cache of the timeline and write its frames anew"


def download(
    manifest: FrameManifest,
    folder: str | os.PathLike[str],
    progress: Callable[[BulkProgress], object] | None,
    settings: Settings,
) -> list[Path]:
    """The frames as files in `folder`, in the order of their numbers; the first that fails ends it."""
    target = check_target(Path(folder, "x")).parent
    sweep(str(target))
    work = _Download(manifest.bucket, str(target)).frame
    with closing(Bulk(manifest.frames, work, WORKERS, progress, settings).run()) as results:
        for result in results:
            if result.error:
                raise result.error
    return [target / frame.name for frame in manifest.frames]


class _Download:
    """What the workers share."""

    def __init__(self, bucket: str, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder

    async def frame(self, frame: CachedFrame, counter: Counter) -> TransferResult[CachedFrame]:
        path = f"{self._folder}/{frame.name}"
        try:
            if await _is_file_of(frame, path):
                return TransferResult(frame, Path(path), skipped=True)
            async with Replacement(path, durable=False) as descriptor:
                info = await fetch(self._bucket, frame.key, descriptor, counter.report(), counter.settings())
                await self._must_be(frame, info, descriptor)
        except ObjectNotFoundError as error:
            return TransferResult(frame, Path(path), error=self._gone(frame, error))
        except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
            return TransferResult(frame, Path(path), error=error)
        return TransferResult(frame, Path(path), info)

    async def _must_be(self, frame: CachedFrame, info: ObjectInfo, descriptor: int) -> None:
        if info.size == frame.size and (proven_md5(info) or await in_worker(_md5_of, descriptor)) == frame.md5:
            return
        raise IntegrityError(
            f"{self._bucket}/{frame.key} is not the frame that the manifest names, it was replaced; {_ANEW}",
            bucket=self._bucket,
            key=frame.key,
            operation="GetObject",
        )

    def _gone(self, frame: CachedFrame, error: ObjectNotFoundError) -> ObjectNotFoundError:
        found = ObjectNotFoundError(
            f"{self._bucket}/{frame.key} is gone though the manifest names it; {_ANEW}",
            bucket=self._bucket,
            key=frame.key,
            operation=error.operation,
            code=error.code,
            request_id=error.request_id,
        )
        found.__cause__ = error
        return found


async def _is_file_of(frame: CachedFrame, path: str) -> bool:
    try:
        return os.stat(path).st_size == frame.size and await in_worker(md5_of, path) == frame.md5
    except OSError:
        return False


def _md5_of(descriptor: int) -> str:
    """Return the MD5 of the whole file, which stays open."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return md5_of(os.dup(descriptor))
