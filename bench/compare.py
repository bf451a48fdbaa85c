"""Compare the transfers of two files of figures.

python -m bench.compare OLD.json NEW.json
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.results import Part, Row, groups, load, rows

Key = tuple[str, str, str]


def compare(old: Part, new: Part) -> Iterator[str]:
    """Yield the lines of the comparison: what differs in how it was measured, then one line for each client."""
    yield from _differences(old, new)
    before, after = _rows(old), _rows(new)
    yield f"{'NEW / OLD':52}{'wall':>8}{'CPU':>8}{'wall, x reference':>20}"
    for key in before:
        if key in after:
            yield _line(key, before[key], after[key])
    for name, here, there in (("OLD", before, after), ("NEW", after, before)):
        for key in here:
            if key not in there:
                yield f"{_title(key)} is in {name} only"


def _differences(old: Part, new: Part) -> Iterator[str]:
    if old["machine"] != new["machine"]:
        yield (
            f"The machines differ ({_changes(old['machine'], new['machine'])}): the first two columns compare "
            "machines as well, the last one compares clients alone."
        )
    if old["versions"] != new["versions"]:
        yield f"The versions differ: {_changes(old['versions'], new['versions'])}."
    for name in ("sizes", "rounds"):
        if old[name] != new[name]:
            yield f"The {name} differ: {old[name]} -> {new[name]}."


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {old.get(name, 'absent')} -> {new.get(name, 'absent')}" for name in names)


def _rows(part: Part) -> dict[Key, Row]:
    return {(case, scheme, row.client): row for case, scheme in groups(part) for row in rows(part, case, scheme)}


def _line(key: Key, old: Row, new: Row) -> str:
    relative = f"{new.wall_ratio / old.wall_ratio:.2f}" if old.wall_ratio and new.wall_ratio else "no reference"
    cpu = f"{new.cpu / old.cpu:.2f}" if old.cpu else "-"
    return f"{_title(key):52}{new.wall / old.wall:8.2f}{cpu:>8}{relative:>20}"


def _title(key: Key) -> str:
    case, scheme, client = key
    return f"{case}, {scheme}: {client}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    asked = parser.parse_args()
    parts = []
    for path in (asked.old, asked.new):
        part = load(path).get("transfers")
        if part is None:
            parser.error(f"{path} has no figures of transfers: write them with `make bench`")
        parts.append(part)
    print("\n".join(compare(*parts)))


if __name__ == "__main__":
    main()
