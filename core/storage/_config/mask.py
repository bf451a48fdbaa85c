"""Masking of access key IDs."""

from __future__ import annotations


def mask(access_key_id: str) -> str:
    """Return the last four characters, which differ between keys of one user, as AWS' own command line does.

    No message, log or screen shows more of an access key ID.
    """
    return f"...{access_key_id[-4:]}"
