"""The head of a response: read in the one way that leaves no doubt, or refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.storage._http.faults import BrokenError

_STATUS_LINE = re.compile(r"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: [^\r\n\0]*)?")
#: A line that begins with white space would continue the one before, which nothing sends any more (RFC 9112, 5.2).
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)")
#: What says where a body ends, and which object it is.
_ONCE = frozenset({"content-length", "transfer-encoding", "content-range", "etag"})
_LENGTH = re.compile(r"[0-9]{1,18}")


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers, by their names in lower case; the version of HTTP under an empty name.

    Raises:
        BrokenError: it is no head of HTTP/1, or could be read in two ways.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if not status:
        raise BrokenError(f"the answer is no HTTP: {first[:40]!r}")
    headers = {"": status[1]}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if not header:
            raise BrokenError(f"the response has a line that is no header: {line[:40]!r}")
        name, value = header[1].lower(), header[2].strip()
        if headers.get(name, value) != value and name in _ONCE:
            raise BrokenError(f"the response has two headers {name} that differ")
        headers[name] = value
    return int(status[2]), headers


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Whether the body comes in chunks.

    Raises:
        BrokenError: it comes in a way that was not asked for, or in two ways at once.
    """
    coding = headers.get("transfer-encoding", "").lower()
    if coding not in {"", "chunked"}:
        raise BrokenError(f"the response has the Transfer-Encoding {coding[:40]!r}, which was not asked for")
    if coding and "content-length" in headers:
        raise BrokenError("the response has both a Transfer-Encoding and a Content-Length")
    return bool(coding)


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the bytes of the body, if the server said so before.

    Raises:
        BrokenError: what it said is no number of bytes.
    """
    text = headers.get("content-length", "")
    if not text:
        return None
    if not _LENGTH.fullmatch(text):
        raise BrokenError(f"the Content-Length is no number of bytes: {text[:40]!r}")
    return int(text)
