"""The head of a response. One that could be read in two ways is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.storage._http.faults import BrokenError

_STATUS_LINE = re.compile(r"(HTTP/1\.[01]) ([1-5][0-9]{2})(?: [^\r\n\0]*)?")
#: A line that begins with white space would continue the one before, which is obsolete (RFC 9112, 5.2).
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)")
#: The headers that say where a body ends, and which object it is.
_ONCE = frozenset({"content-length", "transfer-encoding", "content-range", "etag"})
_LENGTH = re.compile(r"[0-9]{1,18}")


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status, and the headers by name in lower case; the HTTP version has an empty name.

    Raise a `BrokenError` if the head is not HTTP/1, or ambiguous.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if not status:
        raise BrokenError(f"the response is not HTTP: {first[:40]!r}")
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


def framing_of(headers: Mapping[str, str]) -> tuple[int | None, bool]:
    """Return the Content-Length, if there is one, and whether the body comes in chunks.

    Raise a `BrokenError` if the headers are invalid, or ambiguous.
    """
    length, coding = headers.get("content-length", ""), headers.get("transfer-encoding", "").lower()
    if coding not in {"", "chunked"}:
        raise BrokenError(f"the response has the Transfer-Encoding {coding[:40]!r}, which was not requested")
    if coding and "content-length" in headers:
        raise BrokenError("the response has both a Transfer-Encoding and a Content-Length")
    if length and not _LENGTH.fullmatch(length):
        raise BrokenError(f"the Content-Length is no number of bytes: {length[:40]!r}")
    return int(length) if length else None, bool(coding)
