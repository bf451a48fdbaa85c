"""A scene to detect motion in: a pitch from above, with two teams and a ball."""

from __future__ import annotations

from collections.abc import Iterator

#: Frames per second.
RATE = 50
_GRASS, _STRIPE, _LINE = "0x2f7d3b", "0x368642", "0xd7ead9"
#: One team differs more from the grass in brightness than the other: a high threshold detects that one only.
_TEAMS = ("0xfff3c4", "0x1b2a4a")
_PLAYERS = 10
#: A filter that repeats the first frame of its input, so that ffmpeg draws each shape once.
_STILL = f"trim=end_frame=1,loop=-1:1,setpts=N/{RATE}/TB"


def graph(width: int, height: int) -> str:
    """Return the scene as a filter graph, for ffmpeg's input device `lavfi`."""
    discs = [*_players(height // 26 * 2), ("white", height // 48 * 2, "0.5+0.4*sin(1.7*t)", "0.5+0.4*sin(2.3*t)")]
    parts = [f"{_pitch(width, height)},{_STILL}[v0]"]
    for number, (colour, size, x, y) in enumerate(discs):
        position = f"x='W*({x})-w/2':y='H*({y})-h/2'"
        parts.append(f"{_disc(colour, size)},{_STILL}[d{number}]")
        parts.append(f"[v{number}][d{number}]overlay={position}[v{number + 1}]")
    return ";".join(parts).removesuffix(f"[v{len(discs)}]")


def _players(size: int) -> Iterator[tuple[str, int, str, str]]:
    """Yield colour, size and position of each player. All move, each at its own pace."""
    for number in range(_PLAYERS):
        column = 0.14 + 0.72 * number / (_PLAYERS - 1)
        pace = 0.4 + number * 7 % _PLAYERS * 0.09
        x = f"{column:.3f}+0.1*sin({pace:.2f}*t+{number})"
        y = f"0.5+0.38*sin({pace * 0.8:.2f}*t+{number * 2.4:.1f})"
        yield _TEAMS[number % 2], size, x, y


def _disc(colour: str, size: int) -> str:
    inside = f"255*lt(hypot(X-{size}/2+0.5,Y-{size}/2+0.5),{size}/2)"
    return f"color={colour}:{size}x{size}:{RATE},format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='{inside}'"


def _pitch(width: int, height: int) -> str:
    margin, line = height // 24, max(height // 160, 1)
    stripes = [_box(f"iw*{number}/12", "0", "iw/12", "ih", _STRIPE, "fill") for number in range(0, 12, 2)]
    outlines = [
        (margin, margin, width - 2 * margin, height - 2 * margin),
        (width // 2 - line // 2, margin, line, height - 2 * margin),
        (margin, height // 4, height // 4, height // 2),
        (width - margin - height // 4, height // 4, height // 4, height // 2),
    ]
    lines = [_box(*map(str, outline), _LINE, str(line)) for outline in outlines]
    return ",".join([f"color={_GRASS}:{width}x{height}:{RATE}", *stripes, *lines])


def _box(x: str, y: str, width: str, height: str, colour: str, thickness: str) -> str:
    return f"drawbox=x={x}:y={y}:w={width}:h={height}:color={colour}:t={thickness}"
