"""The ports of the store: the same ones at every start as long as they are free, all of them on loopback."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack

HOST = "127.0.0.1"
S3 = "s3.port"
ADMIN = "admin.port"
ADMIN_GRPC = "admin.port.grpc"

#: Where S3 clients look for a SeaweedFS.
PREFERRED_S3 = 8333

#: SeaweedFS's maintenance worker (it expires objects, and reclaims space) finds its admin server at this distance
#: from the HTTP port, whatever `-admin.port.grpc` says.
_ADMIN_GRPC_OFFSET = 10_000

#: Below the ports that systems hand to outgoing connections: one of those could take the place of a stopped store.
_RANGE = range(12_000, 32_000)
_ADMIN_RANGE = range(12_000, 22_000)

_ANYWHERE = (
    "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
    "filer.port.grpc",
)  # fmt: skip

#: Every port that the server listens on, by the name of its flag.
NAMES = (S3, *_ANYWHERE, ADMIN, ADMIN_GRPC)


def choose(previous: Mapping[str, int], report: Callable[[str], None]) -> dict[str, int]:
    """A free port for every flag: the previous one if it is free, so that addresses in env files stay right.

    `report` hears one sentence when S3 cannot have the port that it had, or 8333 when it had none.
    """
    wanted = previous.get(S3, PREFERRED_S3)
    with ExitStack() as held:  # all are held until the last is found, so that none is found twice
        ports = {S3: _take(wanted, held)}
        ports |= {name: _take(previous.get(name, 0), held) for name in _ANYWHERE}
        ports |= _take_admin(previous.get(ADMIN, 0), held)
    if ports[S3] != wanted:
        report(f"port {wanted} is taken, using {ports[S3]}")
    return ports


def _take(wanted: int, held: ExitStack) -> int:
    return wanted if wanted and _holds(wanted, held) else _any(_RANGE, held)


def _take_admin(wanted: int, held: ExitStack) -> dict[str, int]:
    if not (wanted and _holds(wanted, held) and _holds(wanted + _ADMIN_GRPC_OFFSET, held)):
        wanted = _any(_ADMIN_RANGE, held, and_at=_ADMIN_GRPC_OFFSET)
    return {ADMIN: wanted, ADMIN_GRPC: wanted + _ADMIN_GRPC_OFFSET}


def _any(places: range, held: ExitStack, and_at: int = 0) -> int:
    for _ in places:
        port = secrets.choice(places)
        if _holds(port, held) and (not and_at or _holds(port + and_at, held)):
            return port
    raise OSError(errno.EADDRINUSE, "no free port on loopback")


def _holds(port: int, held: ExitStack) -> bool:
    listener = held.enter_context(socket.socket())
    # Connections of the last run linger for a minute. They do not keep the server out, nor this test.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        # Without this, two sockets that may be reused could both be bound; the second cannot listen.
        listener.listen()
    except OSError:
        return False
    return True
