"""The table of an access check on a terminal: a row for each probe, a column for each identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from infra.check.runner import Finding


@dataclass(frozen=True)
class Row:
    """One probe at one place, with what each identity got."""

    where: str
    probe: str
    #: By identity; an identity without this probe is absent.
    findings: Mapping[str, Finding]
    #: Whether it is the first row of its place.
    begins: bool


def rows(findings: Iterable[Finding]) -> list[Row]:
    """Return the rows, those of one place together."""
    places: dict[str, dict[str, dict[str, Finding]]] = {}
    for finding in findings:
        places.setdefault(finding.where, {}).setdefault(finding.probe, {})[finding.identity] = finding
    return [
        Row(where, probe, by_identity, begins=number == 0)
        for where, probes in places.items()
        for number, (probe, by_identity) in enumerate(probes.items())
    ]


def must_be(finding: Finding) -> str:
    """Return the expected result in one word."""
    return "allowed" if finding.expected else "denied"


def summary(findings: Sequence[Finding]) -> str:
    """Return how many checks passed, or failed."""
    failed = sum(finding.failed for finding in findings)
    if failed:
        return f"{failed} of {len(findings)} access checks failed"
    return f"{len(findings)} access checks passed: every identity has exactly the expected permissions"


def table(environment: str, identities: Sequence[str], findings: Iterable[Finding]) -> Table:
    """Return the table. A failed check is marked, and says what its result must be."""
    result = Table(title=f"Access of environment {environment}", title_justify="left")
    for title in ("where", "probe", *identities):
        result.add_column(title)
    for row in rows(findings):
        if row.begins:
            result.add_section()
        cells = [_cell(row.findings[name]) if name in row.findings else "" for name in identities]
        result.add_row(escape(row.where) if row.begins else "", row.probe, *cells)
    return result


def _cell(finding: Finding) -> str:
    if finding.failed:
        return f"[bold white on red] {escape(finding.result)} [/] must be {must_be(finding)}"
    return f"[green]{finding.result}[/]" if finding.allowed else f"[dim]{finding.result}[/]"
