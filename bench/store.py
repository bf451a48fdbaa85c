"""A real SeaweedFS for a benchmark: on free ports of loopback, in memory if possible, gone at the end."""

from __future__ import annotations

import os
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

KEYS = {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin-secret"}
#: A file system in memory, where there is one.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # for data of this run alone
_PORTS = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
_PORTS += ["filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc", "s3.port.https"]


@contextmanager
def store(certificate: tuple[Path, Path] | None = None) -> Iterator[Mapping[str, str]]:
    """The endpoints of a running store by their scheme; https with the files of a certificate and its key."""
    ports = free_ports(len(_PORTS))
    flags = [f"-{name}={port}" for name, port in zip(_PORTS[:-1], ports, strict=False)]
    endpoints = {"http": f"http://127.0.0.1:{ports[0]}"}
    if certificate:
        flags += [
            f"-s3.port.https={ports[-1]}",
            f"-s3.cert.file={certificate[0]}",
            f"-s3.key.file={certificate[1]}",
        ]
        endpoints["https"] = f"https://127.0.0.1:{ports[-1]}"
    fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false"]
    fixed += ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    weed = Path(sys.executable).parent / "weed"
    with tempfile.TemporaryDirectory(dir=MEMORY) as data:
        process = subprocess.Popen(
            [str(weed) if weed.exists() else "weed", "mini", f"-dir={data}", *fixed, *flags],
            env={"PATH": os.environ["PATH"], **KEYS},
            cwd=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(endpoints["http"])
            yield endpoints
        finally:
            process.kill()  # its data goes with it, and an orderly end can take half a minute
            process.wait()


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait_for(endpoint: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()
        except urllib.error.HTTPError:
            return  # it answers; that it refuses strangers is right
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"the store did not answer at {endpoint}")
