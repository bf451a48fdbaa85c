"""The uploader: a video becomes chunks in the bucket `in`. Runs as identity `ingest`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from core.storage import BUCKET_IN, upload_many
from core.storage.keys import ChunkKey
from examples.pipeline import video
from examples.pipeline.errors import UsageError
from examples.pipeline.workspace import workspace


def upload(path: Path, day: dt.date) -> list[str]:
    """Cut the video and upload what is not there yet; the keys of its chunks, in order.

    Raises:
        UsageError: there is no such file.
        PipelineError: it is no video.
        StorageError, OSError: as `upload_file`, for the first chunk that fails.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    with workspace() as folder:
        chunks = [(file, BUCKET_IN, ChunkKey(day, file.name).key) for file in video.cut(path, folder)]
        for result in upload_many(chunks, resume=True):
            if result.error:
                raise result.error
    return [key for _, _, key in chunks]
