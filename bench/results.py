"""The figures as JSON: one part for each script of the benchmark, each with its date, machine and versions.

Files are committed, so they hold no path, host name or user name of the machine.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bench.job import REPO
from bench.versions import versions

SCHEMA = 1
#: The committed figures.
RESULTS = REPO / "docs" / "explanation" / "bench.json"
JSON_HELP = "write the figures into this file; those of other scripts in it are kept"

Part = dict[str, Any]
Name = Literal["transfers", "startup", "scale", "web", "up"]


@dataclass(frozen=True)
class Run:
    """What one verified run of one client cost."""

    case: str
    client: str
    scheme: str
    round: int
    #: Seconds.
    wall: float
    cpu: float
    #: Peak resident memory.
    mib: float
    #: What the benchmark found afterwards.
    objects: int
    bytes: int


@dataclass(frozen=True)
class Refusal:
    """Why a client has no row."""

    case: str
    client: str
    scheme: str
    reason: str


class Row(NamedTuple):
    """A client in one case: medians over its runs, and their ratios to those of the reference client."""

    client: str
    wall: float
    cpu: float
    mib: float
    wall_ratio: float | None
    cpu_ratio: float | None


def part(names: Sequence[str], **content: Any) -> Part:
    """Return the part of a script: its figures, and by what they were measured."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return {"date": today, "machine": machine(), "versions": versions(names), **content}


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "os": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


def without_paths(text: str) -> str:
    """Return a message without the folders and the host name of this machine; the names of files stay."""
    host = platform.node()
    text = re.sub(r"(?<![\w:/.-])(?:/[\w.@+~-]+)+/", "", text)
    return re.sub(rf"\b{re.escape(host)}\b", "HOST", text) if host else text


def load(path: Path) -> dict[Name, Part]:
    """Return the parts of a file; none if it does not exist."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    if content.get("schema") != SCHEMA:
        raise ValueError(f"{path} has schema {content.get('schema')!r}, and this program reads {SCHEMA}")
    parts: dict[Name, Part] = content["parts"]
    return parts


def save(path: Path, name: Name, content: Part) -> None:
    """Replace one part of a file and keep the others."""
    parts = {**load(path), name: content}
    text = json.dumps({"schema": SCHEMA, "parts": parts}, indent=1, ensure_ascii=False)
    # One run a line: differences between two files stay readable.
    flat = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda match: re.sub(r"\n\s*", " ", match[0]), text)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(flat + "\n")
    temporary.replace(path)


def rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}


def groups(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the cases and schemes that were measured, in the order of their first run or refusal."""
    records = (*content["runs"], *content["refusals"])
    order = {name: number for number, name in enumerate(content["cases"])}
    found = {(record["scheme"], order[record["case"]], record["case"]) for record in records}
    return [(case, scheme) for scheme, _, case in sorted(found)]


def runs_by_client(content: Mapping[str, Any], case: str, scheme: str) -> dict[str, list[Mapping[str, Any]]]:
    """Return the runs of a case by client, without those of the clients that were refused."""
    refused = {record["client"] for record in content["refusals"] if _is(record, case, scheme)}
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for record in content["runs"]:
        if _is(record, case, scheme) and record["client"] not in refused:
            runs.setdefault(record["client"], []).append(record)
    return runs


def median(records: Sequence[Mapping[str, Any]], name: str) -> float:
    values: list[float] = [record[name] for record in records]
    return statistics.median(values)


def rows(content: Mapping[str, Any], case: str, scheme: str) -> list[Row]:
    """Return the clients of a case, the fastest first, without those that were refused."""
    medians = {
        client: tuple(median(records, name) for name in ("wall", "cpu", "mib"))
        for client, records in runs_by_client(content, case, scheme).items()
    }
    base = medians.get(content["cases"][case]["reference"])
    wall_base, cpu_base = base[:2] if base else (None, None)
    return [
        Row(client, wall, cpu, mib, _ratio(wall, wall_base), _ratio(cpu, cpu_base))
        for client, (wall, cpu, mib) in sorted(medians.items(), key=lambda item: item[1][0])
    ]


def _is(record: Mapping[str, Any], case: str, scheme: str) -> bool:
    return bool(record["case"] == case and record["scheme"] == scheme)


def _ratio(value: float, base: float | None) -> float | None:
    return value / base if base else None


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
