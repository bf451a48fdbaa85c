"""Download cached frames, and verify each against the manifest, whatever the store's ETags are."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from core.storage._engine import in_worker
from core.storage._errors import IntegrityError, ObjectNotFoundError
from core.storage._frames.manifest import CachedFrame, FrameManifest
from core.storage._http.limits import WORKERS
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.atomic_file import Replacement, check_folder, sweep
from core.storage._transfer.bulk import Bulk, Counter
from core.storage._transfer.download import fetch
from core.storage._transfer.unchanged import md5_of, proven_md5
from core.storage.settings import Settings

_NEXT_STEP = "`discard` the cache of the timeline and write its frames again"


def download(
    manifest: FrameManifest,
    folder: str | os.PathLike[str],
    progress: Callable[[BulkProgress], object] | None,
    settings: Settings,
) -> list[Path]:
    """Download the frames to files in `folder`, and return their paths by number; the first failure ends it."""
    target = check_folder(folder)
    sweep(str(target))
    work = partial(_download, manifest.bucket, str(target))
    with closing(Bulk(manifest.frames, work, WORKERS, progress, settings).run()) as results:
        for result in results:
            if result.error:
                raise result.error
    return [target / frame.name for frame in manifest.frames]


async def _download(bucket: str, folder: str, frame: CachedFrame, counter: Counter) -> TransferResult[CachedFrame]:
    try:
        return await _downloaded(bucket, f"{folder}/{frame.name}", frame, counter)
    except ObjectNotFoundError as cause:
        missing = ObjectNotFoundError(
            f"{bucket}/{frame.key} does not exist, although the manifest names it; {_NEXT_STEP}",
            bucket=bucket,
            key=frame.key,
            operation=cause.operation,
            code=cause.code,
            request_id=cause.request_id,
        )
        missing.__cause__ = cause
        return TransferResult(frame, error=missing)
    except Exception as error:  # noqa: BLE001  # every item has a result
        return TransferResult(frame, error=error)


async def _downloaded(bucket: str, path: str, frame: CachedFrame, counter: Counter) -> TransferResult[CachedFrame]:
    with suppress(OSError):
        if os.stat(path).st_size == frame.size and await in_worker(md5_of, path) == frame.md5:
            return TransferResult(frame, skipped=True)
    async with Replacement(path, durable=False) as descriptor:
        info = await fetch(bucket, frame.key, descriptor, counter.report(), counter.settings())
        if info.size != frame.size or (proven_md5(info) or await in_worker(md5_of, descriptor)) != frame.md5:
            raise IntegrityError(
                f"{bucket}/{frame.key} is not the frame that the manifest names, it was replaced; {_NEXT_STEP}",
                bucket=bucket,
                key=frame.key,
                operation="GetObject",
            )
    return TransferResult(frame, info=info)
