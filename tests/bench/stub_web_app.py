"""Applications that do not do their work, started by the benchmark as it starts the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from bench.job import Job
from bench.web_app import Client, boto3_threads, main


@asynccontextmanager
async def idle(job: Job) -> AsyncIterator[Client]:
    async def put(key: str, data: bytes) -> None:
        pass

    async with boto3_threads(job) as client:
        yield client._replace(put=put)


@asynccontextmanager
async def wrong_byte(job: Job) -> AsyncIterator[Client]:
    async with boto3_threads(job) as client:

        async def get(key: str) -> bytes:
            content = bytearray(await client.get(key))
            content[-1] ^= 1
            return bytes(content)

        async def put(key: str, data: bytes) -> None:
            await client.put(key, b"x" + data[1:])

        yield Client(get, put)


@asynccontextmanager
async def failing(job: Job) -> AsyncIterator[Client]:
    """Fail for one object, of which the load generator learns by the status of the response."""
    async with boto3_threads(job) as client:

        async def get(key: str) -> bytes:
            if key == job.names()[2]:
                raise OSError(f"cannot open {job.file(key)}")
            return await client.get(key)

        yield client._replace(get=get)


def not_starting(_: Job) -> AbstractAsyncContextManager[Client]:
    raise OSError("no memory is left")


if __name__ == "__main__":
    main(
        {
            "honest": boto3_threads,
            "idle": idle,
            "wrong byte": wrong_byte,
            "failing": failing,
            "not starting": not_starting,
        }
    )
