"""Connections that are kept open between requests. The event loop alone uses them."""

from __future__ import annotations

import os
import ssl
from collections import deque
from typing import NamedTuple

from core.storage import _engine
from core.storage._http import limits
from core.storage._http.authorities import authorities, trusted_by_botocore
from core.storage._http.connect import connected_to, within
from core.storage._http.connection import Connection
from core.storage._http.proxy import Host, Proxy, proxy_for


class Route(NamedTuple):
    """How a host is reached. A connection is used again only for the route that it was made for."""

    host: Host
    proxy: Proxy | None
    #: The file or folder of certificates to trust, where the environment names one.
    authorities: str | None

    def target(self, path: str) -> tuple[str, dict[str, str]]:
        """Return what the request line names, and further headers: a proxy of plain HTTP wants the whole URL."""
        if self.proxy is None or self.host.scheme == "https":
            return path, {}
        return f"http://{self.host.header}{path}", self.proxy.headers


_idle: dict[Route, deque[Connection]] = {}
#: Connections of the parents of this process, which are not touched.
_inherited: list[dict[Route, deque[Connection]]] = []
_context: tuple[str | None, ssl.SSLContext] | None = None


def route_to(host: Host) -> Route:
    """Return how the host is reached, by the environment of this moment.

    Raises:
        StorageConfigError: the environment names a proxy that is not supported.
    """
    return Route(host, proxy_for(host), authorities() if host.scheme == "https" else None)


async def take(route: Route) -> Connection:
    """Return a connection that no other request uses: the one that was used last, or a new one.

    Raises:
        OSError: there is no way to the host.
    """
    kept = _idle.get(route)
    while kept:
        connection = kept.pop()
        if not connection.is_dead():
            return connection
        connection.close()
    return await _connect(route)


def give_back(route: Route, connection: Connection, *, usable: bool) -> None:
    """Keep the connection for the next request, or end it."""
    kept = _idle.setdefault(route, deque())
    if usable and len(kept) < limits.POOL:
        kept.append(connection)
    else:
        connection.close()


async def forget() -> None:
    """Close every connection that is kept."""
    for kept in _idle.values():
        while kept:
            kept.pop().close()


async def _connect(route: Route) -> Connection:
    host = route.host
    connection = await (route.proxy.connect(host) if route.proxy else connected_to(host.name, host.port))
    try:
        if host.scheme == "https":
            async with within(limits.CONNECT_TIMEOUT, "no TLS handshake"):
                await connection.stream.secure(_tls(route.authorities), host.name)
    except BaseException:
        connection.close()
        raise
    return connection


def _tls(path: str | None) -> ssl.SSLContext:
    global _context  # noqa: PLW0603  # a cache of this process
    if _context is None or _context[0] != path:
        _context = (path, _new_context(path))
    return _context[1]


def _new_context(path: str | None) -> ssl.SSLContext:
    if path is None:
        path = trusted_by_botocore()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and host names, TLS 1.2 or newer
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)  # files named by the hash of their certificate
        else:
            context.load_verify_locations(path)
    except ssl.SSLError:
        raise
    except OSError as error:  # reported like a file without certificates
        raise ssl.SSLError(str(error)) from error
    return context


def _after_fork() -> None:
    # Sockets of the parent: using or even shutting one down here would disturb it there.
    _inherited.append(dict(_idle))
    _idle.clear()


os.register_at_fork(after_in_child=_after_fork)
_engine.at_end.append(forget)
