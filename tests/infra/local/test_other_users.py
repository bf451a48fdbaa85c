"""What another user of the machine gets from the gRPC ports and the sockets of the running server: nothing."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local import certificates, ports, server
from infra.local.folder import StoreFolder
from infra.local.running import is_open
from tests.waiting import wait_until

GRPC = [name for name in ports.NAMES if name.endswith(".grpc")]
#: What an HTTP/2 client sends first: the preface, and an empty SETTINGS frame.
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS = 4  # the type of that frame
UNPRIVILEGED = 65534

LIST = "s3.bucket.list\n"
READ_KEY = "fs.cat /etc/iam/identities/app.json\n"
DELETE = "s3.bucket.delete -name=shared\n"


def numbers(root: Path) -> dict[str, int]:
    recorded = StoreFolder(root).server()
    assert recorded is not None
    return dict(recorded.ports)


@pytest.fixture
def s3(running, client) -> Iterator[Any]:
    """A client of the administrator, of a store with bucket `shared` and user `app`."""
    s3, iam = client("s3", running[1]), client("iam", running[1])
    s3.create_bucket(Bucket="shared")
    iam.create_user(UserName="app")
    key = iam.create_access_key(UserName="app")["AccessKey"]["AccessKeyId"]
    yield s3
    iam.delete_access_key(UserName="app", AccessKeyId=key)
    iam.delete_user(UserName="app")
    s3.delete_bucket(Bucket="shared")


def weed_shell(root: Path, commands: str, cwd: Path, timeout: float, **user: Any) -> str:
    """Run `weed shell` with the ports of the store; return its output, also if it was ended by the time limit."""
    of = numbers(root)
    addresses = {name: f"127.0.0.1:{of[f'{name}.port']}.{of[f'{name}.port.grpc']}" for name in ("master", "filer")}
    with Path(server.program()).open("rb") as program:
        # By its descriptor, because another user may not reach the folder of the program.
        path = f"/dev/fd/{program.fileno()}" if user else program.name
        process = subprocess.Popen(
            [path, "shell", *(f"-{name}={value}" for name, value in addresses.items())],
            cwd=cwd,
            env={"HOME": "/nonexistent"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[program.fileno()],
            **user,
        )
    with process:
        try:
            output: str = process.communicate(commands, timeout)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
    return output


def test_weed_shell_of_another_user_lists_no_bucket_reads_no_key_and_deletes_nothing(running, s3):
    root = running[0]
    before = time.monotonic()
    own = weed_shell(root, LIST + READ_KEY, root / "store/config", 60)
    assert "shared" in own, "with the certificate, the commands work"
    assert "secret_key" in own
    enough = 3 + 3 * (time.monotonic() - before)  # without the certificate, it waits for the master forever
    user = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []} if os.getuid() == 0 else {}
    foreign = weed_shell(root, LIST + READ_KEY + DELETE, Path("/"), enough, **user)
    assert "shared" not in foreign
    assert "secret_key" not in foreign
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["shared"]


def first_frame(port: int, identity: tuple[Path, Path] | None) -> bytes:
    """Connect with TLS and this certificate and key; return the start of the server's first HTTP/2 frame."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if identity:
        context.load_cert_chain(*identity)
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as connection:
        connection.sendall(HTTP2)
        return connection.recv(100)


@pytest.fixture
def grpc_port(running) -> Callable[[str], int]:
    def wait(name: str) -> int:
        port = numbers(running[0])[name]
        wait_until(lambda: is_open(port), 10)  # the admin server starts after S3
        return port

    return wait


@pytest.mark.parametrize("name", GRPC)
def test_every_grpc_port_requires_the_certificate_of_this_start(running, grpc_port, tmp_path, name):
    port, config = grpc_port(name), running[0] / "store/config"
    frame = first_frame(port, (config / "grpc.crt", config / "grpc.key"))
    assert frame[3] == SETTINGS, "with the certificate, the server responds"
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        first_frame(port, None)
    other = tmp_path / "grpc.crt", tmp_path / "grpc.key"
    certificates.write(*other)
    with pytest.raises(ssl.SSLError, match="ALERT"):
        first_frame(port, other)


@pytest.mark.parametrize("name", GRPC)
def test_no_grpc_port_responds_without_tls(grpc_port, name):
    with socket.create_connection(("127.0.0.1", grpc_port(name)), 10) as connection:
        connection.sendall(HTTP2)
        assert connection.recv(100) == b""


def test_no_other_user_can_open_a_socket_of_the_server(running, grpc_port):
    root = running[0]
    of = {name.removesuffix(".port.grpc"): grpc_port(name) for name in GRPC}
    paths = [Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock") for name, port in of.items()]  # noqa: S108
    paths += [root / "store/filer.sock", root / "store/s3.sock"]
    found = {path.name: oct(stat.S_IMODE(path.stat().st_mode) & 0o077) for path in paths if path.exists()}
    assert found == dict.fromkeys(found, "0o0")
    assert len(found) >= 6, found


def test_each_start_makes_another_certificate(tmp_path):
    certificates.write(tmp_path / "a.crt", tmp_path / "a.key")
    certificates.write(tmp_path / "b.crt", tmp_path / "b.key")
    texts = {path.read_text() for path in tmp_path.iterdir()}
    assert len(texts) == 4
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.iterdir()} == {"0o600"}


def test_the_certificate_is_valid_for_years_and_also_if_the_clock_is_set_back(tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to read a certificate with")
    certificates.write(tmp_path / "a.crt", tmp_path / "a.key")
    check = [openssl, "verify", "-CAfile", str(tmp_path / "a.crt")]
    now = int(time.time())
    for at in (now - 23 * 3600, now, now + 9 * 365 * 86400):
        subprocess.run([*check, "-attime", str(at), str(tmp_path / "a.crt")], check=True, capture_output=True)
