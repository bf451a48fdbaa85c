"""The layout of the two buckets: classes that build object keys from their parts, and `parse`, which reads them.

======  ========================================  ========================================
bucket  layout                                    example
======  ========================================  ========================================
in      ``chunks/<date>/<name>``                  ``chunks/2025-04-15/match-01.mp4``
out     ``frames/<timeline_id>/<frame>``          ``frames/match-01/00000042.jpg``
out     ``frames/<timeline_id>/<run>/<frame>``    ``frames/match-01/9f3c20d1e4b7a586/00000042.jpg``
out     ``frames/<timeline_id>/manifest.json``    ``frames/match-01/manifest.json``
out     ``overlays/<job_id>/<frame>``             ``overlays/7d44/00000042.jpg``
======  ========================================  ========================================

An object of one of these classes is a valid key: all its parts are set, none leads out of its folder, and every
store accepts it. docs/how-to/keys.md shows how to query such keys with SQL.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from dataclasses import dataclass

from core.storage._errors import LayoutError
from core.storage._keys import key_problem, name_problem

#: Digits of a frame's number, with zeros before it, so that the order of names is the order of numbers. Eight
#: are 46 days of 25 frames a second.
DIGITS = 8
#: The same text in SQL, paths, URLs and shells, without escapes. With a dot it could be a file name or `..`, with
#: a hyphen in front an option.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
#: The name of a run of `FrameCache`, unlikely for another folder.
_RUN = re.compile(r"[0-9a-f]{16}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
#: The name of a frame's file, ``00000042.jpg``.
FRAME = re.compile(rf"([0-9]{{{DIGITS}}})({_SUFFIX.pattern})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Terminals, logs and line-wise tools would act upon these.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MANIFEST = "manifest.json"


class _Key:
    """The base of all keys. Subclasses define `__str__`."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """The key as text."""
        return str(self)

    @property
    def folder(self) -> str:
        """The key up to its last slash: the prefix that lists the objects in the same folder."""
        return str(self).rpartition("/")[0] + "/"


class _FrameFile(_Key):
    """The base of keys that end in the file of a frame."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name of its file, ``00000042.jpg``."""
        return str(self).rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ChunkKey(_Key):
    """A source video, ``chunks/<date>/<name>`` in the bucket `in`.

    Immutable. Construction raises `LayoutError` for an invalid part.
    """

    #: The day that it belongs to; written as in ISO 8601, ``2025-04-15``.
    date: dt.date
    #: A file name of at most 255 bytes, such as ``match-01.mp4``: any text without slashes and control characters.
    name: str

    def __post_init__(self) -> None:
        if type(self.date) is not dt.date:  # a datetime is a date, too, and would be written with its time
            raise LayoutError(f"the date of a chunk must be a datetime.date, got {self.date!r}")
        problem: str | None = "must not be empty"
        if self.name:
            problem = key_problem(self.name) or name_problem(self.name)
            if "/" in self.name or _CONTROL.search(self.name):
                problem = "must not hold a slash or a control character"
        if problem:
            raise LayoutError(f"the name of a chunk {problem}, got {self.name!r}")

    def __str__(self) -> str:
        return f"chunks/{self.date.isoformat()}/{self.name}"


@dataclass(frozen=True, slots=True)
class FrameKey(_FrameFile):
    """A frame of a timeline, ``frames/<timeline_id>/[<run>/]<frame>`` in the bucket `out`.

    Immutable. Construction raises `LayoutError` for an invalid part.
    """

    #: 1 to 128 of ``A-Z a-z 0-9 _ -``, a letter or digit first; a UUID is one.
    timeline_id: str
    #: From 0 to 99,999,999.
    index: int
    #: Of the frame's file, with its dot, in lower case.
    suffix: str = ".jpg"
    #: The run of `FrameCache` that wrote it, 16 of ``0-9 a-f``; empty for frames that were written without one.
    run: str = ""

    def __post_init__(self) -> None:
        _check_id("timeline_id", self.timeline_id)
        if self.run and not _RUN.fullmatch(self.run):
            raise LayoutError(f"a run must be 16 of 0-9 and a-f, or empty, got {self.run!r}")
        _check_frame(self.index, self.suffix)

    def __str__(self) -> str:
        folder = f"{self.timeline_id}/{self.run}" if self.run else self.timeline_id
        return f"frames/{folder}/{self.index:0{DIGITS}}{self.suffix}"


