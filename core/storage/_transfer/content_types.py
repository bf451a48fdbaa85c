"""The content type of an object, by the suffix of its key.

Browsers play a video by its type, so it must not depend on what the machine that uploads has installed, nor on the
version of Python, whose own table (`mimetypes`) grows with each version. This table is the only source.
"""

from __future__ import annotations

import os

#: https://www.iana.org/assignments/media-types/, and what browsers expect where there is no entry
#: (https://developer.mozilla.org/docs/Web/Media/Guides/Formats/Containers).
_TYPES = {
    # Video
    ".3g2": "video/3gpp2",
    ".3gp": "video/3gpp",
    ".avi": "video/x-msvideo",
    ".flv": "video/x-flv",
    ".m1v": "video/mpeg",
    ".m2ts": "video/mp2t",
    ".m2v": "video/mpeg",
    ".m4s": "video/iso.segment",
    ".m4v": "video/x-m4v",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".mts": "video/mp2t",
    ".mxf": "application/mxf",
    ".ogv": "video/ogg",
    ".qt": "video/quicktime",
    ".ts": "video/mp2t",
    ".webm": "video/webm",
    ".wmv": "video/x-ms-wmv",
    # Audio
    ".aac": "audio/aac",
    ".ac3": "audio/ac3",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mid": "audio/midi",
    ".midi": "audio/midi",
    ".mka": "audio/x-matroska",
    ".mp3": "audio/mpeg",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".wma": "audio/x-ms-wma",
    # Images
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".dng": "image/x-adobe-dng",
    ".exr": "image/x-exr",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".ico": "image/vnd.microsoft.icon",
    ".jp2": "image/jp2",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".jxl": "image/jxl",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
    # Subtitles
    ".ass": "text/x-ssa",
    ".dfxp": "application/ttml+xml",
    ".srt": "application/x-subrip",
    ".ssa": "text/x-ssa",
    ".ttml": "application/ttml+xml",
    ".vtt": "text/vtt",
    # Playlists and manifests
    ".ism": "application/vnd.ms-sstr+xml",
    ".m3u": "audio/x-mpegurl",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".pls": "audio/x-scpls",
    ".xspf": "application/xspf+xml",
    # Data and documents
    ".css": "text/css",
    ".csv": "text/csv",
    ".html": "text/html",
    ".htm": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".npz": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".tar": "application/x-tar",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".xml": "text/xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
}
DEFAULT = "application/octet-stream"


def content_type_of(name: str | os.PathLike[str]) -> str:
    """Return the content type for a file or key; `DEFAULT` for a suffix that is not in the table."""
    return _TYPES.get(os.path.splitext(name)[1].lower(), DEFAULT)  # works on keys, which are no paths
