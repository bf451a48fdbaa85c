"""Detection once more, on cached frames: no video is fetched and nothing decoded. Runs as identity `pipeline`."""

from __future__ import annotations

import uuid

from core.storage import LayoutError
from core.storage.keys import ManifestKey, OverlayKey
from examples.pipeline import difference
from examples.pipeline.database import Connection
from examples.pipeline.detect import detect
from examples.pipeline.errors import UsageError


def replay(
    connection: Connection, timeline_id: str, *, threshold: int = difference.THRESHOLD, job_id: str | None = None
) -> str:
    """Run the detection as a new job, or go on with one that ended early; its id.

    Raises:
        UsageError: one of the identifiers cannot be part of a key.
        PipelineError, StorageError, OSError: as `detect`.
    """
    job_id = job_id or uuid.uuid4().hex
    try:
        ManifestKey(timeline_id)
        OverlayKey(job_id, 0)
    except LayoutError as error:
        raise UsageError(str(error)) from error
    detect(connection, timeline_id, job_id, threshold)
    return job_id
