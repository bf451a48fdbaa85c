"""The cases that clients are compared by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.job import BIG, HASHED, MIB, Sizes

_LIBRARIES = ("core.storage", "boto3", "boto3, tuned", "obstore", "minio-py", "s5cmd", "rclone", "s3fs")


@dataclass(frozen=True)
class Case:
    """Work for clients, and the client that the ratios refer to."""

    #: With the fields of `Sizes` to fill in.
    title: str
    #: The function of a client that does it; two cases may differ in the object alone.
    work: Literal["many down", "many up", "many down, memory", "many up, memory", "big down", "big up", "list"]
    reference: str
    clients: tuple[str, ...]
    #: The clients over https as well; the others differ from these in ways that TLS does not change.
    clients_tls: tuple[str, ...] = ()
    #: Key of the big object to download.
    big: str = BIG

    def titled(self, sizes: Sizes) -> str:
        return self.title.format(
            objects=f"{sizes.objects:,}",
            kb=f"{sizes.object_bytes / 1000:g}",
            mib=f"{sizes.big_bytes // MIB:,}",
            keys=f"{sizes.keys:,}",
        )


_MANY_TLS = tuple(client for client in _LIBRARIES if client != "boto3")

_IN_MEMORY = ("core.storage", "core.storage.aio", "obstore", "obstore, async", "aiobotocore")

CASES = {
    "many down": Case(
        "Download {objects} objects of {kb} KB",
        "many down",
        "obstore",
        (*_LIBRARIES, "s3transfer, one pool"),
        clients_tls=_MANY_TLS,
    ),
    "many up": Case(
        "Upload {objects} objects of {kb} KB", "many up", "obstore", (*_LIBRARIES, "s3transfer, one pool")
    ),
    "many down, memory": Case(
        "Download {objects} objects of {kb} KB into memory", "many down, memory", "obstore", _IN_MEMORY
    ),
    "many up, memory": Case(
        "Upload {objects} objects of {kb} KB from memory", "many up, memory", "obstore", _IN_MEMORY
    ),
    "big down": Case(
        "Download 1 object of {mib} MiB, uploaded in parts by boto3",
        "big down",
        "plain GET",
        (*_LIBRARIES, "curl", "plain GET"),
        clients_tls=(*_LIBRARIES, "curl", "plain GET"),
    ),
    "big down, hashed": Case(
        "Download 1 object of {mib} MiB, uploaded in parts by `core.storage`",
        "big down",
        "plain GET",
        ("core.storage", "plain GET"),
        big=HASHED,
    ),
    "big up": Case(
        "Upload 1 object of {mib} MiB",
        "big up",
        "curl",
        (*_LIBRARIES, "curl"),
        clients_tls=(*_LIBRARIES, "curl"),
    ),
    "list": Case(
        "List {keys} keys",
        "list",
        "obstore",
        tuple(client for client in _LIBRARIES if client != "boto3, tuned"),
    ),
}
