"""Python libraries as clients: the same work, each as its own documentation writes it."""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import shutil
import ssl
import urllib.request
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from bench.job import BIG, LISTED, MIB, REGION, WORKERS, Cases, Job


def in_threads(work: Callable[[str], object], items: Iterable[str]) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, items))


async def in_tasks(work: Callable[[str], Coroutine[Any, Any, Any]], items: Iterable[str]) -> dict[str, Any]:
    """Run coroutines, `WORKERS` at a time, and return what they return by item."""
    found: dict[str, Any] = {}
    left = iter(items)

    async def serve() -> None:
        for item in left:
            found[item] = await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(serve())
    return found


def core_storage(job: Job) -> Cases:
    import core.storage as library

    # Its first call imports these modules, and imports are outside the measured time for every library.
    for module in pkgutil.walk_packages(library.__path__, f"{library.__name__}."):
        inner = module.name.split(".")[2]
        if inner.startswith("_") and inner not in {"__main__", "_testing"}:
            importlib.import_module(module.name)

    def results(transfers: Iterable[Any]) -> None:
        for result in transfers:
            if result.error:
                raise result.error

    def download(_: Job) -> None:
        objects = ((job.source, name) for name in job.names())
        results(library.download_many(objects, job.target, workers=WORKERS))

    def upload(_: Job) -> None:
        files = ((job.file(name), job.uploads, job.prefix + name) for name in job.names())
        results(library.upload_many(files, workers=WORKERS))

    contents = job.contents()

    def download_to_memory(_: Job) -> dict[str, bytes]:
        objects = ((job.source, name) for name in job.names())
        found = {result.item[1]: result.data for result in library.download_many(objects, None, workers=WORKERS)}
        return {name: data for name, data in found.items() if data is not None}

    def upload_from_memory(_: Job) -> None:
        items = ((data, job.uploads, job.prefix + name) for name, data in contents.items())
        results(library.upload_many(items, workers=WORKERS))

    return {
        "many down": download,
        "many up": upload,
        "many down, memory": download_to_memory,
        "many up, memory": upload_from_memory,
        "big down": lambda _: library.download_file(job.source, job.big, job.into(job.big)),
        "big up": lambda _: library.upload_file(job.file(BIG), job.uploads, job.prefix + BIG),
        "list": lambda _: sum(1 for _ in library.list_objects(job.source, LISTED)),
    }


def core_storage_aio(job: Job) -> Cases:
    from core.storage import aio as library

    contents = job.contents()

    async def download() -> dict[str, bytes]:
        objects = ((job.source, name) for name in job.names())
        results = library.download_many(objects, None, workers=WORKERS)
        return {one.item[1]: one.data async for one in results if one.data is not None}

    async def upload() -> None:
        items = ((data, job.uploads, job.prefix + name) for name, data in contents.items())
        async for result in library.upload_many(items, workers=WORKERS):
            if result.error:
                raise result.error

    return {
        "many down, memory": lambda _: asyncio.run(download()),
        "many up, memory": lambda _: asyncio.run(upload()),
    }


def boto3(job: Job) -> Cases:
    import boto3 as library

    client: Any = library.client("s3", endpoint_url=job.endpoint, region_name=REGION)

    def listing(_: Job) -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=job.source, Prefix=LISTED)
        return sum(1 for page in pages for _ in page["Contents"])

    return {
        "many down": lambda _: in_threads(
            lambda name: client.download_file(job.source, name, str(job.into(name))), job.names()
        ),
        "many up": lambda _: in_threads(
            lambda name: client.upload_file(str(job.file(name)), job.uploads, job.prefix + name), job.names()
        ),
        "big down": lambda _: client.download_file(job.source, job.big, str(job.into(job.big))),
        "big up": lambda _: client.upload_file(str(job.file(BIG)), job.uploads, job.prefix + BIG),
        "list": listing,
    }


def boto3_tuned(job: Job) -> Cases:
    """Use boto3 with the settings that measure best: no checksums, no transfer manager for small objects."""
    import boto3 as library
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    config = Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=WORKERS,
    )
    client: Any = library.client("s3", endpoint_url=job.endpoint, region_name=REGION, config=config)
    big = TransferConfig(
        multipart_threshold=32 * MIB, multipart_chunksize=32 * MIB, max_concurrency=4, io_chunksize=MIB
    )

    def get(name: str) -> None:
        job.into(name).write_bytes(client.get_object(Bucket=job.source, Key=name)["Body"].read())

    def put(name: str) -> None:
        client.put_object(Bucket=job.uploads, Key=job.prefix + name, Body=job.file(name).read_bytes())

    return {
        "many down": lambda _: in_threads(get, job.names()),
        "many up": lambda _: in_threads(put, job.names()),
        "big down": lambda _: client.download_file(job.source, job.big, str(job.into(job.big)), Config=big),
        "big up": lambda _: client.upload_file(str(job.file(BIG)), job.uploads, job.prefix + BIG, Config=big),
    }