@dataclass(frozen=True, slots=True)
class ManifestKey(_Key):
    """The object that completes a frame cache, ``frames/<timeline_id>/manifest.json`` in `out`.

    Immutable. Construction raises `LayoutError` for an invalid identifier.
    """

    #: As in `FrameKey`.
    timeline_id: str

    def __post_init__(self) -> None:
        _check_id("timeline_id", self.timeline_id)

    def __str__(self) -> str:
        return f"frames/{self.timeline_id}/{_MANIFEST}"


@dataclass(frozen=True, slots=True)
class OverlayKey(_FrameFile):
    """A frame that a job drew on, ``overlays/<job_id>/<frame>`` in the bucket `out`.

    Immutable. Construction raises `LayoutError` for an invalid part.
    """

    #: 1 to 128 of ``A-Z a-z 0-9 _ -``, a letter or digit first; a UUID is one.
    job_id: str
    #: From 0 to 99,999,999; that of the frame it was drawn on.
    index: int
    #: Of the overlay's file, with its dot, in lower case.
    suffix: str = ".jpg"

    def __post_init__(self) -> None:
        _check_id("job_id", self.job_id)
        _check_frame(self.index, self.suffix)

    def __str__(self) -> str:
        return f"overlays/{self.job_id}/{self.index:0{DIGITS}}{self.suffix}"


def parse(key: str) -> ChunkKey | FrameKey | ManifestKey | OverlayKey:
    """Return `key` as an object with its parts. ``parse(key).key == key``, always.

    ::

        >>> parse("frames/match-01/00000042.jpg")
        FrameKey(timeline_id='match-01', index=42, suffix='.jpg', run='')

    Raises:
        LayoutError: the key is not exactly what one of the classes here would make.
    """
    try:
        match key.split("/"):
            case ["chunks", date, name]:
                return ChunkKey(_date(date), name)
            case ["frames", timeline_id, name] if name == _MANIFEST:
                return ManifestKey(timeline_id)
            case ["frames", timeline_id, name]:
                return FrameKey(timeline_id, *_frame(name))
            case ["frames", timeline_id, run, name] if run:
                return FrameKey(timeline_id, *_frame(name), run)
            case ["overlays", job_id, name]:
                return OverlayKey(job_id, *_frame(name))
    except LayoutError as error:
        raise LayoutError(f"the key {key!r} is not in the layout of the buckets: {error}", key=key) from error
    raise LayoutError(
        f"the key {key!r} is not in the layout of the buckets, which is chunks/<date>/<name>, "
        "frames/<timeline_id>/<frame> or overlays/<job_id>/<frame>",
        key=key,
    )


def _date(text: str) -> dt.date:
    if _DATE.fullmatch(text):  # `fromisoformat` alone accepts 20250415, too
        with suppress(ValueError):
            return dt.date.fromisoformat(text)
    raise LayoutError(f"{text!r} is no date such as 2025-04-15")


def _frame(name: str) -> tuple[int, str]:
    match = FRAME.fullmatch(name)
    if not match:
        raise LayoutError(f"{name!r} is no frame: write its number with {DIGITS} digits, as in 00000042.jpg")
    return int(match[1]), match[2]


def _check_id(name: str, text: str) -> None:
    if not _ID.fullmatch(text):
        raise LayoutError(
            f"a {name} must be 1 to 128 of A-Z, a-z, 0-9, _ and -, with a letter or digit first, got {text!r}"
        )


def _check_frame(index: int, suffix: str) -> None:
    if type(index) is not int or not 0 <= index < 10**DIGITS:
        raise LayoutError(f"the index of a frame must be a whole number from 0 to {10**DIGITS - 1}, got {index!r}")
    if not _SUFFIX.fullmatch(suffix):
        raise LayoutError(
            f"the suffix of a frame must be a dot and 1 to 8 of a-z and 0-9, such as .jpg, got {suffix!r}"
        )
