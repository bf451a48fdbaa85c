"""New connections: the name of a host resolved, and its addresses tried, within a time."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from core.storage._engine import in_worker
from core.storage._http import limits
from core.storage._http.connection import Connection
from core.storage._http.stream import Stream


@asynccontextmanager
async def within(seconds: float, problem: str) -> AsyncIterator[None]:
    """End the block after this time.

    Raises:
        TimeoutError: it was not done by then; with the problem in its text.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimeoutError(f"{problem} within {seconds:g} s") from error


async def connected_to(name: str, port: int) -> Connection:
    """Return a connection to the first address of the host that takes one.

    The name is resolved within 5 seconds, and all addresses together have 5 seconds more, of which each gets an
    equal share of what is left: one that does not respond leaves time for the others.

    Raises:
        OSError: there is none; `socket.gaierror` if the name is not resolved.
    """
    addresses = await _resolved(name, port)
    loop = asyncio.get_running_loop()
    end = loop.time() + limits.CONNECT_TIMEOUT
    for number, (family, *_, address) in enumerate(addresses, start=1):
        try:
            share = (end - loop.time()) / (len(addresses) - number + 1)
            async with within(max(share, 0), "no connection"):
                return await _connected(family, address)
        except OSError:
            if number == len(addresses):
                raise
    raise OSError(f"the name {name} has no address")


async def _resolved(name: str, port: int) -> list[Any]:
    with suppress(socket.gaierror):
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    async with within(limits.CONNECT_TIMEOUT, f"the name {name} was not resolved"):
        return await in_worker(_look_up, name, port, abandon=True)


def _look_up(name: str, port: int) -> list[Any]:
    return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)


async def _connected(family: int, address: Any) -> Connection:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(0)
        await _connect(connecting, address)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return Connection(Stream(connecting))
    except BaseException:
        connecting.close()
        raise


async def _connect(connecting: socket.socket, address: Any) -> None:
    try:
        await asyncio.get_running_loop().sock_connect(connecting, address)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno)) from error  # asyncio has a text without the reason
