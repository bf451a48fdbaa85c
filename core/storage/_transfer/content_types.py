"""The content type of a file, by its name.

Browsers play a video by its type, so it must not depend on what the machine that uploads has installed: the
table of the pipeline's own kinds comes first, then Python's built-in one, never the system's files.
"""

from __future__ import annotations

import mimetypes
import os

#: https://www.iana.org/assignments/media-types/, and what browsers expect where there is no entry.
_TYPES = {
    ".avi": "video/x-msvideo",
    ".jsonl": "application/jsonl",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".m4v": "video/x-m4v",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".mts": "video/mp2t",
    ".npy": "application/octet-stream",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".srt": "application/x-subrip",
    ".ts": "video/mp2t",
    ".vtt": "text/vtt",
    ".webm": "video/webm",
    ".webp": "image/webp",
}
DEFAULT = "application/octet-stream"


def content_type_of(name: str | os.PathLike[str]) -> str:
    """The content type for a file called `name`."""
    suffix = os.path.splitext(name)[1].lower()  # works on keys, which are no paths
    known = _TYPES.get(suffix)
    if known:
        return known
    guessed, encoding = mimetypes.MimeTypes().guess_type(f"file{suffix}")
    return guessed if guessed and not encoding else DEFAULT
