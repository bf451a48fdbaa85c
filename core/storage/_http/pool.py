"""Connections that are kept open between requests, each for the event loop that opened it."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from core.storage import _engine
from core.storage._http import limits
from core.storage._http.authorities import authorities, tls_context
from core.storage._http.connect import connected_to, within
from core.storage._http.connection import Connection
from core.storage._http.proxy import Host, Proxy, proxy_for


class Route(NamedTuple):
    """The way to a host. A connection is used again only for the route that it was opened for."""

    host: Host
    proxy: Proxy | None
    #: The file or folder of trusted certificates, if the environment names one.
    authorities: str | None
    #: Its connections belong to this event loop.
    loop: asyncio.AbstractEventLoop

    def target(self, path: str) -> tuple[str, dict[str, str]]:
        """Return the target of the request line, and the headers for a proxy: for plain HTTP, it needs the URL."""
        if self.proxy is None or self.host.scheme == "https":
            return path, {}
        return f"http://{self.host.header}{path}", self.proxy.headers


_idle: dict[Route, deque[Connection]] = {}
#: Connections of the parents of this process, which stay untouched.
_inherited: list[dict[Route, deque[Connection]]] = []


def route_to(host: Host) -> Route:
    """Return the route to the host, by the current environment; raise a `StorageConfigError` as `proxy_for`."""
    trusted = authorities() if host.scheme == "https" else None
    return Route(host, proxy_for(host), trusted, asyncio.get_running_loop())


async def take(route: Route) -> Connection:
    """Return the idle connection that was used last, or a new one; raise an `OSError` if that fails."""
    kept = _idle.get(route)
    while kept:
        connection = kept.pop()
        if not connection.is_dead():
            return connection
        connection.close()
    return await _connect(route)


def give_back(route: Route, connection: Connection, *, usable: bool) -> None:
    """Keep the connection for the next request, or close it."""
    kept = _idle.get(route)
    if kept is None:
        _close_idle(lambda other: other.loop.is_closed())  # as after `asyncio.run`
        kept = _idle[route] = deque()
    if usable and len(kept) < limits.POOL:
        kept.append(connection)
    else:
        connection.close()


async def forget() -> None:
    """Close every idle connection of this event loop."""
    loop = asyncio.get_running_loop()
    _close_idle(lambda route: route.loop is loop)


def _close_idle(chosen: Callable[[Route], bool]) -> None:
    for route in [route for route in _idle if chosen(route)]:
        for connection in _idle.pop(route):
            connection.close()


async def _connect(route: Route) -> Connection:
    host = route.host
    connection = await (route.proxy.connect(host) if route.proxy else connected_to(host.name, host.port))
    try:
        if host.scheme == "https":
            async with within(limits.CONNECT_TIMEOUT, "no TLS handshake"):
                await connection.secure(tls_context(route.authorities), host.name)
    except BaseException:
        connection.close()
        raise
    return connection


def _after_fork() -> None:
    # The sockets are the parent's: using one or shutting it down here would disturb the parent.
    _inherited.append(dict(_idle))
    _idle.clear()


os.register_at_fork(after_in_child=_after_fork)
_engine.at_end.append(forget)
