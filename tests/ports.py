"""Ports on loopback that no other test process of this machine uses.

A port that was free just before can be taken by another process before a server binds it. So every process claims
a block of ports for as long as it runs: other pytest workers, and runs in other clones, skip the block.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from functools import cache
from itertools import cycle

#: Below the ports that Linux gives to outgoing connections (32768 and up).
_FIRST, _LAST, _SIZE = 12_000, 21_800, 200


@cache
def claimed() -> range:
    """Return the ports of this process. Its first port stays bound, which is what keeps other processes out."""
    for start in range(_FIRST, _LAST, _SIZE):
        with suppress(OSError):
            _claims.append(_bound(start))
            return range(start + 1, start + _SIZE)
    raise OSError(f"all ports of loopback between {_FIRST} and {_LAST} belong to other test processes")


def free_ports(count: int) -> list[int]:
    """Return free ports of this process' block, the least recently used first."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = next(_turns())
            with suppress(OSError):
                held.enter_context(_bound(port))
                found.append(port)
    return found


@cache
def _turns() -> cycle[int]:
    return cycle(claimed())


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


_claims: list[socket.socket] = []
