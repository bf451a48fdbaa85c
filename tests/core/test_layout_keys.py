"""The layout of the buckets as code: what is built is read back, and nothing else is."""

from __future__ import annotations

import datetime as dt
import os
import pickle
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import assume, example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from core.storage import LayoutError, safe_path
from core.storage._keys import check_new_key
from core.storage.keys import ChunkKey, FrameKey, ManifestKey, OverlayKey, parse

Key = ChunkKey | FrameKey | ManifestKey | OverlayKey
DAY = dt.date(2025, 4, 15)
RUN = "9f3c20d1e4b7a586"
EXAMPLES = {
    "chunks/2025-04-15/match-01.mp4": ChunkKey(DAY, "match-01.mp4"),
    "chunks/0001-01-01/é ü.MP4": ChunkKey(dt.date(1, 1, 1), "é ü.MP4"),
    "frames/match-01/00000042.jpg": FrameKey("match-01", 42),
    "frames/match-01/99999999.webp": FrameKey("match-01", 99_999_999, ".webp"),
    f"frames/match-01/{RUN}/00000042.jpg": FrameKey("match-01", 42, run=RUN),
    "frames/match-01/manifest.json": ManifestKey("match-01"),
    "overlays/0b6ffba3-7c1f-4c0a-9d4e-0a8a9f0c2f11/00000000.png": OverlayKey(
        "0b6ffba3-7c1f-4c0a-9d4e-0a8a9f0c2f11", 0, ".png"
    ),
}
#: What a part may be written with, and what it may not.
ODD = [
    "",
    ".",
    "..",
    "/",
    "a/b",
    "\\",
    "\0",
    "\n",
    "\x7f",
    "\x85",
    "\u2028",
    "\ud800",
    "a.b",
    "%2F",
    "ö",
    "x" * 256,
]

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", fullmatch=True)
suffixes = st.from_regex(r"\.[a-z0-9]{1,8}", fullmatch=True)
runs = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
indices = st.integers(0, 10**8 - 1)
texts = st.one_of(st.sampled_from(ODD), st.text(max_size=20))
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="/\\"), min_size=1)


def parsed(text: str) -> Key | None:
    """The key in `text`; None where it is refused, in words and by its name."""
    try:
        return parse(text)
    except LayoutError as error:
        refused = error
    assert refused.key == text
    assert repr(text) in str(refused)
    return None


def prefix_of(key: Key) -> str:
    match key:
        case ChunkKey():
            return f"chunks/{key.date:%Y-%m-%d}/"
        case OverlayKey():
            return f"overlays/{key.job_id}/"
        case FrameKey() | ManifestKey():
            return f"frames/{key.timeline_id}/"


@pytest.mark.parametrize(("text", "key"), EXAMPLES.items())
def test_a_key_is_its_parts(text, key):
    assert (key.key, str(key), f"{key}") == (text, text, text)
    assert parse(text) == key
    assert key.folder == text.rpartition("/")[0] + "/"
    assert pickle.loads(pickle.dumps(key)) == key  # noqa: S301  # of our own making


@limits(deadline=None)
@given(
    st.one_of(
        st.builds(
            ChunkKey, st.dates(), names.filter(lambda name: len(name.encode()) <= 255 and name not in {".", ".."})
        ),
        st.builds(FrameKey, ids, indices, suffixes, st.one_of(runs, st.just(""))),
        st.builds(ManifestKey, ids),
        st.builds(OverlayKey, ids, indices, suffixes),
    )
)
def test_what_is_built_is_read_back(key):
    assert parse(key.key) == key
    assert len(key.key.encode()) <= 1024


@limits(deadline=None)
@given(st.sampled_from([ChunkKey, FrameKey, ManifestKey, OverlayKey]), texts, texts, texts)
@example(FrameKey, "a", ".jpg", "..")
@example(ChunkKey, "x/../../y", "", "")
@example(ChunkKey, "é" * 128, "", "")
def test_no_part_leads_out_of_its_prefix(kind, one, other, third):
    makers: dict[Any, Any] = {
        ChunkKey: lambda: ChunkKey(DAY, one),
        FrameKey: lambda: FrameKey(one, 42, other, third),
        ManifestKey: lambda: ManifestKey(one),
        OverlayKey: lambda: OverlayKey(one, 42, other),
    }
    try:
        key = makers[kind]()
    except LayoutError:
        return
    text = key.key
    assert os.path.normpath(text) == text
    assert text.startswith(prefix_of(key))
    assert check_new_key(text) == text
    assert safe_path("folder", text) == Path("folder", text)
    assert parse(text) == key