def s3transfer(job: Job) -> Cases:
    """Use one transfer manager for all objects; boto3's `download_file` starts one for each."""
    import boto3 as library
    from s3transfer.manager import TransferConfig, TransferManager

    client = library.client("s3", endpoint_url=job.endpoint, region_name=REGION)

    def managed(submit: Callable[[Any, str], Any]) -> None:
        with TransferManager(client, TransferConfig(max_request_concurrency=WORKERS)) as manager:
            for future in [submit(manager, name) for name in job.names()]:
                future.result()

    return {
        "many down": lambda _: managed(
            lambda manager, name: manager.download(job.source, name, str(job.into(name)))
        ),
        "many up": lambda _: managed(
            lambda manager, name: manager.upload(str(job.file(name)), job.uploads, job.prefix + name)
        ),
    }


def obstore(job: Job) -> Cases:
    import obstore as library
    from obstore.store import S3Store

    # It has no setting for a certificate authority of one's own.
    tls: Any = {"allow_invalid_certificates": True} if job.endpoint.startswith("https") else {"allow_http": True}

    def open_bucket(name: str) -> S3Store:
        return S3Store(
            name,
            endpoint=job.endpoint,
            region=REGION,
            access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
            secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
            virtual_hosted_style_request=False,
            client_options=tls,
        )

    source, uploads = open_bucket(job.source), open_bucket(job.uploads)

    def get(name: str) -> None:
        job.into(name).write_bytes(library.get(source, name).bytes())

    def get_big(_: Job) -> None:
        with job.into(job.big).open("wb") as file:
            for chunk in library.get(source, job.big):
                file.write(chunk)

    contents = job.contents()

    def get_all(_: Job) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        in_threads(lambda name: found.update({name: library.get(source, name).bytes().to_bytes()}), job.names())
        return found

    async def get_async() -> dict[str, bytes]:
        async def one(name: str) -> bytes:
            return (await (await library.get_async(source, name)).bytes_async()).to_bytes()

        return await in_tasks(one, job.names())

    async def put_async() -> None:
        async def one(name: str) -> None:
            await library.put_async(uploads, job.prefix + name, contents[name])

        await in_tasks(one, job.names())

    return {
        "many down": lambda _: in_threads(get, job.names()),
        "many up": lambda _: in_threads(
            lambda name: library.put(uploads, job.prefix + name, job.file(name).read_bytes()), job.names()
        ),
        "many down, memory": get_all,
        "many up, memory": lambda _: in_threads(
            lambda name: library.put(uploads, job.prefix + name, contents[name]), job.names()
        ),
        "many down, memory, async": lambda _: asyncio.run(get_async()),
        "many up, memory, async": lambda _: asyncio.run(put_async()),
        "big down": get_big,
        "big up": lambda _: library.put(uploads, job.prefix + BIG, job.file(BIG)),
        "list": lambda _: sum(len(page) for page in library.list(source, LISTED)),
    }


def obstore_async(job: Job) -> Cases:
    """Use the coroutines of obstore, many at once."""
    cases = obstore(job)
    return {name: cases[f"{name}, async"] for name in ("many down, memory", "many up, memory")}


def minio(job: Job) -> Cases:
    import urllib3
    from minio import Minio

    client = Minio(
        endpoint=urlsplit(job.endpoint).netloc,
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        secure=job.endpoint.startswith("https"),
        region=REGION,
        http_client=urllib3.PoolManager(maxsize=WORKERS, ca_certs=os.environ.get("AWS_CA_BUNDLE")),
    )

    def get(name: str) -> None:
        client.fget_object(job.source, name, str(job.into(name)))

    def put(name: str) -> None:
        client.fput_object(job.uploads, job.prefix + name, str(job.file(name)))

    return {
        "many down": lambda _: in_threads(get, job.names()),
        "many up": lambda _: in_threads(put, job.names()),
        "big down": lambda _: get(job.big),
        "big up": lambda _: put(BIG),
        "list": lambda _: sum(1 for _ in client.list_objects(job.source, LISTED, recursive=True)),
    }


def plain_get(job: Job) -> Cases:
    """Copy one unverified GET to a file: the least that a Python program can do."""
    context = ssl.create_default_context() if job.endpoint.startswith("https") else None

    def get(_: Job) -> None:
        response = urllib.request.urlopen(job.get_url, context=context)
        with response, job.into(job.big).open("wb") as file:
            shutil.copyfileobj(response, file, MIB)

    return {"big down": get}


LIBRARIES: dict[str, Callable[[Job], Cases]] = {
    "core.storage": core_storage,
    "core.storage.aio": core_storage_aio,
    "boto3": boto3,
    "boto3, tuned": boto3_tuned,
    "s3transfer, one pool": s3transfer,
    "obstore": obstore,
    "obstore, async": obstore_async,
    "minio-py": minio,
    "plain GET": plain_get,
}
