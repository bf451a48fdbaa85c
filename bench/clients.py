"""The clients of `transfers.py`: the same work by this library and by its peers, each the way its users write it.

    python bench/clients.py <client> <case> <folder>

does one case and prints what it took as JSON. Where files come from and go to is the same folder for all. What a
library takes to be imported is left out, what a program takes to start is part of it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BUCKET = "bench"
#: The second of the big ones has a hash that can be checked: this library uploaded it.
MANY, BIG, HASHED, UP, BIG_UP = "many/", "big.bin", "hashed.bin", "up", "up.bin"
#: Objects at a time, for those who let that be chosen.
AT_ONCE = 16
ENDPOINT = os.environ.get("S3_ENDPOINT_URL", "")
REGION = "us-east-1"

Cases = dict[str, Callable[[Path], object]]


def each(work: Callable[[Any], object], items: Iterable[Any]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, items))


def keys() -> list[str]:
    return [f"{MANY}{number:05}.jpg" for number in range(int(os.environ["BENCH_OBJECTS"]))]


def targets(folder: Path) -> Path:
    (folder / "down" / MANY).mkdir(parents=True)
    return folder / "down"


def downloaded(folder: Path, get: Callable[[str, Path], object]) -> None:
    """Every object, into its place below a new folder."""
    down = targets(folder)
    each(lambda key: get(key, down), keys())


def ours() -> Cases:
    # Imported by the first call otherwise, which for the others is over by now.
    import core.storage._address
    import core.storage._multipart
    import core.storage._page
    import core.storage._sign  # noqa: F401
    from core.storage import download_file, download_many, list_objects, upload_file, upload_many

    def download(folder: Path) -> None:
        results = download_many(((BUCKET, key) for key in keys()), targets(folder), workers=AT_ONCE)
        assert all(one.info and one.info.verified_by == "md5" for one in results)

    def upload(folder: Path) -> None:
        items = ((folder / key, BUCKET, f"{UP}/{key}") for key in keys())
        assert all(one.ok for one in upload_many(items, workers=AT_ONCE))

    return {
        "many down": download,
        "many up": upload,
        "big down": lambda folder: download_file(BUCKET, BIG, folder / "down"),
        "big down, verified": lambda folder: download_file(BUCKET, HASHED, folder / "down"),
        "big up": lambda folder: upload_file(folder / BIG, BUCKET, BIG_UP),
        "list": lambda _: sum(1 for _ in list_objects(BUCKET, "list/")),
    }


def boto3_client() -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=ENDPOINT, region_name=REGION)


def boto3() -> Cases:
    client = boto3_client()

    def listed(_: Path) -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="list/")
        return sum(1 for page in pages for _ in page["Contents"])

    return {
        "many down": lambda folder: downloaded(
            folder, lambda key, down: client.download_file(BUCKET, key, str(down / key))
        ),
        "many up": lambda folder: each(
            lambda key: client.upload_file(str(folder / key), BUCKET, f"{UP}/{key}"), keys()
        ),
        "big down": lambda folder: client.download_file(BUCKET, BIG, str(folder / "down")),
        "big up": lambda folder: client.upload_file(str(folder / BIG), BUCKET, BIG_UP),
        "list": listed,
    }


def boto3_tuned() -> Cases:
    """As somebody who has measured writes it."""
    import boto3 as library
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    config = Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=AT_ONCE,
    )
    client = library.client("s3", endpoint_url=ENDPOINT, region_name=REGION, config=config)
    mib = 1024 * 1024
    big = TransferConfig(
        multipart_threshold=32 * mib, multipart_chunksize=32 * mib, max_concurrency=4, io_chunksize=mib
    )

    def get(key: str, down: Path) -> None:
        body = client.get_object(Bucket=BUCKET, Key=key)["Body"]
        (down / key).write_bytes(body.read())

    return {
        "many down": lambda folder: downloaded(folder, get),
        "many up": lambda folder: each(
            lambda key: client.put_object(Bucket=BUCKET, Key=f"{UP}/{key}", Body=(folder / key).read_bytes()),
            keys(),
        ),
        "big down": lambda folder: client.download_file(BUCKET, BIG, str(folder / "down"), Config=big),
        "big up": lambda folder: client.upload_file(str(folder / BIG), BUCKET, BIG_UP, Config=big),
    }


def s3transfer() -> Cases:
    """One transfer manager for all, which few know of."""
    from s3transfer.manager import TransferConfig, TransferManager

    client = boto3_client()

    def managed(submit: Callable[[Any, str], Any]) -> None:
        with TransferManager(client, TransferConfig(max_request_concurrency=AT_ONCE)) as manager:
            for future in [submit(manager, key) for key in keys()]:
                future.result()

    def download(folder: Path) -> None:
        down = targets(folder)
        managed(lambda manager, key: manager.download(BUCKET, key, str(down / key)))

    def upload(folder: Path) -> None:
        managed(lambda manager, key: manager.upload(str(folder / key), BUCKET, f"{UP}/{key}"))

    return {"many down": download, "many up": upload}


def obstore() -> Cases:
    import obstore as library
    from obstore.store import S3Store

    options: Any = {"allow_http": True} | (
        {"allow_invalid_certificates": True} if ENDPOINT.startswith("https") else {}
    )
    bucket = S3Store(
        BUCKET,
        endpoint=ENDPOINT,
        region=REGION,
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        virtual_hosted_style_request=False,
        client_options=options,
    )

    def get(key: str, path: Path) -> None:
        with path.open("wb") as file:
            for chunk in library.get(bucket, key):
                file.write(chunk)

    def get_small(key: str, path: Path) -> None:
        path.write_bytes(library.get(bucket, key).bytes())

    return {
        "many down": lambda folder: downloaded(folder, lambda key, down: get_small(key, down / key)),
        "many up": lambda folder: each(
            lambda key: library.put(bucket, f"{UP}/{key}", (folder / key).read_bytes()), keys()
        ),
        "big down": lambda folder: get(BIG, folder / "down"),
        "big up": lambda folder: library.put(bucket, BIG_UP, folder / BIG),
        "list": lambda _: sum(len(page) for page in library.list(bucket, "list/")),
    }


def minio() -> Cases:
    import urllib3
    from minio import Minio

    client = Minio(
        endpoint=urlsplit(ENDPOINT).netloc,
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        secure=ENDPOINT.startswith("https"),
        region=REGION,
        http_client=urllib3.PoolManager(maxsize=AT_ONCE, ca_certs=os.environ.get("AWS_CA_BUNDLE")),
    )
    return {
        "many down": lambda folder: downloaded(
            folder, lambda key, down: client.fget_object(BUCKET, key, str(down / key))
        ),
        "many up": lambda folder: each(
            lambda key: client.fput_object(BUCKET, f"{UP}/{key}", str(folder / key)), keys()
        ),
        "big down": lambda folder: client.fget_object(BUCKET, BIG, str(folder / "down")),
        "big up": lambda folder: client.fput_object(BUCKET, BIG_UP, str(folder / BIG)),
        "list": lambda _: sum(1 for _ in client.list_objects(BUCKET, "list/", recursive=True)),
    }


def s3fs() -> Cases:
    """In an environment of its own: it brings another botocore."""

    def run(code: str) -> None:
        python = Path(__file__).parent.parent / ".local" / "s3fs" / "bin" / "python"
        setup = f"import s3fs; f = s3fs.S3FileSystem(endpoint_url={ENDPOINT!r}); "
        subprocess.run([str(python), "-c", setup + code], check=True)

    return {
        "many down": lambda folder: run(f"f.get('{BUCKET}/{MANY}', '{targets(folder)}/{MANY}', recursive=True)"),
        "many up": lambda folder: run(f"f.put('{folder}/{MANY}', '{BUCKET}/{UP}/{MANY}', recursive=True)"),
        "big down": lambda folder: run(f"f.get('{BUCKET}/{BIG}', '{folder}/down')"),
        "big up": lambda folder: run(f"f.put('{folder}/{BIG}', '{BUCKET}/{BIG_UP}')"),
        "list": lambda _: run(f"f.find('{BUCKET}/list/')"),
    }


def program(*command: str) -> None:
    quiet = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=quiet, stderr=quiet)


def s5cmd() -> Cases:
    base = ["s5cmd", "--endpoint-url", ENDPOINT, *(["--no-verify-ssl"] if ENDPOINT.startswith("https") else [])]
    many = [*base, "--numworkers", str(AT_ONCE)]
    url = f"s3://{BUCKET}"
    return {
        "many down": lambda folder: program(*many, "cp", f"{url}/{MANY}*", f"{targets(folder)}/{MANY}"),
        "many up": lambda folder: program(*many, "cp", f"{folder}/{MANY}", f"{url}/{UP}/{MANY}"),
        "big down": lambda folder: program(*base, "cp", f"{url}/{BIG}", f"{folder}/down"),
        "big up": lambda folder: program(*base, "cp", f"{folder}/{BIG}", f"{url}/{BIG_UP}"),
        "list": lambda _: program(*base, "ls", f"{url}/list/*"),
    }


def rclone() -> Cases:
    options = ["--transfers", str(AT_ONCE), "--checkers", str(AT_ONCE), "--no-check-certificate"]
    remote = f":s3,provider=SeaweedFS,env_auth,endpoint='{ENDPOINT}':{BUCKET}"

    def copy(source: str, target: str) -> None:
        program("rclone", "copyto", *options, source, target)

    return {
        "many down": lambda folder: copy(f"{remote}/{MANY}", f"{targets(folder)}/{MANY}"),
        "many up": lambda folder: copy(f"{folder}/{MANY}", f"{remote}/{UP}/{MANY}"),
        "big down": lambda folder: copy(f"{remote}/{BIG}", f"{folder}/down"),
        "big up": lambda folder: copy(f"{folder}/{BIG}", f"{remote}/{BIG_UP}"),
        "list": lambda _: program("rclone", "lsf", "--recursive", *options, f"{remote}/list/"),
    }


def curl() -> Cases:
    """The limit: no signing but a URL's, no checking, one stream."""
    from core.storage import get_presigned_url

    def run(*arguments: str) -> None:
        program("curl", "--silent", "--fail", "--insecure", *arguments)

    return {
        "big down": lambda folder: run("-o", str(folder / "down"), get_presigned_url(BUCKET, BIG)),
        "big up": lambda folder: run("-T", str(folder / BIG), get_presigned_url(BUCKET, BIG_UP, method="PUT")),
    }


