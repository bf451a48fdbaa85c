"""What counts as motion, on frames that are made for it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from examples.pipeline import difference


def scene(*squares, shape=(180, 320)):
    frame = np.full(shape, 30, dtype=np.int16)
    for left, top in squares:
        frame[top : top + 32, left : left + 32] = 220
    return frame


def test_a_first_frame_and_an_unchanged_frame_have_no_boxes():
    for before in (None, scene((40, 40))):
        found = difference.motion(before, scene((40, 40)))
        assert (found.boxes, found.share) == ([], 0.0)


def test_a_shape_that_appears_is_inside_its_box():
    found = difference.motion(scene(), scene((40, 48)))
    assert found.boxes == [(40, 48, 72, 80)]
    assert found.share == round(32 * 32 / (180 * 320), 4)


def test_two_shapes_get_two_boxes():
    assert len(difference.motion(scene(), scene((8, 8), (200, 120))).boxes) == 2


def test_single_pixels_get_no_box():
    now = scene()
    now[::20, ::20] = 255
    found = difference.motion(scene(), now)
    assert found.boxes == []
    assert found.share > 0


def test_a_change_below_the_threshold_gets_no_box():
    before, now = scene(), scene() + 39
    assert difference.motion(before, now).boxes == []
    assert difference.motion(before, now, threshold=38).boxes == [(0, 0, 320, 180)]


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (181, 323)])
def test_boxes_stay_in_frames_of_any_size(shape):
    height, width = shape
    assert difference.motion(scene(shape=shape), scene(shape=shape) + 100).boxes == [(0, 0, width, height)]


def test_an_overlay_is_transparent_outside_the_boxes(tmp_path):
    path = tmp_path / "00000001.png"
    difference.draw(difference.motion(scene(), scene((40, 48))), path)
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGBA"))
    assert shown.shape == (180, 320, 4)
    alpha = shown[..., 3]
    assert alpha[48, 40] == 255, "the box"
    assert 0 < alpha[64, 56] < 255, "what changed"
    outside = np.ones(alpha.shape, dtype=bool)
    outside[48:80, 40:72] = False
    assert not alpha[outside].any()
