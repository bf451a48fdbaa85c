"""Hosts, and the proxies that the environment puts before them (``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``)."""

from __future__ import annotations

import os
from base64 import b64encode
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from core.storage._errors import StorageConfigError
from core.storage._http import limits
from core.storage._http.connect import connected_to, within
from core.storage._http.connection import Connection
from core.storage._http.faults import ProxyError

_PORTS = {"http": 80, "https": 443}
_LOGIN_WANTED = 407
#: Looked at first: what follows reads all of the environment.
_VARIABLES = {scheme: (f"{scheme}_proxy", f"{scheme}_proxy".upper()) for scheme in _PORTS}


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
    #: The value of ``Proxy-Authorization``, or empty.
    login: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the proxy reads and removes."""
        return {"Proxy-Authorization": self.login} if self.login else {}

    async def connect(self, host: Host) -> Connection:
        """Return a connection that leads to the host.

        Raises:
            ProxyError: the proxy does not respond, or refuses.
        """
        connection = None
        try:
            connection = await connected_to(self.name, self.port)
            if host.scheme == "https":
                async with within(limits.CONNECT_TIMEOUT, "no tunnel"):
                    await self._tunnel(connection, host)
        except BaseException as error:
            if connection:
                connection.close()
            if isinstance(error, OSError):
                raise ProxyError(f"{self.name}:{self.port}: {error}") from error
            raise
        return connection

    async def _tunnel(self, connection: Connection, host: Host) -> None:
        name = f"[{host.name}]" if ":" in host.name else host.name
        target = f"{name}:{host.port}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": target, **self.headers}.items())
        head = f"CONNECT {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
        response = await connection.request(head, b"", bodiless=True)
        if response.status == _LOGIN_WANTED:
            raise ProxyError("it wants a login (407): put user and password into the variable")
        if response.status // 100 != 2:  # noqa: PLR2004  # success
            raise ProxyError(f"it refuses a tunnel to {target} (status {response.status})")
        if connection.is_dead():
            raise ProxyError("it closed the tunnel, or sent something through it at once")


@lru_cache(maxsize=8)
def _proxy_of(url: str, variable: str) -> Proxy:
    """Return the proxy at a URL.

    Raises:
        StorageConfigError: it is reached in another way than plain HTTP.
    """
    parts = urlsplit(url if "//" in url else f"//{url}")
    if parts.scheme not in {"", "http"}:
        # Over plain HTTP, a proxy that expects TLS would get its credentials in clear text.
        raise StorageConfigError(
            f"{variable} names a proxy with {parts.scheme}://, which is not supported: name one with http://. "
            "What is sent to an https store is encrypted all the way through it"
        )
    login = ""
    if parts.username:
        plain = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {b64encode(plain.encode()).decode()}"
    return Proxy(parts.hostname or "", parts.port or _PORTS["http"], login)


def proxy_for(host: Host) -> Proxy | None:
    """Return the proxy before this host, if the environment names one: by the same rules as botocore.

    Raises:
        StorageConfigError: the proxy is reached in another way than plain HTTP.
    """
    if not any(map(os.environ.get, _VARIABLES[host.scheme])):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  # 20 ms that most have no use for

    url = getproxies().get(host.scheme)
    if not url or proxy_bypass(host.header):
        return None
    return _proxy_of(url, f"{host.scheme}_proxy".upper())
