"""Connections that are kept open between requests, and how new ones are made."""

from __future__ import annotations

import atexit
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from core.storage._http import limits
from core.storage._http.authorities import authorities
from core.storage._http.framing import Connection
from core.storage._http.proxy import Host, Proxy, proxy_for

if TYPE_CHECKING:
    from ssl import SSLContext


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
_context: tuple[str | None, SSLContext] | None = None


def route_to(host: Host) -> Route:
    """Return how the host is reached, by the environment of this moment.

    Raises:
        StorageConfigError: the environment names a proxy that is not supported.
    """
    return Route(host, proxy_for(host), authorities() if host.scheme == "https" else None)


def take(route: Route) -> Connection:
    """Return a connection that no other thread uses: the one that was used last, or a new one.

    Raises:
        OSError: there is no way to the host.
    """
    kept = _idle.get(route)
    while kept:
        try:
            connection = kept.pop()
        except IndexError:  # another thread was faster
            break
        if not connection.is_dead():
            return connection
        connection.close()
    return Connection(_connect(route))


def give_back(route: Route, connection: Connection, *, usable: bool) -> None:
    """Keep the connection for the next request, or end it."""
    kept = _idle.setdefault(route, deque())
    if usable and len(kept) < limits.POOL:
        kept.append(connection)
    else:
        connection.close()


def forget() -> None:
    """Close every connection that is kept."""
    for kept in _idle.values():
        while kept:
            kept.pop().close()


def _connect(route: Route) -> socket.socket:
    host = route.host
    connected = route.proxy.connect(host) if route.proxy else _direct(host.name, host.port)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if host.scheme == "https":
            connected = _tls(route.authorities).wrap_socket(connected, server_hostname=host.name)
        connected.settimeout(limits.READ_TIMEOUT)
    except BaseException:
        connected.close()
        raise
    return connected


def _direct(name: str, port: int) -> socket.socket:
    return socket.create_connection((name, port), limits.CONNECT_TIMEOUT)


def _tls(path: str | None) -> SSLContext:
    global _context  # noqa: PLW0603  # a cache of this process
    if _context is None or _context[0] != path:
        _context = (path, _new_context(path))
    return _context[1]


def _new_context(path: str | None) -> SSLContext:
    import ssl  # noqa: PLC0415  # 10 ms, for https alone

    if path is None:
        from botocore.httpsession import where  # noqa: PLC0415  # those that botocore trusts

        path = where()
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
    _idle.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(forget)
