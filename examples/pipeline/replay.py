"""Detection once more, on cached frames: no video is fetched and nothing decoded. Runs as identity `pipeline`."""

from __future__ import annotations

import uuid

from core.storage.keys import ManifestKey
from examples.pipeline import difference
from examples.pipeline.database import Connection
from examples.pipeline.detect import detect


def replay(
    connection: Connection, timeline_id: str, *, threshold: int = difference.THRESHOLD, job_id: str | None = None
) -> str:
    """Run the detection as a new job, or go on with one that ended early; its id.

    Raises:
        LayoutError: one of the identifiers cannot be part of a key.
        PipelineError, StorageError, OSError: as `detect`.
    """
    ManifestKey(timeline_id)
    job_id = job_id or uuid.uuid4().hex
    detect(connection, timeline_id, job_id, threshold)
    return job_id
