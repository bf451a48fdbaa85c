"""Programs at full load: threads that upload, download and list without a pause, and what became of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.storage import StorageError, download_file, list_objects, upload_file


@dataclass
class Load:
    """What the threads saw."""

    #: Rounds by thread.
    done: list[int]
    errors: list[StorageError] = field(default_factory=list)


@contextmanager
def full_load(bucket: str, folder: Path, *, threads: int) -> Iterator[Load]:
    """Threads that use the bucket, with the settings of the environment, for as long as the block runs."""
    frame = folder / "frame"
    frame.write_bytes(b"frame" * 2000)
    load, over = Load([0] * threads), threading.Event()

    def work(number: int) -> None:
        while not over.is_set():
            try:
                upload_file(frame, bucket, f"{number}.jpg")
                download_file(bucket, f"{number}.jpg", folder / f"{number}.jpg")
                assert list(list_objects(bucket))
            except StorageError as error:
                load.errors.append(error)
            load.done[number] += 1

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for one in running:
        one.start()
    try:
        yield load
    finally:
        over.set()
        for one in running:
            one.join()
