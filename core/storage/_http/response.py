"""Whether a successful response is S3's: a proxy, a login page or another server may send status 200 as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from xml.etree import ElementTree as ET

# What a successful response has, by operation
# (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).
_WITH_ETAG = frozenset({"GetObject", "HeadObject", "PutObject", "UploadPart"})
_WITHOUT_BODY = frozenset({"DeleteObject", "AbortMultipartUpload"})
#: The root element of the body.
_ROOTS = {
    # The second: rclone serve s3.
    "CreateMultipartUpload": ("InitiateMultipartUploadResult", "InitiateMultipartUpload"),
    "CompleteMultipartUpload": ("CompleteMultipartUploadResult",),
    "DeleteObjects": ("DeleteResult",),
    "ListObjectsV2": ("ListBucketResult",),
}
#: The element of the body that proves that the operation was done.
_ELEMENTS = {"CreateMultipartUpload": "UploadId", "CompleteMultipartUpload": "ETag"}
#: Operations that the server may have done in spite of a wrong response, so that the request is retryable.
SETTLED_BY_RETRY = frozenset({"CompleteMultipartUpload"})

#: The first element, after the declaration and comments. A page of HTML begins with its DOCTYPE.
_ROOT = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
#: Bytes of a body that are searched for its first words.
BEGINNING = 4096
_LONGEST = 80
#: What may be a token, a signature or a key: no word is as long.
_SECRET = re.compile(r"\S{20,}")


def root_of(body: bytes) -> str:
    """Return the name of the root element of an XML document without its namespace; empty for anything else."""
    match = _ROOT.match(body)
    return match[1].decode("latin-1") if match else ""


def leaves(body: bytes) -> dict[str, str]:
    """Return the texts of the elements of an XML document by name; empty for anything else."""
    if not body:
        return {}
    try:
        # A store that is busy may send white space before the document, to keep the connection open.
        root = ET.fromstring(body.lstrip())  # noqa: S314  # expat limits the expansion of entities
    except (ET.ParseError, LookupError, ValueError):  # also an encoding that Python does not know
        return {}
    return {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter()}


def header_problem(operation: str, headers: Mapping[str, str]) -> str:
    """Return how the headers of a successful response differ from S3's; empty if they do not."""
    if operation in _WITH_ETAG and not headers.get("etag", "").strip('"'):
        return "no ETag header"
    if operation == "HeadObject" and not headers.get("content-length"):
        return "no Content-Length header"
    return ""


def body_problem(operation: str, body: bytes) -> str:
    """Return how the body of a successful response differs from S3's; empty if it does not."""
    if body and operation in _WITHOUT_BODY:
        return "a body, where S3 sends none"
    roots = _ROOTS.get(operation)
    if roots and root_of(body) not in roots:
        return f"no XML element {roots[0]}"
    element = _ELEMENTS.get(operation)
    if element and not leaves(body).get(element):
        return f"no XML element {element}"
    return ""


def first_words(headers: Mapping[str, str], body: bytes) -> str:
    """Return the title of a page, or the first line of a text.

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
    plain = "".join(character if character.isprintable() else " " for character in words)
    return _SECRET.sub("...", " ".join(plain.split()))[:_LONGEST].rstrip()
