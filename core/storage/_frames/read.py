"""Fetching cached frames: each is the one that the manifest names, whatever the store's ETags are."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from core.storage._errors import IntegrityError, ObjectNotFoundError
from core.storage._frames.manifest import CachedFrame, FrameManifest
from core.storage._objects import ObjectInfo
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.atomic_file import check_target, replacing, sweep
from core.storage._transfer.bulk import WORKERS, Bulk, CancelledError, Counter
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

    def frame(self, frame: CachedFrame, counter: Counter) -> TransferResult[CachedFrame]:
        path = f"{self._folder}/{frame.name}"
        try:
            if _is_file_of(frame, path):
                return TransferResult(frame, Path(path), skipped=True)
            with replacing(path, durable=False) as file:
                info = fetch(self._bucket, frame.key, file, counter.share(), counter.settings())
                self._must_be(frame, info, file)
        except CancelledError:
            raise
        except ObjectNotFoundError as error:
            return TransferResult(frame, Path(path), error=self._gone(frame, error))
        except Exception as error:  # noqa: BLE001  # whatever it is: every item has a result
            return TransferResult(frame, Path(path), error=error)
        return TransferResult(frame, Path(path), info)

    def _must_be(self, frame: CachedFrame, info: ObjectInfo, file: BinaryIO) -> None:
        if info.size == frame.size and (proven_md5(info) or _md5_of(file)) == frame.md5:
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


def _is_file_of(frame: CachedFrame, path: str) -> bool:
    try:
        return os.stat(path).st_size == frame.size and md5_of(path) == frame.md5
    except OSError:
        return False


def _md5_of(file: BinaryIO) -> str:
    """Of a file that is open for writing alone, as far as Python knows."""
    file.seek(0)
    return md5_of(os.dup(file.fileno()))
