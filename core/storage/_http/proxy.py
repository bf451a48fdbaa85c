"""Hosts, and the proxies that the environment puts before them (``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``)."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from core.storage._http import limits

_PORTS = {"http": 80, "https": 443}
#: Looked at first: what follows reads all of the environment.
_VARIABLES = {scheme: (f"{scheme}_proxy", f"{scheme}_proxy".upper()) for scheme in _PORTS}


class ProxyError(OSError):
    """The proxy cannot be reached, or does not let through."""


class Host(NamedTuple):
    """Where a store listens."""

    scheme: str
    name: str
    port: int

    @property
    def header(self) -> str:
        """The Host header: with the port only where it is not the scheme's own."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


class Proxy(NamedTuple):
    """A proxy for plain HTTP, or as a tunnel for TLS."""

    name: str
    port: int
    #: What it wants to see, such as its own credentials.
    headers: dict[str, str]

    def connect(self, host: Host) -> socket.socket:
        """A connection that leads to the host.

        Raises:
            ProxyError: the proxy does not answer, or refuses.
        """
        from http.client import HTTPConnection  # noqa: PLC0415  # 15 ms, where there is a proxy alone

        way = HTTPConnection(self.name, self.port, timeout=limits.CONNECT_TIMEOUT)
        if host.scheme == "https":
            way.set_tunnel(host.name, host.port, self.headers)
        try:
            way.connect()
        except OSError as error:
            raise ProxyError(f"{self.name}:{self.port}: {error}") from error
        return way.sock


def proxy_for(host: Host) -> Proxy | None:
    """The proxy before this host, if the environment names one."""
    if not any(map(os.environ.get, _VARIABLES[host.scheme])):
        return None
    from base64 import b64encode  # noqa: PLC0415  # with the next
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415  # with the next
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  # 20 ms that most have no use for

    url = getproxies().get(host.scheme)
    if not url or proxy_bypass(host.name):
        return None
    parts = urlsplit(url if "//" in url else f"//{url}")
    headers = {}
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    return Proxy(parts.hostname or "", parts.port or _PORTS["http"], headers)
