"""Write the frames of a timeline, each run into a folder of its own, and remove those that belong to no cache."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import cast

from core.storage._engine import iterate
from core.storage._errors import LayoutError, ObjectNotFoundError, StorageError
from core.storage._frames.manifest import CachedFrame, FrameManifest
from core.storage._frames.published import Timeline, publish, read
from core.storage._http.limits import WORKERS
from core.storage._http.request import Request, exchange
from core.storage._listing.list_objects import listed
from core.storage._listing.pages import pages
from core.storage._log import logger
from core.storage._objects import ObjectInfo
from core.storage._results import BulkProgress, TransferResult
from core.storage._transfer.bulk import Bulk, Counter
from core.storage._transfer.unchanged import md5_of, proven_md5
from core.storage._transfer.upload_many import uploads
from core.storage.keys import FrameKey, ManifestKey, parse

#: Seconds after its last frame for which a run may still be active. Stores refuse requests from a clock that is
#: 15 minutes off, so this machine's is good enough.
_LEFT_OVER = 24 * 3600
#: Seconds without a frame after which a run fails, long before `sweep` may remove its frames: a machine that slept
#: for days must not publish frames that are gone.
_SILENT = 12 * 3600

_File = str | os.PathLike[str]
_Report = Callable[[BulkProgress], object] | None


def write(timeline: Timeline, files: Iterable[_File], progress: _Report) -> FrameManifest:
    """Upload the frames and publish them; return the manifest of this run, or of one that was faster."""
    run = os.urandom(8).hex()
    folder = f"{ManifestKey(timeline.id).folder}{run}/"
    try:
        frames = _uploaded(timeline, run, files, progress)
    except Exception:  # not Ctrl-C: removing many takes time, and `sweep` does it
        _try_to_remove(timeline, folder)
        raise
    # From here on a failure removes nothing: the manifest may be written, and only the response lost.
    manifest, refused = publish(timeline, FrameManifest(timeline.bucket, timeline.id, run, frames))
    if refused and manifest.run != run:
        _try_to_remove(timeline, folder)
    return manifest


def sweep(timeline: Timeline) -> int:
    """Remove the frames of runs that were not published, and return the number of objects removed."""
    try:
        kept = read(timeline).run
    except ObjectNotFoundError:
        kept = ""
    root = ManifestKey(timeline.id).folder
    manifest = ManifestKey(timeline.id).key
    folders = []
    for page in iterate(pages(timeline.bucket, root, timeline.settings, delimiter="/")):
        if not kept and any(info.key == manifest for info in page.objects):
            raise StorageError(
                f"the store said that {timeline.bucket}/{manifest} does not exist, but lists it: nothing was "
                "removed, sweep again",
                bucket=timeline.bucket,
                key=manifest,
            )
        folders += [folder for folder in page.folders if folder != f"{root}{kept}/"]
    removed = 0
    for folder in folders:
        frames = list(_frames_in(timeline, folder))
        if frames and time.time() - max(info.last_modified.timestamp() for info in frames) >= _LEFT_OVER:
            removed += _remove(timeline, frames)
    return removed


def _uploaded(timeline: Timeline, run: str, files: Iterable[_File], progress: _Report) -> tuple[CachedFrame, ...]:
    """Upload the frames, and return them in the order of their numbers."""
    frames = []
    last = time.time()
    items = _items(timeline, run, files)
    with closing(uploads(items, progress=progress, settings=timeline.settings)) as results:
        for result in results:
            if result.error:
                raise result.error
            info = cast("ObjectInfo", result.info)
            # The ETag is no MD5 for an object that KMS encrypts, or that was uploaded in parts.
            frames.append(CachedFrame(info.key, info.size, proven_md5(info) or md5_of(result.item[0])))
            last = _still_in_time(last)
    _still_in_time(last)
    if not frames:
        raise ValueError(
            f"there are no frames of timeline {timeline.id} to write: a cache is written once, so an empty one is "
            "refused; check why no files were created"
        )
    return tuple(sorted(frames, key=lambda frame: frame.key))


def _items(timeline: Timeline, run: str, files: Iterable[_File]) -> Iterator[tuple[_File, str, str]]:
    seen: set[int] = set()
    for file in files:
        stem, suffix = os.path.splitext(os.path.basename(file))
        if not (stem.isascii() and stem.isdigit()):
            raise LayoutError(
                f"the file {os.fspath(file)} has no number for a name: call it 42.jpg or 00000042.jpg"
            )
        frame = FrameKey(timeline.id, int(stem), suffix.lower(), run)
        if frame.index in seen:
            raise LayoutError(f"there are two files for frame {frame.index}, one of them {os.fspath(file)}")
        seen.add(frame.index)
        yield file, timeline.bucket, frame.key


def _still_in_time(last: float) -> float:
    """Return the current time, if no `sweep` can have removed the frames that were uploaded before."""
    now = time.time()
    if now - last > _SILENT:
        raise StorageError(
            f"no frame was uploaded for {round((now - last) / 3600)} hours, and `sweep` may remove the frames of "
            "a run some time after its last one; nothing was published, write the frames again"
        )
    return now


def _try_to_remove(timeline: Timeline, folder: str) -> None:
    try:
        _remove(timeline, _frames_in(timeline, folder))
    except StorageError as error:
        message = "could not remove the frames of timeline %s that belong to no cache, `sweep` will: %s"
        logger.warning(message, timeline.id, error)


def _frames_in(timeline: Timeline, folder: str) -> Iterator[ObjectInfo]:
    """Yield the objects that a run has written into the folder, and no others."""
    for info in listed(timeline.bucket, folder, settings=timeline.settings):
        try:
            parse(info.key)
        except LayoutError:
            continue
        yield info


def _remove(timeline: Timeline, frames: Iterable[ObjectInfo]) -> int:
    with closing(Bulk(frames, _delete, WORKERS, None, timeline.settings).run()) as results:
        return sum(1 for _ in results)


async def _delete(info: ObjectInfo, counter: Counter) -> TransferResult[ObjectInfo]:
    await exchange(Request("DeleteObject", info.bucket, info.key), counter.settings())
    return TransferResult(info)
