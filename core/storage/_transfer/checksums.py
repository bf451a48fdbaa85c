"""Checksums of transfers: the hashes of content, and the rules of S3 for ETags."""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

#: An ETag that can be an MD5: of the content, or of the MD5s of parts, whose number follows (``...-2``).
ETAG = re.compile(r"([0-9a-fA-F]{32})(?:-([0-9]{1,5}))?")
#: The header with the bytes of each part of an object that this library uploaded in parts. The ETag cannot be
#: compared without it.
PART_SIZE = "x-amz-meta-mpr-part-size"
_BYTES = re.compile(r"[1-9][0-9]{0,12}")
#: Whole-object checksums that S3 may store with an object, the strongest first
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
_CHECKSUMS = ("sha256", "sha1", "crc32")


class Hash(Protocol):
    """The common interface of the hashes of `hashlib` and of this module."""

    def update(self, data: bytes | memoryview, /) -> object: ...
    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 with the interface of a `hashlib` hash, big-endian as in S3's header."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class PartsMd5:
    """The ETag of an object in parts, as the digest of a hash."""

    def __init__(self, part_size: int) -> None:
        self.part_size = part_size
        self._parts: list[Hash] = [md5()]
        self._position = 0

    def part(self, number: int) -> Hash:
        """Return the hash of a part, counted from 0; the hashes of several parts may be updated at once."""
        while len(self._parts) <= number:
            self._parts.append(md5())
        return self._parts[number]

    def update(self, data: bytes | memoryview, /) -> None:
        view = memoryview(data)
        while view:
            number, offset = divmod(self._position, self.part_size)
            piece = view[: self.part_size - offset]
            self.part(number).update(piece)
            self._position += len(piece)
            view = view[len(piece) :]

    def digest(self) -> bytes:
        return etag_of_parts([part.digest() for part in self._parts]).encode()


class _NoHash:
    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes:
        return b""


class Check(NamedTuple):
    """A running hash and its expected result."""

    verified_by: str
    hash: Hash
    expected: str
    #: Encodes the digest as `expected` is encoded.
    encode: Callable[[bytes], str]

    @classmethod
    def of_size(cls) -> Check:
        """Return the check for bytes without a checksum, of which only the number is compared."""
        return cls("size", _NoHash(), "", bytes.hex)

    def received(self) -> str:
        """Return the checksum of the bytes hashed so far, to compare with `expected`."""
        return self.encode(self.hash.digest())


def md5(data: bytes | memoryview = b"") -> Any:
    """Return an MD5 hash, used as a checksum: builds of Python for FIPS allow it too."""
    return hashlib.md5(data, usedforsecurity=False)


def content_md5(digest: bytes) -> str:
    """Return the value of the header Content-MD5, by which the store refuses a body that changed on the way."""
    return b64encode(digest).decode()


def etag_of_parts(digests: list[bytes]) -> str:
    """Return the ETag of an object in parts: the MD5 of the MD5s of its parts, and their number."""
    return f"{md5(b''.join(digests)).hexdigest()}-{len(digests)}"


def etag_of(headers: Mapping[str, str]) -> str:
    """Return the ETag without quotes and without ``W/``, by which proxies mark it as weak; empty if absent."""
    return headers.get("etag", "").removeprefix("W/").strip('"')


def has_encrypted_etag(headers: Mapping[str, str]) -> bool:
    """Return whether a key of KMS or of the customer encrypts the object: its ETag is no hash of the content.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    return (
        headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
        or "x-amz-server-side-encryption-customer-algorithm" in headers
    )


def md5_check(etag: str, part_size: int) -> Check:
    """Return the check against an ETag that `ETAG` matches; `part_size` is used if it has a number of parts."""
    if "-" in etag:
        return Check("md5", PartsMd5(part_size), etag.lower(), bytes.decode)
    return Check("md5", md5(), etag.lower(), bytes.hex)


def check_for(headers: Mapping[str, str], size: int) -> Check:
    """Return the strongest check that a response to GetObject allows, for an object of `size` bytes."""
    etag = etag_of(headers)
    match = None if has_encrypted_etag(headers) else ETAG.fullmatch(etag)
    if match and not match[2]:
        return md5_check(etag, 0)
    part_size = headers.get(PART_SIZE, "")
    # A copy by another program keeps this metadata, and may have other parts.
    if match and _BYTES.fullmatch(part_size) and int(match[2]) == -(-size // int(part_size)):
        return md5_check(etag, int(part_size))
    for name in _CHECKSUMS:
        value = headers.get(f"x-amz-checksum-{name}", "")
        # A checksum of the checksums of parts ends in -N, and cannot be compared without the sizes of the parts.
        if value and "-" not in value and headers.get("x-amz-checksum-type") != "COMPOSITE":
            checksum: Hash = Crc32() if name == "crc32" else hashlib.new(name, usedforsecurity=False)
            return Check(name, checksum, value, lambda digest: b64encode(digest).decode())
    return Check.of_size()
