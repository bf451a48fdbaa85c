"""One page of a listing, from the XML of S3.

botocore takes 50 ms for the 1,000 keys of a page, most of it for their dates (botocore#3063); this takes 5.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from core.storage._errors import StorageError
from core.storage._objects import ObjectInfo


class Page(NamedTuple):
    """What one answer lists."""

    objects: list[ObjectInfo]
    truncated: bool
    token: str | None


def parsed(body: bytes, bucket: str) -> Page:
    """The page in an answer to ListObjectsV2.

    Raises:
        StorageError: it is no such answer.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314  # expat limits the expansion of entities
    except ET.ParseError as error:
        raise StorageError(
            f"what the store listed of {bucket} is no XML ({error}); is a proxy in the way?",
            bucket=bucket,
            operation="ListObjectsV2",
        ) from error
    space = root.tag.rpartition("}")[0]
    space = f"{space}}}" if space else ""
    encoded = root.findtext(f"{space}EncodingType") == "url"
    objects = [_object(one, space, bucket, encoded=encoded) for one in root.iterfind(f"{space}Contents")]
    truncated = root.findtext(f"{space}IsTruncated") == "true"
    return Page(objects, truncated, root.findtext(f"{space}NextContinuationToken"))


def _object(found: ET.Element, space: str, bucket: str, *, encoded: bool) -> ObjectInfo:
    key = found.findtext(f"{space}Key", "")
    return ObjectInfo(
        _decoded(key) if encoded else key,
        int(found.findtext(f"{space}Size", "0")),
        found.findtext(f"{space}ETag", "").strip('"'),
        datetime.fromisoformat(found.findtext(f"{space}LastModified", "")),
        bucket=bucket,
    )


def _decoded(key: str) -> str:
    # As AWS encodes keys here: a space is a plus, a plus is %2B.
    return unquote(key.replace("+", " ")) if "%" in key or "+" in key else key
