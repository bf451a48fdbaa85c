"""Bars for the figures of `transfers.py`, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

_WIDTH, _NAMES, _ROW = 760, 190, 22
_OURS, _THEIRS = "#0b7285", "#ced4da"

Table = tuple[str, str, Mapping[str, Mapping[str, float]]]


def picture(tables: Iterable[Table]) -> str:
    """One group of bars for each table, the shortest time first."""
    parts: list[str] = []
    y = 10
    for title, limit, found in tables:
        parts.append(f'<text x="0" y="{y + 16}" font-weight="bold">{escape(title)} (s; x {escape(limit)})</text>')
        y += 28
        longest = max(one["wall"] for one in found.values())
        base = found.get(limit, {"wall": float("nan")})["wall"]
        for client, one in sorted(found.items(), key=lambda row: row[1]["wall"]):
            parts.append(_bar(y, client, one["wall"], longest, base))
            y += _ROW
        y += 14
    size = f'viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}"'
    style = 'font-family="system-ui, sans-serif" font-size="13" fill="#212529"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(y: int, client: str, seconds: float, longest: float, base: float) -> str:
    width = max(1.0, (_WIDTH - _NAMES - 110) * seconds / longest)
    colour = _OURS if client == "core.storage" else _THEIRS
    return (
        f'<text x="{_NAMES - 8}" y="{y + 14}" text-anchor="end">{escape(client)}</text>'
        f'<rect x="{_NAMES}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 6}" fill="{colour}"/>'
        f'<text x="{_NAMES + width + 6:.1f}" y="{y + 14}">{seconds:.2f} ({seconds / base:.2f})</text>'
    )
