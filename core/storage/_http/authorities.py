"""The trusted certificate authorities, by the variables that botocore reads."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def authorities() -> str | None:
    """Return the file or folder of trusted certificates that the environment names. An empty value is absent."""
    return os.environ.get(variable()) or None


def variable() -> str:
    """Return the variable that names the certificates, or the one to set."""
    return next((name for name in _VARIABLES if os.environ.get(name)), _VARIABLES[0])


@lru_cache(maxsize=1)
def tls_context(path: str | None) -> ssl.SSLContext:
    """Return the context that trusts the certificates in a file or folder, by default those that botocore trusts.

    Raises:
        SSLError: the file or folder cannot be used.
    """
    if path is None:
        path = _trusted_by_botocore()
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


def _trusted_by_botocore() -> str:
    """Return the file of certificates that botocore trusts: that of certifi if it is installed, or its own.

    The file is found without an import of either, which takes 100 ms, where their projects publish it.
    """
    from importlib.util import find_spec  # noqa: PLC0415  # for https alone

    spec = find_spec("certifi") or find_spec("botocore")
    folders = spec.submodule_search_locations if spec else None
    path = os.path.join((folders or [""])[0], "cacert.pem")
    if os.path.isfile(path):
        return path
    from botocore.httpsession import where  # noqa: PLC0415  # Linux distributions move the file

    return str(where())
