"""Find the running embedded store. The Pulumi program does so at every preview, so this module imports little."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local import ports
from infra.local.folder import StoreFolder
from infra.stores.access_key import AccessKey

CONSOLE_USER = "admin"

_TIMEOUT = 2.0  # seconds
_REGION = "us-east-1"  # SeaweedFS accepts any
_HEAD = 1024  # bytes that hold the status and the Server header


@dataclass(frozen=True)
class EmbeddedStore:
    """A running store."""

    endpoint: str
    admin: AccessKey
    pid: int


@dataclass(frozen=True)
class Console:
    """SeaweedFS' own administration page, of a running store."""

    port: int
    user: str
    password_file: Path

    @property
    def url(self) -> str:
        """Return the URL of its page."""
        return ports.url(self.port)


def find(root: Path | None = None) -> EmbeddedStore | None:
    """Return the running store, or None. Starts nothing."""
    folder = StoreFolder(root)
    server, admin = folder.server(), folder.admin()
    if server and admin and server.process.is_alive() and is_own(server.s3_port, admin):
        return EmbeddedStore(ports.url(server.s3_port), admin, server.process.pid)
    return None


def last_endpoint(root: Path | None = None) -> str:
    """Return the endpoint of the last start, which the next start takes again if its port is free."""
    server = StoreFolder(root).server()
    return ports.url(server.s3_port if server else ports.PREFERRED_S3)


def find_console(root: Path | None = None) -> Console | None:
    """Return the console of the running store, or None if it is off."""
    folder = StoreFolder(root)
    server = folder.server()
    if server and folder.console_password.exists() and find(root):
        return Console(server.ports[ports.ADMIN], CONSOLE_USER, folder.console_password)
    return None


def is_open(port: int) -> bool:
    """Return whether a server on this machine listens at this port."""
    with socket.socket() as connection:
        return connection.connect_ex((ports.HOST, port)) == 0


def is_own(port: int, admin: AccessKey) -> bool:
    """Return whether the SeaweedFS at this port is the store with this access key.

    Another one is the store of another clone, which was started at the same time and took the port. One that
    accepts requests without an access key has not loaded its users yet, so it could be any. A store that is too
    busy to list its buckets is the own one as well.
    """
    return _status(port, {}) == b"403" and _signed_status(port, admin) not in {None, b"403"}


def is_ready(port: int, admin: AccessKey) -> bool:
    """Return whether the SeaweedFS at this port is the store with this access key, and lists its buckets."""
    return _status(port, {}) == b"403" and _signed_status(port, admin) == b"200"


def _signed_status(port: int, admin: AccessKey) -> bytes | None:
    from core.storage._internal import SigningKey, payload_hash, sign  # noqa: PLC0415  # only for a live process

    key = SigningKey(admin.access_key_id, admin.secret_access_key)
    host = {"Host": f"{ports.HOST}:{port}"}
    return _status(port, sign(key, _REGION, "GET", "/", "", host, payload_hash("http", b"")))


def _status(port: int, headers: Mapping[str, str]) -> bytes | None:
    """Return the status of SeaweedFS' response to a listing of the buckets; None from anything else."""
    lines = ["GET / HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
    try:
        with socket.create_connection((ports.HOST, port), timeout=_TIMEOUT) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            head = connection.recv(_HEAD)
    except OSError:
        return None
    return next(iter(head.split(b" ", 2)[1:2]), None) if b"SeaweedFS" in head else None
