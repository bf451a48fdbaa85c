"""The manifest of cached frames: read as it was written, and whatever is none is refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from core.storage import FrameManifest, LayoutError, get_s3_client, keys
from core.storage._frames.manifest import CachedFrame, decoded, encoded

MANIFEST = "frames/match-01/manifest.json"


def manifest_of(count: int) -> FrameManifest:
    key = keys.FrameKey("match-01", 0, run="0123456789abcdef")
    frames = [CachedFrame(f"{key.folder}{index:08}.jpg", index, f"{index:032x}") for index in range(count)]
    return FrameManifest("media-out", "match-01", key.run, tuple(frames))


GOOD = encoded(manifest_of(3)).decode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "Expecting value"),
        (GOOD[:-5], "Unterminated string"),
        ("\0" * 100, "Expecting value"),
        ("[]", "list indices must be"),
        ("null", "not subscriptable"),
        ("{}", "it has no 'format'"),
        ("[" * 100_000, "recursion"),
        ('{"format":"mpr-storage frames 1"}', "it has no 'timeline_id'"),
        (GOOD.replace("frames 1", "frames 2"), "its format is 'mpr-storage frames 2'"),
        (GOOD.replace("match-01", "match-02"), "it is of the timeline 'match-02'"),
        (GOOD.replace("00000001.jpg", "../../1.jpg"), "its run, a file name or a hash is invalid"),
        (GOOD.replace("00000001.jpg", "00000000.png"), "not in the order of their numbers, each once"),
        (GOOD.replace('"00000001.jpg",', ""), "it has 2 names, 3 sizes and 3 hashes"),
        (GOOD.replace("0123456789abcdef", "../other"), "a run must be"),
        (GOOD.replace("0123456789abcdef", ""), "its run, a file name or a hash is invalid"),
        (GOOD.replace("[0,1,2]", "[0,-1,2]"), "a size is invalid"),
        (GOOD.replace("[0,1,2]", "[0,true,2]"), "a size is invalid"),
        (GOOD.replace("[0,1,2]", "7"), "has no len"),
        (GOOD.replace(f"{2:032x}", "x" * 32), "its run, a file name or a hash is invalid"),
        (encoded(manifest_of(0)).decode(), "it has 0 names"),
    ],
)
def test_what_is_no_manifest_says_why_and_what_to_do(body, said):
    with pytest.raises(LayoutError, match=r"is no manifest of FrameCache\('match-01'\).*`discard` it") as caught:
        decoded(body.encode(), "media-out", "match-01")
    assert said in str(caught.value)
    assert (caught.value.bucket, caught.value.key) == ("media-out", MANIFEST)


def test_what_is_no_manifest_stops_readers_and_writers(cache, bucket, tmp_path):
    get_s3_client().put_object(Bucket=bucket, Key=MANIFEST, Body=b"of another program")
    for use in (cache.manifest, lambda: cache.get(tmp_path), lambda: cache.write_once(pytest.fail)):
        with pytest.raises(LayoutError):
            use()
    assert list(tmp_path.iterdir()) == []
    assert cache.exists()  # nothing of it is read
    cache.discard()
    assert not cache.exists()


@limits(deadline=None)
@given(st.integers(1, 200))
def test_a_manifest_is_read_as_it_was_written(count):
    manifest = manifest_of(count)
    assert decoded(encoded(manifest), "media-out", "match-01") == manifest


@limits(deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 4), st.text('[]{},:"0179abf./ ', max_size=4))
def test_a_manifest_that_is_damaged_is_refused_or_still_leads_nowhere_else(at, cut, put):
    body: Any = GOOD[:at] + put + GOOD[at + cut :]
    try:
        found = decoded(body.encode(), "media-out", "match-01")
    except LayoutError:
        return
    assert all(str(keys.parse(frame.key)) == frame.key for frame in found.frames)
    assert all(frame.key.startswith(f"frames/match-01/{found.run}/") for frame in found.frames)
