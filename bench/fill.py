"""Upload what the clients of `bench.transfers` download and list.

python -m bench.fill <job as JSON> <number of keys to list>
"""

from __future__ import annotations

import sys

from bench.job import BIG, HASHED, LISTED, Job
from bench.libraries import in_threads
from bench.store import boto3_client


def main() -> None:
    from core.storage import upload_file, upload_many

    job, keys = Job.from_json(sys.argv[1]), int(sys.argv[2])
    client = boto3_client(job.endpoint)
    for result in upload_many((job.file(name), job.source, name) for name in job.names()):
        if result.error:
            raise result.error
    client.upload_file(str(job.file(BIG)), job.source, BIG)
    upload_file(job.file(BIG), job.source, HASHED)
    listed = [f"{LISTED}{number // 500:02}/{number:05}" for number in range(keys)]
    in_threads(lambda key: client.put_object(Bucket=job.source, Key=key, Body=b"x"), listed)


if __name__ == "__main__":
    main()
