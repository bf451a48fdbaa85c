"""The trusted certificate authorities, by the variables that botocore reads."""

from __future__ import annotations

import os

_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def authorities() -> str | None:
    """Return the file or folder of trusted certificates that the environment names. An empty value is absent."""
    return os.environ.get(variable()) or None


def variable() -> str:
    """Return the variable that names the certificates, or the one to set."""
    return next((name for name in _VARIABLES if os.environ.get(name)), _VARIABLES[0])


def trusted_by_botocore() -> str:
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
