"""The worker: every chunk that appears is taken through both stages. Runs as identity `pipeline`."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.storage import BUCKET_IN, ObjectInfo, StoreUnreachableError, list_objects
from examples.pipeline import database
from examples.pipeline.database import Connection, connected
from examples.pipeline.detect import detect
from examples.pipeline.errors import PipelineError, UnreachableError, UsageError
from examples.pipeline.extract import extract_frames, timeline_of

#: Seconds between two looks at the bucket.
_PAUSE = 2.0
Say = Callable[[str], None]


def work_once(say: Say) -> int:
    """Take every chunk through the stages that it has not been through; the number of chunks that failed.

    A chunk that gives no frames is recorded as failed, said, and left alone from then on; the others go on.

    Raises:
        StorageError, OSError, UnreachableError: as the stages.
    """
    failed = 0
    with connected() as connection:
        for chunk in list_objects(BUCKET_IN, "chunks/"):
            if not _is_settled(connection, timeline_of(chunk)):
                failed += not _tried(connection, chunk, say)
    return failed


def work(say: Say) -> None:
    """`work_once`, again and again; what cannot be reached is waited for."""
    last = ""
    while True:
        try:
            work_once(say)
            last = ""
        except (StoreUnreachableError, UnreachableError) as error:
            if str(error) != last:
                last = str(error)
                say(f"waiting: {last}")
        time.sleep(_PAUSE)


def _is_settled(connection: Connection, timeline_id: str) -> bool:
    extracted = database.checkpoint(connection, "extract", timeline_id)
    detected = database.checkpoint(connection, "detect", timeline_id)
    return bool(extracted and extracted.state == "failed") or bool(detected and detected.state == "done")


def _tried(connection: Connection, chunk: ObjectInfo, say: Say) -> bool:
    began = time.perf_counter()
    try:
        found = extract_frames(connection, chunk)
    except (UsageError, UnreachableError):
        raise
    except PipelineError as error:
        say(f"failed: {error}")
        return False
    extracted = time.perf_counter()
    # The first job of a timeline has its name, so that a worker which was killed goes on with it.
    detect(connection, found.timeline_id, found.timeline_id)
    how = "decoded" if found.decoded else "from the cache"
    took = f"{extracted - began:.2f} s, detection {time.perf_counter() - extracted:.2f} s"
    say(f"{found.timeline_id}: {found.frames} frames {how} in {took}")
    return True
