"""Decide whether a response with a success status is S3's.

A status alone proves nothing: a proxy, a login page or another server on the port responds 200 as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import NamedTuple
from xml.etree import ElementTree as ET


class _Expected(NamedTuple):
    """What the S3 API says of the successful response of an operation."""

    #: Whether it has an ETag header.
    etag: bool = False
    #: The root element of its body. Empty: it has another body, or none.
    root: str = ""
    #: What a store calls that element that does not follow the API in this.
    or_root: str = ""
    #: An element of that body without which nothing is done.
    element: str = ""
    #: Whether it has no body at all.
    empty: bool = False


#: By operation: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
_EXPECTED = {
    "GetObject": _Expected(etag=True),
    "HeadObject": _Expected(etag=True),
    "PutObject": _Expected(etag=True),
    "UploadPart": _Expected(etag=True),
    "CreateMultipartUpload": _Expected(
        root="InitiateMultipartUploadResult",
        or_root="InitiateMultipartUpload",  # rclone serve s3
        element="UploadId",
    ),
    "CompleteMultipartUpload": _Expected(root="CompleteMultipartUploadResult", element="ETag"),
    "ListObjectsV2": _Expected(root="ListBucketResult"),
    "DeleteObject": _Expected(empty=True),
    "AbortMultipartUpload": _Expected(empty=True),
}
_NOTHING = _Expected()
#: Operations that the server may have done all the same, so that the request is worth another attempt.
SETTLED_BY_RETRY = frozenset({"CompleteMultipartUpload"})

#: The first element, after the declaration and comments. A page of HTML begins with its DOCTYPE.
_ROOT = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
#: Bytes of a body that are looked at for its first words.
BEGINNING = 4096
_LONGEST = 80
#: What may be a token, a signature or a key: no word is as long.
_SECRET = re.compile(r"\S{20,}")


def root_of(body: bytes) -> str:
    """Return the name of the root element of an XML document without its namespace; empty for anything else."""
    found = _ROOT.match(body)
    return found[1].decode("latin-1") if found else ""


def leaves(body: bytes) -> dict[str, str]:
    """Return the texts of the elements of an XML document by their names; nothing for anything else."""
    if not body:
        return {}
    try:
        # A store that is busy may send white space before the document, to keep the connection open.
        root = ET.fromstring(body.lstrip())  # noqa: S314  # expat limits the expansion of entities
    except (ET.ParseError, LookupError, ValueError):  # also an encoding that Python does not know
        return {}
    return {one.tag.rpartition("}")[2]: one.text or "" for one in root.iter()}


def header_problem(operation: str, headers: Mapping[str, str]) -> str:
    """Say how the headers of a successful response differ from S3's; empty if they do not."""
    expected = _EXPECTED.get(operation, _NOTHING)
    return "no ETag header" if expected.etag and not headers.get("etag", "").strip('"') else ""


def body_problem(operation: str, body: bytes) -> str:
    """Say how the body of a successful response differs from S3's; empty if it does not."""
    expected = _EXPECTED.get(operation, _NOTHING)
    if expected.empty and body:
        return "a body, where S3 sends none"
    if expected.root and root_of(body) not in {expected.root, expected.or_root or expected.root}:
        return f"no XML element {expected.root}"
    if expected.element and not leaves(body).get(expected.element):
        return f"no XML element {expected.element}"
    return ""


def first_words(headers: Mapping[str, str], body: bytes) -> str:
    """Return what a person reads first in the body: the title of a page, or the first line of a text.

    What could be a secret (a server may repeat the headers that it received) is left out.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    text = body[:BEGINNING].decode("utf-8", "replace")
    if title := _TITLE.search(text):
        words = unescape(title[1])
    elif kind == "text/plain":
        words = text.strip().partition("\n")[0]
    else:
        return ""
    plain = "".join(one if one.isprintable() else " " for one in words)
    return _SECRET.sub("...", " ".join(plain.split()))[:_LONGEST].rstrip()
