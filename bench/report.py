"""Write the tables of bench.md and the picture bench.svg in docs/explanation from bench.json, without measuring.

python -m bench.report [results as JSON] [folder of bench.md and bench.svg]
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.chart import Chart, picture
from bench.job import Sizes
from bench.results import RESULTS, Name, Part, Row, groups, load, median, rows, runs_by_client

#: The text between these lines of docs/explanation/bench.md is replaced.
BEGIN, END = "<!-- figures: written by `python -m bench.report` -->", "<!-- end of the figures -->"

#: The sections of the picture, by the start of the names of their cases.
_CATEGORIES = {"many": "Many small objects", "big": "One large object", "list": "Listing"}

REDUCED = "**Sizes are reduced: these figures show that every client works, and compare nothing.**\n"


def table(transfers: Mapping[str, Any], case: str, scheme: str) -> str:
    """Return one case as Markdown, the fastest client first, and the reasons of those without a row."""
    about = transfers["cases"][case]
    reference = about["reference"]
    lines = [
        f"### {about['title']}, {scheme}",
        "",
        f"| client | s | x {reference} | CPU s | x {reference} | peak MiB | verified by the client |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {_client(row)} | {row.wall:.2f} | {_ratio(row.wall_ratio)} | {row.cpu:.2f} | "
        f"{_ratio(row.cpu_ratio)} | {row.mib:.0f} | {about['verified'][scheme].get(row.client, '-')} |"
        for row in rows(transfers, case, scheme)
    ]
    return "\n".join([*lines, "", *_refusals(transfers, case, scheme)])


def markdown(parts: Mapping[Name, Part]) -> str:
    """Return the figures of all parts as Markdown."""
    sections: dict[Name, Callable[[Part], str]] = {
        "transfers": _transfers,
        "startup": _startup,
        "scale": _scale,
        "web": _web,
        "up": _up,
    }
    return "\n".join(section(parts[name]) for name, section in sections.items() if name in parts)


def write(results: Path, docs: Path) -> None:
    parts = load(results)
    page = docs / "bench.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{markdown(parts)}\n{END}{after}")
    if "transfers" in parts:
        transfers = parts["transfers"]
        (docs / "bench.svg").write_text(picture(_charts(transfers)))


def _charts(part: Part) -> list[Chart]:
    charts: list[Chart] = []
    for case, scheme in groups(part):
        about = part["cases"][case]
        if measured := rows(part, case, scheme):
            category = next(name for start, name in _CATEGORIES.items() if case.startswith(start))
            charts.append(Chart(category, f"{about['title']}, {scheme}", about["reference"], measured))
    return charts


def _transfers(part: Part) -> str:
    tables = (table(part, case, scheme) for case, scheme in groups(part))
    about = "Each table compares the clients in one operation, the fastest one first."
    head = f"## Transfers and listings\n\n{about} Medians of {_rounds(part)}. {_measured_on(part)}\n"
    return "\n".join([head, *([] if part["sizes"] == asdict(Sizes()) else [REDUCED]), *tables])


def _startup(part: Part) -> str:
    lines = [
        "## Start of a process",
        "",
        (
            "The table shows the time of a process that imports a library or lists a bucket. "
            f"Medians of {part['rounds']} processes. {_measured_on(part)}"
        ),
        "",
        "| process | ms | ms over bare Python |",
        "|---|---|---|",
    ]
    medians = {kind: statistics.median(values) for kind, values in part["milliseconds"].items()}
    bare = next(iter(medians.values()), 0.0)
    lines += [f"| {kind} | {median:.0f} | {median - bare:.0f} |" for kind, median in medians.items()]
    return "\n".join([*lines, ""])


def _scale(part: Part) -> str:
    lines = [
        "## Number of objects",
        "",
        (
            "The table shows whether time and memory grow with the number of objects: one process lists and "
            f"downloads objects of {part['object_bytes']:,} bytes. {_measured_on(part)}"
        ),
        "",
        "| objects | s | µs an object | peak MiB |",
        "|---|---|---|---|",
    ]
    for run in part["runs"]:
        each = 1e6 * run["wall"] / run["objects"]
        lines.append(f"| {run['objects']:,} | {run['wall']:.1f} | {each:.0f} | {run['mib']:.0f} |")
    return "\n".join([*lines, ""])


def _web(part: Part) -> str:
    share = max((run["load_cpu"] / run["wall"] for run in part["runs"]), default=0.0)
    about = (
        "These tables compare clients in a web application under load. Its two endpoints return and store one "
        f"object; one worker of uvicorn serves it. A load generator sends requests over {part['connections']} "
        "connections, one at a time on each, and compares every response with its source. A client with a failed "
        "request has no row. The latency of a request ends with the last byte of its response. CPU time and peak "
        f"memory are those of the server; the load generator used at most {share:.0%} of a core."
    )
    lines = ["## FastAPI application", "", about, "", f"Medians of {_rounds(part)}. {_measured_on(part)}", ""]
    if part["sizes"]["objects"] != Sizes().objects:
        lines.append(REDUCED)
    return "\n".join([*lines, *(_web_table(part, method, scheme) for method, scheme in groups(part))])


def _web_table(part: Part, method: str, scheme: str) -> str:
    about, runs = part["cases"][method], runs_by_client(part, method, scheme)
    ratio = f"x {about['reference']}"
    columns = f"client | s | {ratio} | requests/s | p50 ms | p99 ms | CPU s | {ratio} | peak MiB"
    lines = [
        f"### {about['title']}",
        "",
        f"| {columns} | verified by the client |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows(part, method, scheme):
        p50, p99 = (median(runs[row.client], name) for name in ("p50", "p99"))
        lines.append(
            f"| {_client(row)} | {row.wall:.2f} | {_ratio(row.wall_ratio)} | "
            f"{part['sizes']['objects'] / row.wall:,.0f} | {p50:.1f} | {p99:.1f} | {row.cpu:.2f} | "
            f"{_ratio(row.cpu_ratio)} | {row.mib:.0f} | {about['verified'][scheme].get(row.client, '-')} |"
        )
    return "\n".join([*lines, "", *_refusals(part, method, scheme)])


def _up(part: Part) -> str:
    lines = ["## `pulumi up`", ""]
    if "absent" in part:
        return "\n".join([*lines, f"Not measured: {part['absent']}.", ""])
    lines += [
        (
            "The table compares Pulumi programs, in seconds and as the ratio to an empty program. "
            f"Medians of {part['rounds']} rounds. {_measured_on(part)}"
        ),
        "",
        "| program | first `up` | x | `up` without a change | x |",
        "|---|---|---|---|---|",
    ]
    medians = {
        program: [statistics.median(seconds[run]) for run in ("fresh", "no-op")]
        for program, seconds in part["seconds"].items()
    }
    fresh, same = medians["empty"]
    lines += [
        f"| {program} | {first:.2f} | {first / fresh:.2f} | {again:.2f} | {again / same:.2f} |"
        for program, (first, again) in medians.items()
    ]
    targets = part["targets"]
    lines += ["", f"Targets of `mpr-storage`: at most {targets['fresh']:g} and {targets['no-op']:g}."]
    return "\n".join([*lines, ""])


def _measured_on(part: Part) -> str:
    machine = part["machine"]
    named = ", ".join(f"{name} {version}" for name, version in part["versions"].items())
    return (
        f"Measured on {part['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['os']}, Python {machine['python']}; {named}."
    )


def _rounds(part: Part) -> str:
    return "1 round" if part["rounds"] == 1 else f"{part['rounds']} rounds"


def _client(row: Row) -> str:
    return f"**{row.client}**" if row.client.startswith("core.storage") else row.client


def _refusals(part: Mapping[str, Any], case: str, scheme: str) -> list[str]:
    """Return the reasons of the clients without a row, each with an empty line."""
    lines: list[str] = []
    for refusal in part["refusals"]:
        if (refusal["case"], refusal["scheme"]) == (case, scheme):
            lines += [f"No row for {refusal['client']}: {refusal['reason']}.", ""]
    return lines


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    results, docs = (*map(Path, sys.argv[1:]), *(RESULTS, RESULTS.parent)[len(sys.argv) - 1 :])
    write(results, docs)


if __name__ == "__main__":
    main()
