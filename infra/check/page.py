"""The table of an access check as one HTML file without scripts, for browsers and the artifacts of CI."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from infra.check.runner import Finding
from infra.check.table import Row, must_be, rows, summary

#: The colours have a contrast of 4.5 : 1 or more in both schemes (WCAG 2.2, 1.4.3).
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .2rem .8rem; text-align: left; }
thead th { border-bottom: 2px solid; }
tbody { border-bottom: 1px solid light-dark(#bbb, #555); }
.allowed { color: light-dark(#106b21, #6fd388); }
.denied { color: light-dark(#5c5c5c, #a8a8a8); }
.failed { background: light-dark(#b3001b, #ffb3ba); color: light-dark(#fff, #000); font-weight: bold; }
"""


def page(environment: str, identities: Sequence[str], findings: Sequence[Finding], checked: datetime) -> str:
    """Return the HTML page."""
    title = f"Access of environment {escape(environment)}"
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("where", "probe", *identities))
    bodies = "".join(_body(row, identities) for row in rows(findings))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{summary(findings)}. "
        f"Checked {checked:%Y-%m-%d %H:%M} UTC.</p>\n"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">\n<table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{bodies}</tbody>\n</table>\n</div>\n</main>\n</body>\n</html>\n"
    )


def _body(row: Row, identities: Sequence[str]) -> str:
    begin = "</tbody>\n<tbody>" if row.begins else ""
    where = f'<th scope="row">{escape(row.where)}</th>' if row.begins else "<td></td>"
    cells = "".join(_cell(row.findings.get(name)) for name in identities)
    return f"{begin}<tr>{where}<td>{escape(row.probe)}</td>{cells}</tr>\n"


def _cell(finding: Finding | None) -> str:
    if finding is None:
        return "<td></td>"
    if finding.failed:
        return f'<td class="failed">{escape(finding.result)}, must be {must_be(finding)}</td>'
    return f'<td class="{finding.result}">{finding.result}</td>'
