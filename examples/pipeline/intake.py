"""Who signs uploads: a process with the keys of `ingest`, which can do nothing else.

The page is served by a process that may only read. It asks here for an address to upload to, and the browser sends
the bytes straight to the store.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from core.storage import BUCKET_IN, LayoutError, get_presigned_url
from core.storage.keys import ChunkKey

#: Seconds in which the browser must have begun to upload.
_EXPIRES = 900
_VIDEO = re.compile(r"video/[a-z0-9.+-]{1,64}")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,8})?$")


class Wanted(BaseModel):
    """What a browser wants to upload."""

    name: str
    content_type: str


class Upload(BaseModel):
    """Where it may, for a quarter of an hour, and with which Content-Type."""

    key: str
    url: str
    content_type: str


app = FastAPI(title="Signs uploads", docs_url=None, redoc_url=None, openapi_url=None)


@app.post("/uploads")
def sign(wanted: Wanted) -> Upload:
    """An address for one video, as a chunk of today. Its key is new, so that no upload replaces another."""
    if not _VIDEO.fullmatch(wanted.content_type):
        raise HTTPException(400, "only videos are taken")
    try:
        key = ChunkKey(dt.datetime.now(dt.UTC).date(), _own_name(wanted.name)).key
    except LayoutError as error:
        raise HTTPException(400, str(error)) from error
    url = get_presigned_url(BUCKET_IN, key, _EXPIRES, method="PUT", content_type=wanted.content_type)
    return Upload(key=key, url=url, content_type=wanted.content_type)


def _own_name(name: str) -> str:
    return _SUFFIX.sub(lambda suffix: f"-{secrets.token_hex(4)}{suffix[0]}", name, count=1)
