"""The figures of `transfers` as bars, in SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from bench.results import Row

_WIDTH, _NAMES, _ROW = 760, 190, 22
_OURS, _OTHERS = "#0b7285", "#ced4da"


def picture(charts: Iterable[tuple[str, str, Sequence[Row]]]) -> str:
    """Return one group of bars for each title, reference client and its rows."""
    parts: list[str] = []
    y = 10
    for title, reference, rows in charts:
        heading = f"{escape(title)} (s; x {escape(reference)})"
        parts.append(f'<text x="0" y="{y + 16}" font-weight="bold">{heading}</text>')
        y += 28
        longest = max(row.wall for row in rows)
        for row in rows:
            parts.append(_bar(y, row, longest))
            y += _ROW
        y += 14
    size = f'viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}"'
    style = 'font-family="system-ui, sans-serif" font-size="13" fill="#212529"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(y: int, row: Row, longest: float) -> str:
    width = max(1.0, (_WIDTH - _NAMES - 110) * row.wall / longest)
    colour = _OURS if row.client == "core.storage" else _OTHERS
    ratio = "" if row.wall_ratio is None else f" ({row.wall_ratio:.2f})"
    return (
        f'<text x="{_NAMES - 8}" y="{y + 14}" text-anchor="end">{escape(row.client)}</text>'
        f'<rect x="{_NAMES}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 6}" fill="{colour}"/>'
        f'<text x="{_NAMES + width + 6:.1f}" y="{y + 14}">{row.wall:.2f}{ratio}</text>'
    )
