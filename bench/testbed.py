"""The store, the objects and the files that clients are compared with."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.job import BIG, MANY, MIB, Job, Sizes, names
from bench.store import boto3_client, environment


@dataclass(frozen=True)
class Testbed:
    """A running store with the objects to download, and the files to upload."""

    #: The endpoint that the clients use, and the one over http by which the benchmark verifies.
    endpoint: str
    plain: str
    authority: Path | None
    #: Folder of the files to upload.
    files: Path
    source: str
    sizes: Sizes
    #: The command of a client process; tests replace it.
    command: tuple[str, ...] = (sys.executable, "-m", "bench.clients")

    @property
    def scheme(self) -> str:
        return self.endpoint.partition(":")[0]

    def job(self, *, prefix: str = "", uploads: str = "", target: str = "") -> Job:
        return Job(self.endpoint, self.source, uploads, prefix, str(self.files), target, self.sizes.objects)

    def variables(self) -> dict[str, str]:
        """Return the environment variables of a client process."""
        return environment(self.endpoint, self.authority)


def create_files(folder: Path, wanted: Sizes) -> Path:
    """Write the files to upload."""
    (folder / MANY).mkdir(parents=True)
    for name in names(wanted.objects):
        (folder / name).write_bytes(os.urandom(wanted.object_bytes))
    with (folder / BIG).open("wb") as file:
        for _ in range(wanted.big_bytes // MIB):
            file.write(os.urandom(MIB))
    return folder


def fill(testbed: Testbed) -> None:
    """Create the source bucket with the objects to download and to list."""
    boto3_client(testbed.plain).create_bucket(Bucket=testbed.source)
    command = [sys.executable, "-m", "bench.fill", testbed.job().to_json(), str(testbed.sizes.keys)]
    subprocess.run(command, env=testbed.variables(), check=True)


@contextmanager
def temporary_bucket(testbed: Testbed) -> Iterator[str]:
    """Yield a new bucket. SeaweedFS deletes a bucket with its objects, and frees their memory at once."""
    client, bucket = boto3_client(testbed.plain), f"bench-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    try:
        # The first object makes SeaweedFS create the bucket's volumes.
        client.put_object(Bucket=bucket, Key="first", Body=b"x")
        client.delete_object(Bucket=bucket, Key="first")
        yield bucket
    finally:
        client.delete_bucket(Bucket=bucket)
