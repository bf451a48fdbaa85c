"""How the bytes of a transfer are proven to be the object's."""

from __future__ import annotations

import hashlib
import re
import zlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_MD5_OF_PARTS = re.compile(r"[0-9a-fA-F]{32}-([0-9]{1,5})")
#: With an object that this library uploads in parts: their size in bytes, without which its ETag tells nothing.
PART_SIZE = "x-amz-meta-mpr-part-size"


class Hash(Protocol):
    """What `hashlib` and `Crc32` have in common."""

    def update(self, data: bytes | memoryview, /) -> object: ...
    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 in the shape of a `hashlib` hash, big-endian as S3 writes it."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class PartsMd5:
    """The ETag of an object in parts: the MD5 of the MD5s of its parts, and their number."""

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
            number, begun = divmod(self._position, self.part_size)
            piece = view[: self.part_size - begun]
            self.part(number).update(piece)
            self._position += len(piece)
            view = view[len(piece) :]

    def digest(self) -> bytes:
        digests = b"".join(part.digest() for part in self._parts)
        return f"{md5(digests).hexdigest()}-{len(self._parts)}".encode()


class _Nothing:
    def update(self, data: bytes | memoryview, /) -> None: ...

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
    ("x-amz-checksum-sha256", "sha256"),
    ("x-amz-checksum-sha1", "sha1"),
    ("x-amz-checksum-crc32", "crc32"),
)


def md5(data: bytes = b"") -> Any:
    """MD5 as a checksum, which also builds of Python for FIPS allow."""
    return hashlib.md5(data, usedforsecurity=False)


def content_md5(digest: bytes) -> str:
    """The header by which the store refuses a body that was changed on the way."""
    return b64encode(digest).decode()


def _new(name: str) -> Hash:
    return Crc32() if name == "crc32" else hashlib.new(name, usedforsecurity=False)


def etag_of(headers: Mapping[str, str]) -> str:
    """Return the ETag without its quotes, and without the ``W/`` by which proxies mark it as weak; empty: none."""
    return headers.get("etag", "").removeprefix("W/").strip('"')


def is_hash(headers: Mapping[str, str]) -> bool:
    """Whether the ETag can come from the content alone.

    It does not under a key of KMS or of the customer
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    encrypted = headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    return not encrypted and "x-amz-server-side-encryption-customer-algorithm" not in headers


def is_md5_of_parts(headers: Mapping[str, str]) -> bool:
    """Whether the ETag is the MD5 of the MD5s of parts (``...-2``)."""
    return bool(_MD5_OF_PARTS.fullmatch(etag_of(headers))) and is_hash(headers)


def is_md5(headers: Mapping[str, str]) -> bool:
    """Whether the ETag is the MD5 of the content: that of an object in parts (``...-2``) is none."""
    return bool(_MD5.fullmatch(etag_of(headers))) and is_hash(headers)


def check_for(headers: Mapping[str, str], size: int) -> Check:
    """The best check that the answer to GetObject allows, for an object of `size` bytes."""
    etag = etag_of(headers)
    if is_md5(headers):
        return Check("md5", md5(), bytes.fromhex(etag))
    part_size = _part_size(headers, etag, size)
    if part_size:
        return Check("md5", PartsMd5(part_size), etag.lower().encode())
    for header, name in _CHECKSUMS:
        value = headers.get(header, "")
        # A checksum of checksums of parts ends in -N, and is of no use without the bounds of the parts.
        if value and "-" not in value and headers.get("x-amz-checksum-type") != "COMPOSITE":
            return _Encoded(name, _new(name), value.encode())
    return Check("size", _Nothing(), b"")


def _part_size(headers: Mapping[str, str], etag: str, size: int) -> int:
    """The size of the parts that the ETag was made of; 0 where that is not known."""
    text = headers.get(PART_SIZE, "")
    found, part_size = _MD5_OF_PARTS.fullmatch(etag), int(text) if text.isdecimal() else 0
    if not (found and part_size and is_hash(headers)):
        return 0
    # A copy that another program made keeps what was noted of the parts, and has others.
    return part_size if int(found[1]) == -(-size // part_size) else 0


class _Encoded(Check):
    def holds(self) -> bool:
        return b64encode(self.hash.digest()) == self.expected
