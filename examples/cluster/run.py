"""The extraction of a day on a Dask cluster: one task for each chunk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster, as_completed

from core.storage import BUCKET_IN, list_objects
from core.storage.keys import ManifestKey
from examples.pipeline.errors import PipelineError, UnreachableError
from examples.pipeline.extract import Extraction, cache_frames, timeline_of

#: Seconds for the first contact with a scheduler.
_CONTACT = 10

Say = Callable[[str], None]


def run(day: dt.date, say: Say, *, scheduler: str | None = None, workers: int = 2) -> int:
    """Extract the frames of all chunks of a day; the exit code: 1 if a chunk failed.

    The work is partitioned by listing: one task for each chunk, whose key names the content of the chunk. Dask
    gives the tasks of a worker that is killed to the others; `FrameCache` has no frame decoded twice, and takes
    no partial run for a cache. Results are object keys, not frames.

    Raises:
        PipelineError: there is no chunk of that day, or no scheduler.
        StorageError: the chunks cannot be listed.
    """
    chunks = list(list_objects(BUCKET_IN, f"chunks/{day.isoformat()}/"))
    if not chunks:
        raise PipelineError(
            f"there is no chunk of {day} in {BUCKET_IN}: upload one with `python -m examples.pipeline upload`"
        )
    failed = 0
    with _client(scheduler, workers) as client:
        say(f"progress of {len(chunks)} chunks: {client.dashboard_link}")
        keys = [f"extract-{timeline_of(chunk)}" for chunk in chunks]
        futures = client.map(cache_frames, chunks, key=keys)
        for future in as_completed(futures):
            if future.status == "finished":
                say(_sentence(future.result()))
            else:
                failed += 1
                say(f"failed: {future.key}: {future.exception()}")
    return 1 if failed else 0


def _sentence(extraction: Extraction) -> str:
    how = "decoded" if extraction.decoded else "from the cache"
    return f"{ManifestKey(extraction.timeline_id).key}: {extraction.frames} frames {how}"


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Client]:
    """Connect to a scheduler, or start worker processes on this machine, which end with the block."""
    if scheduler is None:
        # Processes, because decoding takes a core, and one thread in each.
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=_CONTACT)
    except (OSError, TimeoutError) as error:
        raise UnreachableError(f"no Dask scheduler at {scheduler} ({error}): is it running?") from error
    with client:
        yield client
