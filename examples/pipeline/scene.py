"""A scene to detect motion in: a pitch from above, with two teams and a ball."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import tau

#: Frames per second.
RATE = 50
_GRASS, _STRIPE, _LINE = "0x2f7d3b", "0x368642", "0xd7ead9"
#: One team differs more from the grass in brightness than the other: a high threshold detects that one only.
_TEAMS = ("0xfff3c4", "0x1b2a4a")
_PLAYERS = 10
_PERIOD = 12  # seconds
#: A filter that repeats the first frame of its input, so that ffmpeg draws each shape once.
_STILL = f"trim=end_frame=1,loop=-1:1,setpts=N/{RATE}/TB"


@dataclass(frozen=True)
class _Disc:
    """A disc or a ring, and its centre: parts of the width and height of the picture, as expressions of time."""

    colour: str
    diameter: int
    x: str = "0.5"
    y: str = "0.5"
    thickness: int = 0


def graph(width: int, height: int) -> str:
    """Return the scene as a filter graph, for ffmpeg's input device `lavfi`."""
    circle = _Disc(_LINE, height // 8 * 2, thickness=_line(height))
    ball = _Disc("white", height // 48 * 2, "0.5+0.4*sin(1.7*t)", "0.5+0.4*sin(2.3*t)")
    parts = [f"{_pitch(width, height)},{_STILL}[v0]"]
    discs = [circle, *_players(height // 26 * 2), ball]
    for number, disc in enumerate(discs):
        parts.append(f"{_drawn(disc)},{_STILL}[d{number}]")
        parts.append(f"[v{number}][d{number}]overlay=x='W*({disc.x})-w/2':y='H*({disc.y})-h/2'[v{number + 1}]")
    return ";".join(parts).removesuffix(f"[v{len(discs)}]")


def _players(diameter: int) -> Iterator[_Disc]:
    """Yield the players. Each has its own speed, and all of them stop for a moment in every period."""
    time = f"(t+{_PERIOD / tau:.3f}*sin({tau / _PERIOD:.4f}*t))"
    for number in range(_PLAYERS):
        column = 0.14 + 0.72 * number / (_PLAYERS - 1)
        speed = 0.4 + number * 7 % _PLAYERS * 0.09
        x = f"{column:.3f}+0.1*sin({speed:.2f}*{time}+{number})"
        y = f"0.5+0.38*sin({speed * 0.8:.2f}*{time}+{number * 2.4:.1f})"
        yield _Disc(_TEAMS[number % 2], diameter, x, y)


def _drawn(disc: _Disc) -> str:
    radius = disc.diameter / 2
    inner = radius - disc.thickness if disc.thickness else 0
    opacity = f"255*between(hypot(X-{radius - 0.5},Y-{radius - 0.5}),{inner},{radius})"
    source = f"color={disc.colour}:{disc.diameter}x{disc.diameter}:{RATE}"
    return f"{source},format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='{opacity}'"


def _line(height: int) -> int:
    return max(height // 160, 1)


def _pitch(width: int, height: int) -> str:
    margin, line = height // 24, _line(height)
    stripes = [_box((f"iw*{number}/12", 0, "iw/12", "ih"), _STRIPE, "fill") for number in range(0, 12, 2)]
    outlines = [
        (margin, margin, width - 2 * margin, height - 2 * margin),
        (width // 2 - line // 2, margin, line, height - 2 * margin),
        (margin, height // 4, height // 4, height // 2),
        (width - margin - height // 4, height // 4, height // 4, height // 2),
    ]
    lines = [_box(outline, _LINE, str(line)) for outline in outlines]
    return ",".join([f"color={_GRASS}:{width}x{height}:{RATE}", *stripes, *lines])


def _box(area: tuple[object, object, object, object], colour: str, thickness: str) -> str:
    left, top, width, height = area
    return f"drawbox=x={left}:y={top}:w={width}:h={height}:color={colour}:t={thickness}"
