"""What moved from one frame to the next: plain differences of brightness. No storage in here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

#: Difference of brightness, of 255, from which a pixel counts as changed.
THRESHOLD = 40
#: Pixels of a side of a cell; boxes are made of cells, so that specks do not become boxes.
_CELL = 8
#: Part of a cell that must have changed.
_ENOUGH = 0.15
#: Indices of the overlay's colours: nothing, what changed, and the boxes around it.
_CHANGED, _BOX = 1, 2
_COLOURS = [0, 0, 0, 255, 196, 0, 255, 48, 64]
_OPACITY = bytes([0, 110, 255])

Grey = NDArray[np.int16]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Motion:
    """What moved in one frame."""

    #: Left, top, right and bottom of each box, in pixels; the right and bottom are outside.
    boxes: list[tuple[int, int, int, int]]
    #: Part of the pixels that changed.
    share: float
    changed: Mask


def grey(path: Path) -> Grey:
    """The brightness of a frame."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.int16)


def motion(before: Grey | None, now: Grey, threshold: int = THRESHOLD) -> Motion:
    """What moved between two frames of one size; nothing, in a first frame."""
    changed = np.zeros(now.shape, dtype=bool) if before is None else np.abs(now - before) > threshold
    return Motion(_boxes(changed), round(float(changed.mean()), 4), changed)


def draw(found: Motion, path: Path) -> None:
    """Write a PNG of the size of the frame, transparent but for what moved."""
    image = Image.fromarray(found.changed.astype(np.uint8) * _CHANGED)
    image.putpalette(_COLOURS)
    pen = ImageDraw.Draw(image)
    for left, top, right, bottom in found.boxes:
        pen.rectangle((left, top, right - 1, bottom - 1), outline=_BOX, width=2)
    image.save(path, transparency=_OPACITY, compress_level=1)


def _boxes(changed: Mask) -> list[tuple[int, int, int, int]]:
    height, width = changed.shape
    # A cell that the frame cuts is judged by what there is of it.
    padded = np.pad(changed, ((0, -height % _CELL), (0, -width % _CELL)), mode="edge")
    cells = padded.reshape(padded.shape[0] // _CELL, _CELL, -1, _CELL).mean(axis=(1, 3)) > _ENOUGH
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(cells), strict=True)}
    boxes = []
    while left:
        group = _touching(min(left), left)
        rows, columns = zip(*group, strict=True)
        right, bottom = min((max(columns) + 1) * _CELL, width), min((max(rows) + 1) * _CELL, height)
        boxes.append((min(columns) * _CELL, min(rows) * _CELL, right, bottom))
    return boxes


def _touching(start: tuple[int, int], left: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """The cells that hang together with `start`, taken out of `left`."""
    left.discard(start)
    group, waiting = [start], [start]
    while waiting:
        row, column = waiting.pop()
        around = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
        left -= around
        group += around
        waiting += around
    return group
