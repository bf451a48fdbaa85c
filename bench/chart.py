"""The figures of `transfers` as bars, in SVG: a section for each category, with two charts in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.results import Row

_COLUMN, _GAP, _NAMES, _ROW, _HEAD = 440, 20, 130, 20, 40
_VALUES = 90  # the width of the figures after a bar
#: SVG in an <img> follows the colour scheme of the reader, not that of the page.
_STYLE = """<style>
svg { font: 12px system-ui, sans-serif; }
.page { fill: #fff } text { fill: #212529 } .ours { fill: #0b7285 } .others { fill: #ced4da }
.category { font-size: 15px; font-weight: bold } .title { font-weight: bold }
@media (prefers-color-scheme: dark) {
.page { fill: #131416 } text { fill: #e9ecef } .ours { fill: #3bc9db } .others { fill: #495057 }
}
</style>"""


@dataclass(frozen=True)
class Chart:
    """The clients of one case; the ratios are to the reference client."""

    category: str
    title: str
    reference: str
    rows: Sequence[Row]

    @property
    def height(self) -> int:
        """The height in pixels."""
        return _HEAD + len(self.rows) * _ROW + 14


def picture(charts: Sequence[Chart]) -> str:
    """Return the picture of all charts, by category."""
    parts: list[str] = []
    y = 8
    for category in dict.fromkeys(chart.category for chart in charts):
        parts.append(f'<text x="0" y="{y + 16}" class="category">{escape(category)}</text>')
        y += 28
        members = [chart for chart in charts if chart.category == category]
        for pair in (members[number : number + 2] for number in range(0, len(members), 2)):
            for column, chart in enumerate(pair):
                parts += _chart(column * (_COLUMN + _GAP), y, chart)
            y += max(chart.height for chart in pair)
    width = 2 * _COLUMN + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}">\n'
        f'{_STYLE}\n<rect width="100%" height="100%" class="page"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _chart(x: int, y: int, chart: Chart) -> list[str]:
    title, _, details = chart.title.replace("`", "").partition(", ")
    unit = f"{details}: seconds (x {chart.reference})"
    longest = max(row.wall for row in chart.rows)
    bars = [_bar(x, y + _HEAD + number * _ROW, row, longest) for number, row in enumerate(chart.rows)]
    heads = (
        f'<text x="{x}" y="{y + 14}" class="title">{escape(title)}</text>',
        f'<text x="{x}" y="{y + 31}">{escape(unit)}</text>',
    )
    return [*heads, *bars]


def _bar(x: int, y: int, row: Row, longest: float) -> str:
    width = max(1.0, (_COLUMN - _NAMES - _VALUES) * row.wall / longest)
    kind = "ours" if row.client.startswith("core.storage") else "others"
    ratio = "" if row.wall_ratio is None else f" ({row.wall_ratio:.2f})"
    return (
        f'<text x="{x + _NAMES - 8}" y="{y + 13}" text-anchor="end">{escape(row.client)}</text>'
        f'<rect x="{x + _NAMES}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 6}" class="{kind}"/>'
        f'<text x="{x + _NAMES + width + 6:.1f}" y="{y + 13}">{row.wall:.2f}{ratio}</text>'
    )
