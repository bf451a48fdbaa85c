"""The content type of an object, by the suffix of its key.

Browsers play a video by its type, so it must not depend on the software of the machine that uploads, nor on the
version of Python, whose own table (`mimetypes`) grows with each version. This table is the only source.
"""

from __future__ import annotations

import os

#: https://www.iana.org/assignments/media-types/, and for types without an entry there, what browsers expect
#: (https://developer.mozilla.org/docs/Web/Media/Guides/Formats/Containers).
_SUFFIXES = {
    "video/3gpp": ".3gp",
    "video/3gpp2": ".3g2",
    "video/iso.segment": ".m4s",
    "video/mp2t": ".m2ts .mts .ts",
    "video/mp4": ".mp4",
    "video/mpeg": ".m1v .m2v .mpeg .mpg",
    "video/ogg": ".ogv",
    "video/quicktime": ".mov .qt",
    "video/webm": ".webm",
    "video/x-flv": ".flv",
    "video/x-m4v": ".m4v",
    "video/x-matroska": ".mkv",
    "video/x-ms-wmv": ".wmv",
    "video/x-msvideo": ".avi",
    "application/mxf": ".mxf",
    "audio/aac": ".aac",
    "audio/ac3": ".ac3",
    "audio/aiff": ".aif .aiff",
    "audio/flac": ".flac",
    "audio/midi": ".mid .midi",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".oga .ogg .opus",
    "audio/wav": ".wav",
    "audio/webm": ".weba",
    "audio/x-matroska": ".mka",
    "audio/x-ms-wma": ".wma",
    "image/apng": ".apng",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "image/jp2": ".jp2",
    "image/jpeg": ".jpeg .jpg",
    "image/jxl": ".jxl",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tif .tiff",
    "image/vnd.microsoft.icon": ".ico",
    "image/webp": ".webp",
    "image/x-adobe-dng": ".dng",
    "image/x-exr": ".exr",
    # Subtitles
    "application/ttml+xml": ".dfxp .ttml",
    "application/x-subrip": ".srt",
    "text/vtt": ".vtt",
    "text/x-ssa": ".ass .ssa",
    # Playlists and manifests
    "application/dash+xml": ".mpd",
    "application/vnd.apple.mpegurl": ".m3u8",
    "application/vnd.ms-sstr+xml": ".ism",
    "application/xspf+xml": ".xspf",
    "audio/x-mpegurl": ".m3u",
    "audio/x-scpls": ".pls",
    # Data and documents
    "application/json": ".json",
    "application/jsonl": ".jsonl",
    "application/pdf": ".pdf",
    "application/vnd.apache.parquet": ".parquet",
    "application/wasm": ".wasm",
    "application/x-tar": ".tar",
    "application/yaml": ".yaml .yml",
    "application/zip": ".npz .zip",
    "text/css": ".css",
    "text/csv": ".csv",
    "text/html": ".htm .html",
    "text/javascript": ".js .mjs",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/tab-separated-values": ".tsv",
    "text/xml": ".xml",
}
_TYPES = {suffix: content_type for content_type, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}


def content_type_of(key: str) -> str:
    """Return the content type for an object key; ``application/octet-stream`` for an unlisted suffix."""
    return _TYPES.get(os.path.splitext(key)[1].lower(), "application/octet-stream")
