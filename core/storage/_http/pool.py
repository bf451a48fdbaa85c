"""Connections that are kept open between requests, and how new ones are made."""

from __future__ import annotations

import atexit
import os
import socket
from collections import deque
from typing import TYPE_CHECKING

from core.storage._http import limits
from core.storage._http.framing import Connection
from core.storage._http.proxy import Host, proxy_for

if TYPE_CHECKING:
    from ssl import SSLContext


#: A connection was made with the authorities of its time, and only with those it may be used.
_Key = tuple[Host, str | None]
_idle: dict[_Key, deque[Connection]] = {}
_context: tuple[str | None, SSLContext] | None = None


def take(host: Host) -> Connection:
    """A connection that nobody else has: the one that was used last, or a new one.

    Raises:
        OSError: there is no way to the host.
    """
    kept = _idle.get(_key(host))
    while kept:
        try:
            connection = kept.pop()
        except IndexError:  # another thread was faster
            break
        if not connection.is_dead():
            return connection
        connection.close()
    return Connection(_connect(host))


def give_back(host: Host, connection: Connection, *, usable: bool) -> None:
    """Keep the connection for the next request, or end it."""
    kept = _idle.setdefault(_key(host), deque())
    if usable and len(kept) < limits.POOL:
        kept.append(connection)
    else:
        connection.close()


def target(host: Host, path: str) -> tuple[str, dict[str, str]]:
    """What the request line names, and further headers: a proxy of plain HTTP wants the whole address."""
    proxy = proxy_for(host) if host.scheme == "http" else None
    return (path, {}) if proxy is None else (f"http://{host.header}{path}", proxy.headers)


def forget() -> None:
    """Close every connection that is kept."""
    for kept in _idle.values():
        while kept:
            kept.pop().close()


def _connect(host: Host) -> socket.socket:
    proxy = proxy_for(host)
    connected = proxy.connect(host) if proxy else _direct(host.name, host.port)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if host.scheme == "https":
            connected = _tls().wrap_socket(connected, server_hostname=host.name)
        connected.settimeout(limits.READ_TIMEOUT)
    except BaseException:
        connected.close()
        raise
    return connected


def _direct(name: str, port: int) -> socket.socket:
    return socket.create_connection((name, port), limits.CONNECT_TIMEOUT)


def _key(host: Host) -> _Key:
    return (host, _authorities() if host.scheme == "https" else None)


def _authorities() -> str | None:
    """The file of the authorities to trust, where the environment names one."""
    return os.environ.get("AWS_CA_BUNDLE", os.environ.get("REQUESTS_CA_BUNDLE"))


def _tls() -> SSLContext:
    global _context  # noqa: PLW0603  # a cache of this process
    file = _authorities()
    if _context is None or _context[0] != file:
        _context = (file, _new_context(file))
    return _context[1]


def _new_context(file: str | None) -> SSLContext:
    import ssl  # noqa: PLC0415  # 10 ms, for https alone

    if file is None:
        from botocore.httpsession import where  # noqa: PLC0415  # those that botocore trusts

        file = where()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and host names, TLS 1.2 or newer
    try:
        context.load_verify_locations(file)
    except ssl.SSLError:
        raise
    except OSError as error:  # told like a file that holds no certificates
        raise ssl.SSLError(str(error)) from error
    return context


def _after_fork() -> None:
    # Sockets of the parent: using or even shutting one down here would disturb it there.
    _idle.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(forget)
