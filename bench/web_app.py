"""A FastAPI application with the endpoints GET and PUT of one object, the same for each client but for its calls.

    python -m bench.web_app <client> <job as JSON> <file descriptor of a listening socket>

serves it with one worker of uvicorn. `bench.web` starts it, for aioboto3 in the environment of s3fs, because
aioboto3 needs another botocore.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any, NamedTuple

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from bench.job import CONNECTIONS, REGION, Job
from bench.usage import cpu_seconds, peak_mib

#: A connection to the store for each connection to the application, and the checksums of "boto3, tuned": boto3 and
#: aioboto3 are not faster with the defaults.
_CONFIG: dict[str, Any] = {
    "max_pool_connections": CONNECTIONS,
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


class Client(NamedTuple):
    """How the application reads and writes an object, by its key."""

    get: Callable[[str], Awaitable[bytes]]
    put: Callable[[str, bytes], Awaitable[object]]


#: Open a client for the lifespan of the application.
OpenClient = Callable[[Job], AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def core_storage_aio(job: Job) -> AsyncIterator[Client]:
    from core.storage import aio

    yield Client(
        lambda key: aio.download_bytes(job.source, key), lambda key, data: aio.upload_bytes(data, job.uploads, key)
    )


@asynccontextmanager
async def aioboto3(job: Job) -> AsyncIterator[Client]:
    """Use one client for all requests (https://aioboto3.readthedocs.io/en/latest/usage.html)."""
    # Not installed where types are checked.
    session: Any = import_module("aioboto3").Session()
    config: Any = import_module("aiobotocore.config").AioConfig(**_CONFIG)
    async with session.client("s3", endpoint_url=job.endpoint, region_name=REGION, config=config) as client:

        async def get(key: str) -> bytes:
            response = await client.get_object(Bucket=job.source, Key=key)
            async with response["Body"] as body:
                content: bytes = await body.read()
                return content

        yield Client(get, lambda key, data: client.put_object(Bucket=job.uploads, Key=key, Body=data))


@asynccontextmanager
async def boto3_threads(job: Job) -> AsyncIterator[Client]:
    """Use boto3 in the threads in which FastAPI calls endpoints that are no coroutines."""
    import boto3
    from botocore.config import Config

    client = boto3.client("s3", endpoint_url=job.endpoint, region_name=REGION, config=Config(**_CONFIG))

    def get(key: str) -> bytes:
        return client.get_object(Bucket=job.source, Key=key)["Body"].read()

    def put(key: str, data: bytes) -> None:
        client.put_object(Bucket=job.uploads, Key=key, Body=data)

    yield Client(lambda key: run_in_threadpool(get, key), lambda key, data: run_in_threadpool(put, key, data))


CLIENTS: Mapping[str, OpenClient] = {
    "core.storage.aio": core_storage_aio,
    "aioboto3": aioboto3,
    "boto3, threads": boto3_threads,
}


def application(job: Job, open_client: OpenClient) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Client]]:
        async with open_client(job) as client:
            yield {"client": client}

    app = FastAPI(lifespan=lifespan)
    keys = job.names()

    @app.get("/objects/{number}")
    async def get(number: int, request: Request) -> Response:
        client: Client = request.state.client
        return Response(await client.get(keys[number]))

    @app.put("/objects/{number}", status_code=204)
    async def put(number: int, request: Request) -> None:
        client: Client = request.state.client
        await client.put(job.prefix + keys[number], await request.body())

    @app.get("/usage")
    async def usage() -> dict[str, float]:
        return {"cpu": cpu_seconds(), "mib": peak_mib()}

    return app


def main(clients: Mapping[str, OpenClient]) -> None:
    client, text, descriptor = sys.argv[1:]
    app = application(Job.from_json(text), clients[client])
    # uvicorn would take other implementations of the event loop and of HTTP if they were installed.
    config = uvicorn.Config(app, loop="asyncio", http="h11", log_level="warning", access_log=False)
    with socket.socket(fileno=int(descriptor)) as listener:
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(CLIENTS)
