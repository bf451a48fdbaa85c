"""aiobotocore, the asyncio client below aioboto3, in the environment of s3fs, with the botocore that it needs.

    python -m bench.async_botocore <work> <job as JSON>

It measures itself as `bench.clients` does, because the start of its process is no part of the work.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from importlib import import_module
from typing import Any

from bench.job import REGION, WORKERS, Job, digests
from bench.usage import cpu_seconds, peak_mib


async def main() -> None:
    """Do the work once and print what it cost."""
    # Not installed where types are checked.
    new_config: Any = import_module("aiobotocore.config").AioConfig
    session: Any = import_module("aiobotocore.session").get_session()
    work, job = sys.argv[1], Job.from_json(sys.argv[2])
    config = new_config(
        max_pool_connections=WORKERS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    keys = {name: os.environ[f"AWS_{name.upper()}"] for name in ("access_key_id", "secret_access_key")}
    contents = job.contents()
    found: dict[str, bytes] = {}
    names = iter(job.names())
    async with session.create_client(
        "s3",
        endpoint_url=job.endpoint,
        region_name=REGION,
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        config=config,
    ) as client:

        async def serve() -> None:
            for name in names:
                if work == "many down, memory":
                    response = await client.get_object(Bucket=job.source, Key=name)
                    async with response["Body"] as body:
                        found[name] = await body.read()
                else:
                    await client.put_object(Bucket=job.uploads, Key=job.prefix + name, Body=contents[name])

        cpu, start = cpu_seconds(), time.perf_counter()
        await asyncio.gather(*(serve() for _ in range(WORKERS)))
        wall, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    print(json.dumps({"wall": wall, "cpu": cpu, "mib": peak_mib(), "digests": digests(found) if found else None}))


if __name__ == "__main__":
    asyncio.run(main())
