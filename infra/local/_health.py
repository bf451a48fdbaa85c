"""Whether the store answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from infra.local import _ports

_POLL = 0.05  # seconds
_PATIENCE = 2.0  # seconds for one answer
_HEAD = 1024  # bytes; the status and the server's name stand at the beginning


def answers(port: int) -> bool:
    """Whether a SeaweedFS that asks for credentials answers S3 at this port of loopback.

    A refusal is what is waited for: a server that lets a stranger list buckets has not loaded its users yet.
    It is asked in plain HTTP over a socket, because importing an HTTP client takes longer than the answer.
    """
    try:
        with socket.create_connection((_ports.HOST, port), timeout=_PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            head = connection.recv(_HEAD)
    except OSError:
        return False
    return head.split(b" ", 2)[1:2] == [b"403"] and b"SeaweedFS" in head


def wait(port: int, is_alive: Callable[[], bool], seconds: float) -> bool:
    """Wait until the store answers. False when its process ended, or `seconds` were over."""
    deadline = time.monotonic() + seconds
    while is_alive():
        if answers(port):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return False