def plain_get() -> Cases:
    """The limit in Python: one GET, copied to a file."""
    import ssl
    import urllib.request

    from core.storage import get_presigned_url

    def get(folder: Path) -> None:
        bundle = os.environ.get("AWS_CA_BUNDLE")
        context = ssl.create_default_context(cafile=bundle) if bundle else None
        url = get_presigned_url(BUCKET, BIG)
        with urllib.request.urlopen(url, context=context) as answer, (folder / "down").open("wb") as file:
            shutil.copyfileobj(answer, file, 1024 * 1024)

    return {"big down": get, "big down, verified": get}


CLIENTS: dict[str, Callable[[], Cases]] = {
    "core.storage": ours,
    "boto3": boto3,
    "boto3, tuned": boto3_tuned,
    "s3transfer, one pool": s3transfer,
    "obstore": obstore,
    "minio-py": minio,
    "s5cmd": s5cmd,
    "rclone": rclone,
    "s3fs": s3fs,
    "curl": curl,
    "plain GET": plain_get,
}


def fill() -> Cases:
    """What is there before the others come; no client."""
    from core.storage import get_s3_client, upload_file, upload_many

    def fill(folder: Path) -> None:
        client = get_s3_client()
        client.create_bucket(Bucket=BUCKET)
        assert all(one.ok for one in upload_many((folder / key, BUCKET, key) for key in keys()))
        boto3_client().upload_file(str(folder / BIG), BUCKET, BIG)
        upload_file(folder / BIG, BUCKET, HASHED)
        names = [f"list/{number // 500:02}/{number:05}" for number in range(int(os.environ["BENCH_LISTED"]))]
        each(lambda name: client.put_object(Bucket=BUCKET, Key=name, Body=b"x"), names)

    return {"fill": fill}


def cpu() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    client, case, folder = sys.argv[1:]
    work = (fill if client == "fill" else CLIENTS[client])()[case]
    used, start = cpu(), time.perf_counter()
    work(Path(folder))
    wall, used = time.perf_counter() - start, cpu() - used
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = (
        child
        if client in {"s5cmd", "rclone", "s3fs", "curl"}
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    print(json.dumps({"wall": wall, "cpu": used, "mib": peak / 1024}))


if __name__ == "__main__":
    main()
