"""The first stage: the frames of a chunk, decoded once and kept. Runs as identity `pipeline`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.storage import BUCKET_IN, FrameCache, ObjectInfo, download_file, list_objects
from core.storage.keys import ChunkKey, ManifestKey, parse
from examples.pipeline import database, video
from examples.pipeline.database import Checkpoint, Connection, Output
from examples.pipeline.errors import PipelineError, UsageError
from examples.pipeline.workspace import workspace

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Extraction:
    """The frames of a chunk."""

    timeline_id: str
    frames: int
    #: False: an earlier run had made them, and nothing was decoded.
    decoded: bool


def find(key: str) -> ObjectInfo:
    """The chunk with this key.

    Raises:
        UsageError: this is no key of a chunk.
        PipelineError: there is none.
    """
    try:
        wrong = not isinstance(parse(key), ChunkKey)
    except ValueError:
        wrong = True
    if wrong:
        raise UsageError(f"{key!r} is no key of a chunk, such as chunks/2026-11-23/match-000.mp4")
    found = next((one for one in list_objects(BUCKET_IN, key, limit=1) if one.key == key), None)
    if found is None:
        raise PipelineError(f"there is no chunk {key}: upload it first (`python -m examples.pipeline upload`)")
    return found


def timeline_of(chunk: ObjectInfo) -> str:
    """The timeline that a chunk is: readable, and another one for every content.

    A chunk that is uploaded again under its old key gets frames of its own, not those of its predecessor.
    """
    name = _NOT_IN_AN_ID.sub("-", PurePosixPath(chunk.key).stem).strip("-")[:64] or "chunk"
    content = hashlib.sha256(f"{chunk.key} {chunk.etag}".encode())
    return f"{name}-{content.hexdigest()[:12]}"


def extract_frames(connection: Connection, chunk: ObjectInfo) -> Extraction:
    """Have the frames of a chunk in the cache, and rows that say so. Nothing is decoded twice.

    Raises:
        PipelineError: the chunk is no whole video; the rows say so, and no frame of it is kept.
        StorageError, OSError: as `FrameCache.write_once`.
    """
    try:
        extraction = cache_frames(chunk)
    except PipelineError as error:
        _record(connection, chunk, "failed", {"error": str(error)[:500]})
        raise
    count = {"frames": extraction.frames}
    _record(connection, chunk, "done", count, Output(ManifestKey(extraction.timeline_id).key, chunk.key, count))
    return extraction


def cache_frames(chunk: ObjectInfo) -> Extraction:
    """Have the frames of a chunk in the cache. Nothing is decoded twice, also by several processes at once.

    Raises:
        PipelineError: the chunk is no whole video, and no frame of it is kept.
        StorageError, OSError: as `FrameCache.write_once`.
    """
    timeline_id = timeline_of(chunk)
    decoded = False

    def decode() -> Sequence[Path]:
        nonlocal decoded
        decoded = True
        return _decoded(chunk, folder)

    with workspace() as folder:
        manifest = FrameCache(timeline_id).write_once(decode)
    return Extraction(timeline_id, len(manifest.frames), decoded)


def _decoded(chunk: ObjectInfo, folder: Path) -> Sequence[Path]:
    source = folder / f"chunk{PurePosixPath(chunk.key).suffix}"
    got = download_file(BUCKET_IN, chunk.key, source)
    if got.etag != chunk.etag:
        raise PipelineError(f"{chunk.key} was replaced meanwhile; run this again")
    pictures = folder / "frames"
    pictures.mkdir()
    try:
        return video.frames(source, pictures)
    except PipelineError as error:
        raise PipelineError(f"{chunk.key} gives no frames: {error}; upload it again") from error


def _record(
    connection: Connection, chunk: ObjectInfo, state: database.State, detail: dict[str, Any], *made: Output
) -> None:
    timeline_id = timeline_of(chunk)
    database.record(connection, Checkpoint("extract", timeline_id, timeline_id, chunk.key, state, detail), made)
