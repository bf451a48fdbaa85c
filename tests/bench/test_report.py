from __future__ import annotations

import copy
import json
import platform
from pathlib import Path
from typing import Any

import pytest

from bench.compare import compare
from bench.report import BEGIN, END, write
from bench.results import load, part, save
from tests.conftest import REPO

MACHINE = {"cpu": "a CPU", "cores": 2, "memory_gib": 8.0, "os": "Linux 6", "python": "3.11.7"}


def run(client: str, number: int, wall: float, *, case: str = "list") -> dict[str, Any]:
    figures = {"wall": wall, "cpu": wall / 2, "mib": 40.0, "objects": 12, "bytes": 0}
    return {"case": case, "client": client, "scheme": "http", "round": number, **figures}


def transfers() -> dict[str, Any]:
    return {
        "date": "2026-11-27",
        "machine": MACHINE,
        "versions": {"core.storage": "0.1.0 (abc)", "obstore": "0.12.1"},
        "rounds": 3,
        "sizes": {"keys": 12},
        "cases": {
            "list": {"title": "List 12 keys", "reference": "obstore", "verified": {"http": {"obstore": "size"}}}
        },
        "runs": [
            *(run("core.storage", number, wall) for number, wall in ((1, 3.0), (2, 1.0), (3, 2.0))),
            run("obstore", 1, 4.0),
            run("rclone", 1, 1.0),
        ],
        "refusals": [{"case": "list", "client": "rclone", "scheme": "http", "reason": "it listed 0 keys"}],
    }


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "bench.json"
    save(path, "transfers", transfers())
    return path


def test_tables_and_picture_are_written_from_the_stored_figures(results, tmp_path):
    save(results, "up", {"absent": "the `pulumi` command is not on PATH"})
    page = tmp_path / "bench.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write(results, tmp_path)

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    assert "| **core.storage** | 2.00 | 0.50 | 1.00 | 0.50 | 40 | - |" in text
    assert "| obstore | 4.00 | 1.00 | 2.00 | 1.00 | 40 | size |" in text
    assert "| rclone |" not in text
    assert "No row for rclone: it listed 0 keys." in text
    assert "Not measured: the `pulumi` command is not on PATH." in text
    assert "2.00 (0.50)" in (tmp_path / "bench.svg").read_text()
    write(results, tmp_path)
    assert page.read_text() == text


def test_a_saved_part_keeps_the_others(results):
    save(results, "up", {"absent": "no reason"})

    assert load(results) == {"transfers": transfers(), "up": {"absent": "no reason"}}


def test_figures_of_another_schema_are_refused(results):
    results.write_text(json.dumps({"schema": 0, "parts": {}}))

    with pytest.raises(ValueError, match="has schema 0"):
        load(results)


def test_a_part_says_by_what_it_was_measured_without_naming_the_machine_or_its_folders():
    text = json.dumps(part(["core.storage", "boto3", "s5cmd", "SeaweedFS", "no such client"]))

    content = json.loads(text)
    assert content["machine"].keys() == MACHINE.keys()
    assert content["versions"].keys() == {"core.storage", "boto3", "s5cmd", "SeaweedFS"}
    for private in (platform.node(), f"{Path.home()}/", str(REPO)):
        assert private not in text


def test_compare_prints_the_ratios_of_wall_cpu_and_wall_to_the_reference():
    old, new = transfers(), copy.deepcopy(transfers())
    for record in new["runs"]:
        record["wall"] *= 3
        if record["client"] == "core.storage":
            record["wall"] /= 2

    heading, *lines = compare(old, new)

    assert heading.split() == ["NEW", "/", "OLD", "wall", "CPU", "wall,", "x", "reference"]
    assert [" ".join(line.split()) for line in lines] == [
        "list, http: core.storage 1.50 1.00 0.50",
        "list, http: obstore 3.00 1.00 1.00",
    ]


def test_compare_says_which_machine_and_versions_differ():
    new = copy.deepcopy(transfers())
    new["machine"]["cores"] = 8
    new["versions"] = {"core.storage": "0.1.0 (def)", "obstore": "0.12.1", "s5cmd": "2.3.0"}

    lines = list(compare(transfers(), new))

    assert lines[0].startswith("The machines differ (cores 2 -> 8): ")
    assert lines[1] == "The versions differ: core.storage 0.1.0 (abc) -> 0.1.0 (def), s5cmd absent -> 2.3.0."


def test_compare_names_a_client_that_is_in_one_file_only():
    old, new = transfers(), copy.deepcopy(transfers())
    old["runs"].append(run("s3fs", 1, 9.0))
    new["runs"].append(run("curl", 1, 9.0))

    lines = list(compare(old, new))

    assert "list, http: s3fs is in OLD only" in lines
    assert "list, http: curl is in NEW only" in lines
