"""Errors of a connection that the system does not raise."""

from __future__ import annotations


class BrokenError(ConnectionError):
    """The other side ended the connection, or does not speak HTTP."""


class StaleError(BrokenError):
    """The connection had been kept, and the server had closed it: nothing of the request was responded to."""


class StallError(TimeoutError):
    """Bytes still move, but fewer than a transfer needs that is not to take for ever."""


class ProxyError(OSError):
    """The proxy cannot be reached, or does not let through."""
