"""Parse a page of a listing from the XML of S3.

botocore takes 50 ms for the 1,000 objects of a page, most of it for their dates (botocore#3063); this takes 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from core.storage._errors import InvalidResponseError
from core.storage._objects import ObjectInfo

_SIZE = re.compile(r"[0-9]{1,18}")


class Page(NamedTuple):
    """One response to ListObjectsV2."""

    objects: list[ObjectInfo]
    #: Common prefixes, if the request has a delimiter.
    folders: list[str]
    truncated: bool
    token: str | None


def parsed(body: bytes, bucket: str) -> Page:
    """Return the page in the body of a response to ListObjectsV2.

    Raises:
        InvalidResponseError: the body is not such a response.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314  # expat limits the expansion of entities
    except (ET.ParseError, LookupError, ValueError) as error:  # also an encoding that Python does not know
        raise _invalid(bucket, f"is not XML ({error})") from error
    space = root.tag[: root.tag.rfind("}") + 1]
    start = len(space)
    encoded = root.findtext(f"{space}EncodingType") == "url"
    rows = ({leaf.tag[start:]: leaf.text or "" for leaf in item} for item in root.iterfind(f"{space}Contents"))
    try:
        objects = [_object(row, bucket, encoded=encoded) for row in rows]
    except KeyError as error:
        raise _invalid(bucket, f"has an object without the XML element {error.args[0]}") from error
    except (ValueError, OverflowError) as error:
        raise _invalid(bucket, f"has an object whose Key, Size or LastModified has no value ({error})") from error
    folders = [item.findtext(f"{space}Prefix", "") for item in root.iterfind(f"{space}CommonPrefixes")]
    if encoded:
        folders = [_decoded(folder) for folder in folders]
    truncated = root.findtext(f"{space}IsTruncated") == "true"
    return Page(objects, folders, truncated, root.findtext(f"{space}NextContinuationToken"))


def _invalid(bucket: str, problem: str) -> InvalidResponseError:
    return InvalidResponseError(
        f"ListObjectsV2 on {bucket}: the listing {problem}, so it is not from an S3 API, or a proxy changed it. "
        "Check S3_ENDPOINT_URL, HTTPS_PROXY and NO_PROXY",
        bucket=bucket,
        operation="ListObjectsV2",
    )


def _object(row: Mapping[str, str], bucket: str, *, encoded: bool) -> ObjectInfo:
    key = _decoded(row["Key"]) if encoded else row["Key"]
    size, modified = row["Size"], datetime.fromisoformat(row["LastModified"])
    if not _SIZE.fullmatch(size) or modified.tzinfo is None or not key:
        raise ValueError(f"Key {key[:40]!r}, Size {size[:40]!r}, LastModified {row['LastModified'][:40]!r}")
    return ObjectInfo(key, int(size), row.get("ETag", "").strip('"'), modified, "", bucket)


def _decoded(key: str) -> str:
    # As AWS encodes keys here: a space is a plus, a plus is %2B.
    return unquote(key.replace("+", " ")) if "%" in key or "+" in key else key
