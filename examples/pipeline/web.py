"""The page, and what it shows. Runs as identity `viewer`: it reads, and hands out addresses that read."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from core.storage import (
    BUCKET_IN,
    BUCKET_OUT,
    FrameCache,
    LayoutError,
    ObjectNotFoundError,
    StorageError,
    get_presigned_url,
    list_objects,
)
from core.storage.keys import ManifestKey, OverlayKey
from examples.pipeline import database
from examples.pipeline.database import Checkpoint, connected
from examples.pipeline.errors import PipelineError
from examples.pipeline.extract import timeline_of
from examples.pipeline.intake import Upload, Wanted
from examples.pipeline.serving import INTAKE_VARIABLE

_PAGE = Path(__file__).with_name("page")
#: Seconds for which the address of an image holds: as long as a user may look at one page.
_EXPIRES = 3600

app = FastAPI(title="Frames and overlays", docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/page", StaticFiles(directory=_PAGE), name="page")


@app.get("/", include_in_schema=False)
def index() -> FileResponse:
    """The page."""
    return FileResponse(_PAGE / "index.html", headers={"Content-Security-Policy": _content_security_policy()})


@app.get("/api/chunks")
def chunks() -> list[dict[str, Any]]:
    """Every chunk in the bucket, with the jobs that it went through."""
    with connected(read_only=True) as connection:
        known = database.checkpoints(connection)
    return [
        {
            "key": chunk.key,
            "size": chunk.size,
            "timeline_id": timeline_of(chunk),
            "jobs": [_told(one) for one in known if one.timeline_id == timeline_of(chunk)],
        }
        for chunk in list_objects(BUCKET_IN, "chunks/")
    ]


@app.get("/api/timelines/{timeline_id}/frames")
def frames(timeline_id: str) -> list[dict[str, str]]:
    """Addresses of the cached frames of a timeline."""
    return [_image(frame.key) for frame in FrameCache(ManifestKey(timeline_id).timeline_id).manifest().frames]


@app.get("/api/jobs/{job_id}")
def job(job_id: str) -> list[dict[str, Any]]:
    """The frames that a job drew on, with its overlays and what it found."""
    OverlayKey(job_id, 0)
    with connected(read_only=True) as connection:
        made = database.outputs(connection, "detect", job_id)
    return [{"frame": _image(one.source), "overlay": _image(one.key), **one.detail} for one in made]


@app.post("/api/uploads")
def upload(wanted: Wanted) -> Upload:
    """An address to upload a video to, signed by `intake`: the keys here cannot."""
    intake = os.environ.get(INTAKE_VARIABLE)
    if not intake:
        raise HTTPException(
            503, f"no process signs uploads: start `intake`, and set its address in {INTAKE_VARIABLE}"
        )
    headers = {"Content-Type": "application/json"}
    body = wanted.model_dump_json().encode()
    asked = urllib.request.Request(f"{intake}/uploads", body, headers)  # noqa: S310  # our own process
    try:
        with urllib.request.urlopen(asked, timeout=10) as response:  # noqa: S310  # as above
            return Upload.model_validate_json(response.read())
    except urllib.error.HTTPError as error:
        with error:
            raise HTTPException(error.code, json.loads(error.read()).get("detail", "refused")) from error
    except OSError as error:
        raise HTTPException(503, "the process that signs uploads does not respond") from error


@app.exception_handler(PipelineError)
@app.exception_handler(StorageError)
def explain(_request: Request, error: Exception) -> JSONResponse:
    """A failure as one sentence, for the page to show."""
    code = 404 if isinstance(error, ObjectNotFoundError) else 400 if isinstance(error, LayoutError) else 503
    return JSONResponse({"detail": str(error)}, code)


@cache
def _content_security_policy() -> str:
    """Return what the page may load, its own files and images of the store, and where it may send: to the store.

    https://developer.mozilla.org/docs/Web/HTTP/Guides/CSP
    """
    frames, uploads = (_origin(get_presigned_url(bucket, "x", 1)) for bucket in (BUCKET_OUT, BUCKET_IN))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src data: {frames}; connect-src 'self' {uploads}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _told(one: Checkpoint) -> dict[str, Any]:
    return {"stage": one.stage, "job_id": one.job_id, "state": one.state, **one.detail}


def _image(key: str) -> dict[str, str]:
    return {"key": key, "url": get_presigned_url(BUCKET_OUT, key, _EXPIRES)}
