"""New connections, within a time limit: name resolution, and attempts on each address."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from core.storage._engine import in_worker
from core.storage._http import limits
from core.storage._http.connection import Connection


@asynccontextmanager
async def within(seconds: float, problem: str) -> AsyncIterator[None]:
    """Raise a `TimeoutError` with the problem in its message if the block takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimeoutError(f"{problem} within {seconds:g} s") from error


async def connected_to(name: str, port: int) -> Connection:
    """Return a connection to the first address of the host that accepts one.

    Name resolution has 5 seconds. All addresses together have 5 more; each gets an equal share of the rest, so
    that one that does not respond leaves time for the others.

    Raises:
        OSError: no address accepts one; `socket.gaierror` if the name is not resolved.
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
    resolve = partial(socket.getaddrinfo, name, port, type=socket.SOCK_STREAM)
    with suppress(socket.gaierror):
        return resolve(flags=socket.AI_NUMERICHOST)
    async with within(limits.CONNECT_TIMEOUT, f"the name {name} was not resolved"):
        return await in_worker(resolve, abandon=True)


async def _connected(family: int, address: Any) -> Connection:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connecting, address)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return Connection(connecting)
    except BaseException as error:
        connecting.close()
        if isinstance(error, OSError) and error.errno is not None:  # the message of asyncio lacks the reason
            raise OSError(error.errno, os.strerror(error.errno)) from error
        raise
