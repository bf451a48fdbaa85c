"""The server of the page. It runs as identity `viewer`: it reads, and signs addresses that read."""

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
#: Seconds for which the address of an image is valid. The page requests new ones when an image fails to load.
_EXPIRES = 3600

app = FastAPI(title="Frames and overlays", docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/page", StaticFiles(directory=_PAGE), name="page")


@app.get("/", include_in_schema=False)
def index() -> FileResponse:
    """Return the page."""
    return FileResponse(_PAGE / "index.html", headers={"Content-Security-Policy": _content_security_policy()})


@app.get("/api/chunks")
def chunks() -> list[dict[str, Any]]:
    """Return every chunk in the bucket, with its jobs."""
    with connected(read_only=True) as connection:
        jobs = database.checkpoints(connection)
    return [
        {
            "key": chunk.key,
            "size": chunk.size,
            "timeline_id": timeline_of(chunk),
            "jobs": [_job(job) for job in jobs if job.timeline_id == timeline_of(chunk)],
        }
        for chunk in list_objects(BUCKET_IN, "chunks/")
    ]


@app.get("/api/timelines/{timeline_id}/frames")
def frames(timeline_id: str) -> list[dict[str, str]]:
    """Return the addresses of the cached frames of a timeline."""
    return [_image(frame.key) for frame in FrameCache(ManifestKey(timeline_id).timeline_id).manifest().frames]


@app.get("/api/jobs/{job_id}")
def job(job_id: str) -> list[dict[str, Any]]:
    """Return the result of a job for each frame: the addresses of frame and overlay, and the detections."""
    OverlayKey(job_id, 0)
    with connected(read_only=True) as connection:
        outputs = database.outputs(connection, "detect", job_id)
    return [{"frame": _image(output.source), "overlay": _image(output.key), **output.detail} for output in outputs]


@app.post("/api/uploads")
def upload(wanted: Wanted) -> Upload:
    """Return an address to upload a video to. `intake` signs it: the keys of this process only read."""
    intake = os.environ.get(INTAKE_VARIABLE)
    if not intake:
        raise HTTPException(
            503, f"uploads are off: {INTAKE_VARIABLE} is not set. Start `intake`, and set it to its address"
        )
    headers = {"Content-Type": "application/json"}
    body = wanted.model_dump_json().encode()
    request = urllib.request.Request(f"{intake}/uploads", body, headers)  # noqa: S310  # our own process
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # as above
            return Upload.model_validate_json(response.read())
    except urllib.error.HTTPError as error:
        with error:
            raise HTTPException(error.code, json.loads(error.read()).get("detail", "refused")) from error
    except OSError as error:
        raise HTTPException(
            503, f"the process that signs uploads does not respond at {intake}: start `intake` again"
        ) from error


@app.exception_handler(PipelineError)
@app.exception_handler(StorageError)
def explain(_request: Request, error: Exception) -> JSONResponse:
    """Return the message of an error, for the page to show."""
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


def _job(job: Checkpoint) -> dict[str, Any]:
    return {"stage": job.stage, "job_id": job.job_id, "state": job.state, "at": job.at, **job.detail}


def _image(key: str) -> dict[str, str]:
    return {"key": key, "url": get_presigned_url(BUCKET_OUT, key, _EXPIRES)}
