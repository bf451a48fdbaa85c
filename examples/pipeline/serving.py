"""Serving an application on loopback until the process is ended."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import uvicorn

from examples.pipeline.errors import UsageError
from examples.pipeline.guard import Guard

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
#: Where `intake` listens, for the process that serves the page; without it the page only shows.
INTAKE_VARIABLE = "INTAKE_URL"


def serve(app: FastAPI, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        UsageError: the port is taken.
    """
    with listener(port) as bound:
        uvicorn.Server(uvicorn.Config(Guard(app), log_level="warning", lifespan="off")).run(sockets=[bound])


def listener(port: int) -> socket.socket:
    """A socket that listens on the port of loopback; 0 is any.

    Raises:
        UsageError: it is taken.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        raise UsageError(
            f"port {port} cannot be had ({error.strerror}): name another with --port, one that corsOrigins of the "
            "environment's `in` bucket lists"
        ) from error
