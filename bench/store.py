"""A real SeaweedFS for a benchmark: on free ports of loopback, in memory if possible, removed at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.job import REGION, REPO

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEYS = {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin-secret"}
#: A file system in memory, where there is one.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # for data of this run alone
_SERVERS = ("s3", "master", "volume", "filer", "admin")
_FLAGS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-s3.iam.readOnly=false",  # `up.py` creates users
    "-webdav=false",
    "-admin.ui=false",
    "-master.telemetry=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    # Every bucket has volumes of its own, and SeaweedFS allows one for each free gigabyte unless this is set.
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=4096",
)


@contextmanager
def store(certificate: tuple[Path, Path] | None = None) -> Iterator[Mapping[str, str]]:
    """Yield the endpoints of a running store by scheme; https needs the files of a certificate and its key."""
    names = [f"{server}.port{kind}" for server in _SERVERS for kind in ("", ".grpc")]
    *ports, https = free_ports(len(names) + 1)
    flags = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    endpoints = {"http": f"http://127.0.0.1:{ports[0]}"}
    if certificate:
        flags += [f"-s3.port.https={https}", f"-s3.cert.file={certificate[0]}", f"-s3.key.file={certificate[1]}"]
        endpoints["https"] = f"https://127.0.0.1:{https}"
    with tempfile.TemporaryDirectory(dir=MEMORY) as data:
        process = subprocess.Popen(
            [executable("weed") or "weed", "mini", f"-dir={data}", *_FLAGS, *flags],
            env={"PATH": os.environ["PATH"], **KEYS},
            cwd=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(endpoints["http"], process)
            yield endpoints
        finally:
            process.kill()  # its data goes with it, and an orderly end can take half a minute
            process.wait()


def executable(name: str) -> str | None:
    """Return the path of a program of the virtual environment or of PATH."""
    return shutil.which(name, path=_path())


def environment(endpoint: str, authority: Path | None = None) -> dict[str, str]:
    """Return the environment of a client process; `authority` is the certificate that https clients trust."""
    variables = {
        "PATH": _path(),
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(REPO),
        "S3_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        **KEYS,
    }
    if authority and endpoint.startswith("https"):
        # The first is read by botocore and core.storage, the second by OpenSSL and Go.
        variables |= dict.fromkeys(("AWS_CA_BUNDLE", "SSL_CERT_FILE"), str(authority))
    return variables


def boto3_client(endpoint: str) -> S3Client:
    """Return the client by which the benchmark prepares, verifies and deletes."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
        ),
    )


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def _wait_for(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()
        except urllib.error.HTTPError:
            return  # it runs: a request without a signature is refused
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"SeaweedFS did not respond at {endpoint} within 30 s")
