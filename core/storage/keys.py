"""The layout of the two buckets: every key there is, made from its parts and read back into them.

======  ========================================  ========================================
bucket  layout                                    example
======  ========================================  ========================================
in      ``chunks/<date>/<name>``                  ``chunks/2025-04-15/match-01.mp4``
out     ``frames/<timeline_id>/<frame>``          ``frames/match-01/00000042.jpg``
out     ``frames/<timeline_id>/<run>/<frame>``    ``frames/match-01/9f3c20d1e4b7a586/00000042.jpg``
out     ``frames/<timeline_id>/manifest.json``    ``frames/match-01/manifest.json``
out     ``overlays/<job_id>/<frame>``             ``overlays/7d44/00000042.jpg``
======  ========================================  ========================================

A key that exists as an object of one of these classes is whole: it has its parts, leaves no folder and is taken by
every store. `parse` makes them from text. docs/keys.md is for those who query such keys with SQL.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from core.storage._errors import LayoutError
from core.storage._keys import key_problem, part_problem

#: Digits of a frame's number, with zeros before it, so that the order of names is the order of numbers. Eight
#: are 46 days of 25 frames a second.
DIGITS = 8
#: Identifiers stand in SQL, paths, URLs and shells, and are the same in all of them without being escaped. A dot
#: would let them pass for a file, or for `..`; a hyphen in front, for an option.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
#: A run of `FrameCache`: nobody else would name a folder so.
_RUN = re.compile(r"[0-9a-f]{16}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
#: The name of a frame's file, ``00000042.jpg``.
FRAME = re.compile(rf"([0-9]{{{DIGITS}}})(\.[a-z0-9]{{1,8}})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: What terminals, logs and line-wise tools would act upon.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MANIFEST = "manifest.json"


class _Key:
    """What all keys can do."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """The key as text."""
        return "/".join(self._parts())

    @property
    def folder(self) -> str:
        """The key up to its last slash: what to list for those beside it."""
        return self.key.rpartition("/")[0] + "/"

    def __str__(self) -> str:
        return self.key

    def _parts(self) -> tuple[str, ...]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ChunkKey(_Key):
    """A source video, ``chunks/<date>/<name>`` in the bucket `in`. Immutable.

    Raises:
        LayoutError: on construction, for a part that cannot be part of a key.
    """

    #: The day that it belongs to; written as ISO 8601 does, ``2025-04-15``.
    date: dt.date
    #: A file name of at most 255 bytes, such as ``match-01.mp4``: any text without slashes and control characters.
    name: str

    def __post_init__(self) -> None:
        if type(self.date) is not dt.date:  # a datetime is one too, and would be written with its time
            raise LayoutError(f"the date of a chunk must be a datetime.date, got {self.date!r}")
        problem = _name_problem(self.name)
        if problem:
            raise LayoutError(f"the name of a chunk {problem}, got {self.name!r}")

    def _parts(self) -> tuple[str, ...]:
        return ("chunks", self.date.isoformat(), self.name)


@dataclass(frozen=True, slots=True)
class FrameKey(_Key):
    """A frame of a timeline, ``frames/<timeline_id>/[<run>/]<frame>`` in the bucket `out`. Immutable.

    Raises:
        LayoutError: on construction, for a part that cannot be part of a key.
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

    @property
    def name(self) -> str:
        """The name of its file, ``00000042.jpg``."""
        return _frame_name(self.index, self.suffix)

    def _parts(self) -> tuple[str, ...]:
        return ("frames", self.timeline_id, *([self.run] if self.run else []), self.name)


@dataclass(frozen=True, slots=True)
class ManifestKey(_Key):
    """What makes the frames of a timeline a cache, ``frames/<timeline_id>/manifest.json`` in `out`. Immutable.

    Raises:
        LayoutError: on construction, for an identifier that cannot be part of a key.
    """

    #: As in `FrameKey`.
    timeline_id: str

    def __post_init__(self) -> None:
        _check_id("timeline_id", self.timeline_id)

    def _parts(self) -> tuple[str, ...]:
        return ("frames", self.timeline_id, _MANIFEST)


@dataclass(frozen=True, slots=True)
class OverlayKey(_Key):
    """A frame that a job drew on, ``overlays/<job_id>/<frame>`` in the bucket `out`. Immutable.

    Raises:
        LayoutError: on construction, for a part that cannot be part of a key.
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

    @property
    def name(self) -> str:
        """The name of its file, ``00000042.jpg``."""
        return _frame_name(self.index, self.suffix)

    def _parts(self) -> tuple[str, ...]:
        return ("overlays", self.job_id, self.name)


def parse(key: str) -> ChunkKey | FrameKey | ManifestKey | OverlayKey:
    """The parts of `key`. ``parse(key).key == key``, always.

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
    try:
        # `fromisoformat` alone would take 20250415 too.
        found = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise LayoutError(f"{text!r} is no date such as 2025-04-15")
    return found


def _frame(name: str) -> tuple[int, str]:
    found = FRAME.fullmatch(name)
    if not found:
        raise LayoutError(f"{name!r} is no frame: write its number with {DIGITS} digits, as in 00000042.jpg")
    return int(found[1]), found[2]


def _frame_name(index: int, suffix: str) -> str:
    return f"{index:0{DIGITS}}{suffix}"


def _check_frame(index: int, suffix: str) -> None:
    if type(index) is not int or not 0 <= index < 10**DIGITS:
        raise LayoutError(f"the index of a frame must be a whole number from 0 to {10**DIGITS - 1}, got {index!r}")
    if not _SUFFIX.fullmatch(suffix):
        raise LayoutError(
            f"the suffix of a frame must be a dot and 1 to 8 of a-z and 0-9, such as .jpg, got {suffix!r}"
        )


def _check_id(what: str, text: str) -> None:
    if not _ID.fullmatch(text):
        raise LayoutError(
            f"a {what} must be 1 to 128 of A-Z, a-z, 0-9, _ and -, with a letter or digit first, got {text!r}"
        )


def _name_problem(name: str) -> str | None:
    if not name:
        return "must not be empty"
    if "/" in name or _CONTROL.search(name):
        return "must not hold a slash or a control character"
    return key_problem(name) or part_problem(name)