@limits(deadline=None)
@given(st.sampled_from(list(EXAMPLES)), st.data())
def test_a_key_that_is_changed_is_another_one_or_none(text, data):
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    changed = text[:at] + data.draw(texts) + text[at + cut :]
    assume(changed != text)
    found = parsed(changed)
    assert found is None or (found.key == changed and found != EXAMPLES[text])


@limits(deadline=None)
@given(st.lists(st.one_of(texts, st.sampled_from(["chunks", "frames", "overlays"]), ids), max_size=5))
def test_any_text_is_a_key_of_the_layout_or_refused(parts):
    text = "/".join(parts)
    found = parsed(text)
    assert found is None or found.key == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "chunks",
        "chunks/2025-04-15",
        "chunks/2025-04-15/",
        "chunks/2025-04-15/a/b.mp4",
        "chunks/20250415/a.mp4",
        "chunks/2025-W16-2/a.mp4",
        "chunks/2025-02-30/a.mp4",
        "chunks/٢٠٢٥-04-15/a.mp4",
        "chunks/2025-04-15/..",
        "chunks/2025-04-15/a\\b",
        "chunks/2025-04-15/a\tb",
        "/chunks/2025-04-15/a.mp4",
        "Chunks/2025-04-15/a.mp4",
        "frames/match-01/42.jpg",
        "frames/match-01/000000042.jpg",
        "frames/match-01/0000004२.jpg",
        "frames/match-01/00000042",
        "frames/match-01/00000042.JPG",
        "frames/match-01/00000042.jpg\n",
        "frames/match-01//00000042.jpg",
        "frames/match-01/previews/00000042.jpg",
        f"frames/match-01/{RUN.upper()}/00000042.jpg",
        f"frames/match-01/{RUN}/manifest.json",
        "frames/match.01/00000042.jpg",
        "frames/-x/00000042.jpg",
        "frames/../00000042.jpg",
        "frames//manifest.json",
        "overlays/7d44/manifest.json",
        f"overlays/7d44/{RUN}/00000042.jpg",
        "clips/2025-04-15/a.mp4",
    ],
)
def test_a_key_outside_the_layout_is_refused(text):
    assert parsed(text) is None
    with pytest.raises(ValueError, match="is not in the layout of the buckets"):
        parse(text)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ChunkKey(cast("Any", "2025-04-15"), "a.mp4"), "must be a datetime.date, got '2025-04-15'"),
        (lambda: ChunkKey(dt.datetime(2025, 4, 15, tzinfo=dt.UTC), "a.mp4"), "must be a datetime.date"),
        (lambda: ChunkKey(DAY, ""), "must not be empty"),
        (lambda: ChunkKey(DAY, "a/b"), "must not hold a slash or a control character, got 'a/b'"),
        (lambda: ChunkKey(DAY, "x" * 256), "has a part of more than 255 bytes"),
        (lambda: ChunkKey(DAY, ".mpr-0123abcd.part"), "name of a temporary file"),
        (lambda: ManifestKey("match 01"), "a timeline_id must be 1 to 128 of A-Z, a-z, 0-9, _ and -"),
        (lambda: ManifestKey("x" * 129), "a timeline_id must be"),
        (lambda: OverlayKey("a.b", 1), "a job_id must be"),
        (lambda: FrameKey("a", 1, run="r"), "a run must be 16 of 0-9 and a-f"),
        (lambda: FrameKey("a", -1), "a whole number from 0 to 99999999, got -1"),
        (lambda: FrameKey("a", 10**8), "a whole number from 0 to 99999999"),
        (lambda: FrameKey("a", index=True), "a whole number"),
        (lambda: FrameKey("a", cast("Any", 1.0)), "a whole number"),
        (lambda: FrameKey("a", 1, "jpg"), "a dot and 1 to 8 of a-z and 0-9, such as .jpg, got 'jpg'"),
    ],
)
def test_a_value_that_cannot_be_part_of_a_key_is_refused(make, said):
    with pytest.raises(LayoutError) as caught:
        make()
    assert said in str(caught.value)


@limits(deadline=None)
@given(indices, indices)
def test_the_order_of_keys_is_the_order_of_frames(one, other):
    keys = [FrameKey("a", index).key for index in (one, other)]
    assert (keys[0] < keys[1]) == (one < other)
    assert (keys[0].encode() < keys[1].encode()) == (one < other)
