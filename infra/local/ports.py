"""The ports of the embedded store, all on loopback: those of the last start, as far as they are free."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import chain

HOST = "127.0.0.1"
S3 = "s3.port"
ADMIN = "admin.port"
ADMIN_GRPC = "admin.port.grpc"

#: The usual S3 port of SeaweedFS.
PREFERRED_S3 = 8333

#: SeaweedFS's maintenance worker (it expires objects, and reclaims space) connects to the HTTP port of its admin
#: server plus this number, whatever `-admin.port.grpc` is.
_ADMIN_GRPC_OFFSET = 10_000

#: Below the ports of outgoing connections, one of which could take the port of a stopped store.
_RANGE = range(12_000, 22_000)

_INTERNAL = (
    "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
    "filer.port.grpc",
)  # fmt: skip

#: The flags of all ports that the server listens on.
NAMES = (S3, *_INTERNAL, ADMIN, ADMIN_GRPC)


def url(port: int) -> str:
    """Return the URL of a port."""
    return f"http://{HOST}:{port}"


def choose(previous: Mapping[str, int], report: Callable[[str], None]) -> dict[str, int]:
    """Return a free port for every flag: the previous one if it is free, so that env files stay valid.

    Args:
        previous: the ports of the last start, empty at the first.
        report: called with a message if S3 gets another port than the previous one, or 8333.

    Raises:
        OSError: no port is free.
    """
    wanted = previous.get(S3, PREFERRED_S3)
    with ExitStack() as sockets:  # all stay bound until the last is chosen, so that none is chosen twice
        ports = {S3: _choose(wanted, sockets)}
        ports |= {name: _choose(previous.get(name, 0), sockets) for name in _INTERNAL}
        ports[ADMIN] = _choose(previous.get(ADMIN, 0), sockets, offsets=(0, _ADMIN_GRPC_OFFSET))
    if ports[S3] != wanted:
        report(f"port {wanted} is in use; the store uses {ports[S3]}")
    return ports | {ADMIN_GRPC: ports[ADMIN] + _ADMIN_GRPC_OFFSET}


def _choose(wanted: int, sockets: ExitStack, offsets: tuple[int, ...] = (0,)) -> int:
    """Bind and return the wanted port, or else a random one; the ports at all `offsets` from it must be free."""
    for port in chain([wanted] if wanted else [], (secrets.choice(_RANGE) for _ in _RANGE)):
        if all(_bind(port + offset, sockets) for offset in offsets):
            return port
    raise OSError(errno.EADDRINUSE, "no free port on loopback")


def _bind(port: int, sockets: ExitStack) -> bool:
    listener = sockets.enter_context(socket.socket())
    # Connections of the last server stay in TIME_WAIT for a minute, in which the port is free nevertheless.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # with SO_REUSEADDR, two sockets can be bound to a port, but only one can listen
    except OSError:
        return False
    return True
