"""The errors of a connection that the operating system does not raise."""

from __future__ import annotations


class BrokenError(ConnectionError):
    """The server closed the connection, or does not speak HTTP."""


class StaleError(BrokenError):
    """The server had closed a connection that was kept open: no byte of a response came."""


class StallError(TimeoutError):
    """A transfer is slower than the minimum rate."""


class ProxyError(OSError):
    """The proxy cannot be reached, or refuses the tunnel."""
