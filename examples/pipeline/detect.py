"""The second stage: what moves in the frames of a timeline. Runs as identity `pipeline`, on cached frames alone.

Overlays are uploaded in batches, and each batch is recorded when the store has all of it. A job that was killed
goes on from its last batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.storage import BUCKET_OUT, CachedFrame, FrameCache, FrameManifest, ObjectNotFoundError, upload_many
from core.storage.keys import ManifestKey, OverlayKey
from examples.pipeline import database, difference
from examples.pipeline.database import Checkpoint, Connection, Output
from examples.pipeline.errors import PipelineError, UsageError
from examples.pipeline.workspace import workspace

#: Frames of one batch: what is done twice after a kill, at most.
BATCH = 8


@dataclass(frozen=True)
class _Frame:
    cached: CachedFrame
    file: Path
    before: Path | None


def detect(connection: Connection, timeline_id: str, job_id: str, threshold: int = difference.THRESHOLD) -> int:
    """Draw what moves in the frames of a timeline, up to the last; the number of frames.

    A job that ended early goes on, with the threshold that it began with; one that is done is left as it is.

    Raises:
        PipelineError: the timeline has no frames yet.
        UsageError: the job is one of another timeline.
        StorageError, OSError: as `FrameCache.get` and `upload_file`.
    """
    cache = FrameCache(timeline_id)
    try:
        manifest = cache.manifest()
    except ObjectNotFoundError as error:
        raise PipelineError(
            f"timeline {timeline_id} has no cached frames: `python -m examples.pipeline extract <key>` makes them"
        ) from error
    reached = _reached(connection, manifest, job_id, threshold)
    if not _is_unfinished(reached):
        return len(manifest.frames)
    database.record(connection, reached)
    with workspace() as folder:
        files = cache.get(folder)
        frames = list(map(_Frame, manifest.frames, files, [None, *files[:-1]]))
        while _is_unfinished(reached):
            reached = _batch(connection, reached, frames, folder)
    return len(frames)


def _is_unfinished(reached: Checkpoint) -> bool:
    return reached.state != "done"


def _reached(connection: Connection, manifest: FrameManifest, job_id: str, threshold: int) -> Checkpoint:
    timeline_id = manifest.timeline_id
    found = database.checkpoint(connection, "detect", job_id)
    if found is not None and found.timeline_id != timeline_id:
        raise UsageError(f"job {job_id} is one of timeline {found.timeline_id}: choose another name")
    if found is not None and found.detail["run"] == manifest.run:
        return found
    if found is not None:  # its rows point to frames that were discarded since
        database.forget(connection, found)
    detail = {"run": manifest.run, "threshold": threshold, "frames": len(manifest.frames), "done": 0}
    return Checkpoint("detect", job_id, timeline_id, ManifestKey(timeline_id).key, "running", detail)


def _batch(connection: Connection, reached: Checkpoint, frames: Sequence[_Frame], folder: Path) -> Checkpoint:
    """Do the next batch: objects first, then the rows that point to them."""
    start = reached.detail["done"]
    batch = frames[start : start + BATCH]
    made = [_drawn(frame, reached, folder) for frame in batch]
    for result in upload_many([(folder / Path(one.key).name, BUCKET_OUT, one.key) for one in made]):
        if result.error:
            raise result.error
    done = start + len(batch)
    state: database.State = "done" if done == len(frames) else "running"
    now = replace(reached, state=state, detail=reached.detail | {"done": done})
    database.record(connection, now, made)
    return now


def _drawn(frame: _Frame, reached: Checkpoint, folder: Path) -> Output:
    before = difference.grey(frame.before) if frame.before else None
    found = difference.motion(before, difference.grey(frame.file), reached.detail["threshold"])
    overlay = OverlayKey(reached.job_id, frame.cached.index, ".png")
    difference.draw(found, folder / overlay.name)
    # The largest boxes; a frame in which everything flickers must not outgrow its row.
    boxes = sorted(found.boxes, key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))[:50]
    return Output(overlay.key, frame.cached.key, {"boxes": boxes, "share": found.share})
