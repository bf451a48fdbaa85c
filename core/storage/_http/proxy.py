"""Hosts, and the proxies for them that the environment names (``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``)."""

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
from core.storage._http.framing import Response

#: The default port of each scheme.
PORTS = {"http": 80, "https": 443}
_LOGIN_REQUIRED = 407
#: Looked up first, because `getproxies` reads the whole environment.
_VARIABLES = {scheme: (f"{scheme}_proxy", f"{scheme}_proxy".upper()) for scheme in PORTS}


class Host(NamedTuple):
    """The host of a store."""

    scheme: str
    name: str
    port: int

    @property
    def authority(self) -> str:
        """Return the name and the port, as they stand in a URL."""
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"

    @property
    def header(self) -> str:
        """Return the Host header, without the default port of the scheme."""
        return self.authority.removesuffix(f":{PORTS[self.scheme]}")


class Proxy(NamedTuple):
    """A proxy for plain HTTP, or as a tunnel for TLS."""

    name: str
    port: int
    #: The value of ``Proxy-Authorization``, or empty.
    login: str

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers for the proxy, which removes them."""
        return {"Proxy-Authorization": self.login} if self.login else {}

    async def connect(self, host: Host) -> Connection:
        """Return a connection to the host through the proxy; raise a `ProxyError` if that fails."""
        try:
            connection = await connected_to(self.name, self.port)
            try:
                if host.scheme == "https":
                    async with within(limits.CONNECT_TIMEOUT, "no tunnel"):
                        await self._tunnel(connection, host)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise ProxyError(f"{self.name}:{self.port}: {error}") from error
        return connection

    async def _tunnel(self, connection: Connection, host: Host) -> None:
        target = host.authority
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": target, **self.headers}.items())
        head = f"CONNECT {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
        response = Response(connection, *await connection.request(head, b""), bodiless=True)
        if response.status == _LOGIN_REQUIRED:
            raise ProxyError("it requires a login (407): put user and password into HTTPS_PROXY")
        if response.status // 100 != 2:  # noqa: PLR2004  # success
            raise ProxyError(f"it refuses a tunnel to {target} (status {response.status})")
        if connection.is_dead():
            raise ProxyError("it closed the tunnel, or sent something through it at once")


def proxy_for(host: Host) -> Proxy | None:
    """Return the proxy for this host, if the environment names one, by the same rules as botocore.

    Raises:
        StorageConfigError: the proxy is not reached by plain HTTP.
    """
    if not any(map(os.environ.get, _VARIABLES[host.scheme])):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  # 20 ms, for proxies alone

    url = getproxies().get(host.scheme)
    if not url or proxy_bypass(host.header):
        return None
    return _proxy_of(url, f"{host.scheme}_proxy".upper())


@lru_cache(maxsize=8)
def _proxy_of(url: str, variable: str) -> Proxy:
    parts = urlsplit(url if "//" in url else f"//{url}")
    if parts.scheme not in {"", "http"}:
        # Over plain HTTP, a proxy that expects TLS would get its credentials in clear text.
        raise StorageConfigError(
            f"{variable} names a proxy with {parts.scheme}://, which is not supported: name one with http://. "
            "The traffic to an https store is encrypted on the whole way"
        )
    login = ""
    if parts.username:
        plain = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {b64encode(plain.encode()).decode()}"
    return Proxy(parts.hostname or "", parts.port or PORTS["http"], login)
