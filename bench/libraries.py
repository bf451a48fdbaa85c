"""Python libraries as clients: the same work, each as its own documentation writes it."""

from __future__ import annotations

import importlib
import os
import pkgutil
import shutil
import ssl
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from bench.job import BIG, LISTED, MIB, REGION, WORKERS, Cases, Job


def in_threads(work: Callable[[str], object], items: Iterable[str]) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, items))


def core_storage(job: Job) -> Cases:
    import core.storage as library

    # Its first call imports these modules, and imports are outside the measured time for every library.
    for module in pkgutil.walk_packages(library.__path__, f"{library.__name__}."):
        inner = module.name.split(".")[2]
        if inner.startswith("_") and inner != "__main__":
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

    return {
        "many down": download,
        "many up": upload,
        "big down": lambda _: library.download_file(job.source, job.big, job.into(job.big)),
        "big up": lambda _: library.upload_file(job.file(BIG), job.uploads, job.prefix + BIG),
        "list": lambda _: sum(1 for _ in library.list_objects(job.source, LISTED)),
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

    return {
        "many down": lambda _: in_threads(get, job.names()),
        "many up": lambda _: in_threads(
            lambda name: library.put(uploads, job.prefix + name, job.file(name).read_bytes()), job.names()
        ),
        "big down": get_big,
        "big up": lambda _: library.put(uploads, job.prefix + BIG, job.file(BIG)),
        "list": lambda _: sum(len(page) for page in library.list(source, LISTED)),
    }


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
    "boto3": boto3,
    "boto3, tuned": boto3_tuned,
    "s3transfer, one pool": s3transfer,
    "obstore": obstore,
    "minio-py": minio,
    "plain GET": plain_get,
}
