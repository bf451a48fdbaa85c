"""Find the running embedded store. The Pulumi program does so at every preview, so this module imports little."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from infra.local import ports
from infra.local.folder import StoreFolder
from infra.stores.access_key import Keys

_TIMEOUT = 2.0  # seconds
_HEAD = 1024  # bytes that hold the status and the Server header


@dataclass(frozen=True)
class EmbeddedStore:
    """A running store."""

    endpoint: str
    admin: Keys
    pid: int


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
