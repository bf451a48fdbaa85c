"""Which certificates are trusted, by the variables that botocore reads."""

from __future__ import annotations

import os

_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def authorities() -> str | None:
    """Return the file or folder of certificates to trust, where the environment names one. Empty means absent."""
    return os.environ.get(variable()) or None


def variable() -> str:
    """Return the variable that names it, or the one to set."""
    return next((name for name in _VARIABLES if os.environ.get(name)), _VARIABLES[0])
