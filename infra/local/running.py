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
    """Return the running store, or None. Takes milliseconds and starts nothing."""
    folder = StoreFolder(root)
    server, admin = folder.server(), folder.admin()
    if server and admin and server.process.is_alive() and responds(server.s3_port, admin):
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


def responds(port: int, admin: AccessKey) -> bool:
    """Return whether the SeaweedFS at this port has this access key, and refuses requests without one.

    One that accepts them has not loaded its users yet. One that does not have the access key is the store of
    another clone, which was started at the same time and took the port.
    """
    from core.storage._internal import SigningAccessKey, payload_hash, sign  # noqa: PLC0415  # for a live process

    host = {"Host": f"{ports.HOST}:{port}"}
    if _status(port, host) != b"403":
        return False
    key = SigningAccessKey(admin.access_key_id, admin.secret_access_key)
    signed = sign(key, _REGION, "GET", "/", "", host, payload_hash("http", b""))
    return _status(port, signed) == b"200"


def _status(port: int, headers: Mapping[str, str]) -> bytes | None:
    """Return the status of SeaweedFS' response to a listing of the buckets; None from anything else.

    The request is sent over a socket, because the import of an HTTP client takes longer than the response.
    """
    lines = ["GET / HTTP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
    try:
        with socket.create_connection((ports.HOST, port), timeout=_TIMEOUT) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            head = connection.recv(_HEAD)
    except OSError:
        return None
    return next(iter(head.split(b" ", 2)[1:2]), None) if b"SeaweedFS" in head else None
