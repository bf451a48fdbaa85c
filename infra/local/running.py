"""Find the running embedded store. The Pulumi program does so at every preview, so this module imports little."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from infra.local import ports
from infra.local.folder import StoreFolder
from infra.stores.access_key import AccessKey

CONSOLE_USER = "admin"

_TIMEOUT = 2.0  # seconds
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
    if server and admin and server.process.is_alive() and responds(server.s3_port):
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


def responds(port: int) -> bool:
    """Return whether a SeaweedFS at this port refuses a request without credentials.

    One that lists buckets without credentials has not loaded its users yet. The request is sent over a socket,
    because the import of an HTTP client takes longer than the response.
    """
    try:
        with socket.create_connection((ports.HOST, port), timeout=_TIMEOUT) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            head = connection.recv(_HEAD)
    except OSError:
        return False
    return head.split(b" ", 2)[1:2] == [b"403"] and b"SeaweedFS" in head
