"""Writing the frames of a timeline: each run into a folder of its own, and what is no cache is removed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import cast

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
from core.storage._transfer.bulk import Bulk
from core.storage._transfer.counter import Counter
from core.storage._transfer.unchanged import md5_of, proven_md5
from core.storage._transfer.upload_many import uploads
from core.storage.keys import FrameKey, ManifestKey, parse

#: Seconds after its last frame for which a run is taken to be going on still. Stores refuse requests from a clock
#: that is 15 minutes off, so this machine's is good enough.
_LEFT_OVER = 24 * 3600
#: Seconds without a frame after which a run gives up, long before anybody may remove what it wrote: a machine that
#: slept for days must not publish frames that are gone.
_SILENT = 12 * 3600

_File = str | os.PathLike[str]
_Report = Callable[[BulkProgress], object] | None


def write(timeline: Timeline, files: Iterable[_File], progress: _Report) -> FrameManifest:
    """Upload the frames and publish them; what the timeline has then, by this run or a faster one."""
    run = os.urandom(8).hex()
    try:
        frames = _uploaded(timeline, run, files, progress)
    except Exception:  # not Ctrl-C: to remove much takes time, and `sweep` will
        _try_to_remove(timeline, run)
        raise
    # From here on a failure removes nothing: the manifest may be in place, and only the answer lost.
    found, refused = publish(timeline, FrameManifest(timeline.bucket, timeline.id, run, frames))
    if refused and found.run != run:
        _try_to_remove(timeline, run)
    return found


def sweep(timeline: Timeline) -> int:
    """Remove the frames of runs that came to nothing; the number of objects removed."""
    try:
        kept = read(timeline).run
    except ObjectNotFoundError:
        kept = ""
    folder = ManifestKey(timeline.id).folder
    found = [
        one for page in pages(timeline.bucket, folder, timeline.settings, delimiter="/") for one in page.folders
    ]
    runs = [one.removeprefix(folder).rstrip("/") for one in found]
    return sum(_remove_stale(timeline, run) for run in runs if run != kept)


def _uploaded(timeline: Timeline, run: str, files: Iterable[_File], progress: _Report) -> tuple[CachedFrame, ...]:
    """The frames, once the store has them all; in the order of their numbers."""
    frames = []
    last = time.time()
    items = _items(timeline, run, files)
    with closing(uploads(items, progress=progress, settings=timeline.settings)) as results:
        for result in results:
            if result.error:
                raise result.error
            frames.append(_cached(result))
            last = _still_in_time(last)
    _still_in_time(last)
    if not frames:
        raise ValueError(
            f"there are no frames of timeline {timeline.id} to write: a cache stays, so an empty one is refused; "
            "look why none were made"
        )
    return tuple(sorted(frames, key=lambda frame: frame.key))


def _items(
    timeline: Timeline, run: str, files: Iterable[_File]
) -> Iterator[tuple[str | os.PathLike[str], str, str]]:
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


def _cached(result: TransferResult[tuple[_File, str, str]]) -> CachedFrame:
    info = cast("ObjectInfo", result.info)
    # The store's ETag is no MD5 under a key of KMS, nor for a frame so large that it went in parts.
    return CachedFrame(info.key, info.size, proven_md5(info) or md5_of(result.item[0]))


def _still_in_time(last: float) -> float:
    """The time now, if what was uploaded before is still there for sure."""
    now = time.time()
    if now - last > _SILENT:
        raise StorageError(
            f"no frame was uploaded for {round((now - last) / 3600)} hours, and what a run left behind is removed "
            "some time after its last one; nothing was published, write the frames again"
        )
    return now


def _remove_stale(timeline: Timeline, run: str) -> int:
    found = list(_frames_of(timeline, run))
    if not found or time.time() - max(one.last_modified.timestamp() for one in found) < _LEFT_OVER:
        return 0
    return _remove(timeline, [one.key for one in found])


def _try_to_remove(timeline: Timeline, run: str) -> None:
    try:
        _remove(timeline, (one.key for one in _frames_of(timeline, run)))
    except StorageError as error:
        logger.warning("frames of timeline %s that are no cache are left to be swept: %s", timeline.id, error)


def _frames_of(timeline: Timeline, run: str) -> Iterator[ObjectInfo]:
    """The objects that a run has written, and nothing that anybody else has put beside them."""
    for one in listed(timeline.bucket, f"{ManifestKey(timeline.id).folder}{run}/", settings=timeline.settings):
        try:
            parse(one.key)
        except LayoutError:
            continue
        yield one


def _remove(timeline: Timeline, keys: Iterable[str]) -> int:
    removed = 0
    items = ((timeline.bucket, key) for key in keys)
    with closing(Bulk(items, _delete, WORKERS, None, timeline.settings).run()) as results:
        for result in results:
            if result.error:
                raise result.error
            removed += 1
    return removed


async def _delete(item: tuple[str, str], counter: Counter) -> TransferResult[tuple[str, str]]:
    try:
        await exchange(Request("DeleteObject", *item), counter.settings())
    except StorageError as error:
        return TransferResult(item, error=error)
    return TransferResult(item)
