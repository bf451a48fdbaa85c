"""How the bytes of a transfer are proven to be the object's."""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

_MD5 = re.compile(r"[0-9a-f]{32}")


class Hash(Protocol):
    """What `hashlib` and `Crc32` have in common."""

    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 in the shape of a `hashlib` hash, big-endian as S3 writes it."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Nothing:
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes:
        return b""


class Check(NamedTuple):
    """A hash in the making, and what it must come to."""

    verified_by: str
    hash: Hash
    expected: bytes

    def holds(self) -> bool:
        """Whether the bytes seen so far are the object."""
        return self.hash.digest() == self.expected


#: Whole-object checksums that S3 may store beside an object, the strongest first
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
_CHECKSUMS = (
    ("ChecksumSHA256", "sha256"),
    ("ChecksumSHA1", "sha1"),
    ("ChecksumCRC32", "crc32"),
)


def md5(data: bytes = b"") -> Any:
    """MD5 as a checksum, which also builds of Python for FIPS allow."""
    import hashlib  # noqa: PLC0415  # OpenSSL costs 5 ms, and botocore has it by now

    return hashlib.md5(data, usedforsecurity=False)


def _new(name: str) -> Hash:
    import hashlib  # noqa: PLC0415  # as above

    return Crc32() if name == "crc32" else hashlib.new(name, usedforsecurity=False)


def is_md5(etag: str, answer: Mapping[str, Any]) -> bool:
    """Whether `etag` is the MD5 of the content.

    It is not for objects put in parts (``...-2``), nor under a key of KMS or of the customer
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    encrypted = answer.get("ServerSideEncryption", "").startswith("aws:kms")
    return bool(_MD5.fullmatch(etag)) and not encrypted and "SSECustomerAlgorithm" not in answer


def check_for(answer: Mapping[str, Any]) -> Check:
    """The best check that the answer to GetObject allows; its size is checked in any case."""
    etag = answer.get("ETag", "").strip('"')
    if is_md5(etag, answer):
        return Check("md5", md5(), bytes.fromhex(etag))
    for header, name in _CHECKSUMS:
        value = answer.get(header, "")
        # A checksum of checksums of parts ends in -N, and is of no use without the bounds of the parts.
        if value and "-" not in value and answer.get("ChecksumType") != "COMPOSITE":
            return _Encoded(name, _new(name), value.encode())
    return Check("size", _Nothing(), b"")


class _Encoded(Check):
    def holds(self) -> bool:
        return b64encode(self.hash.digest()) == self.expected
