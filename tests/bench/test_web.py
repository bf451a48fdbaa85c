from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from bench import web
from bench.report import REDUCED, markdown
from bench.results import load
from bench.store import boto3_client
from bench.versions import installed, version
from bench.web import CLIENTS, METHODS, compare
from bench.web_load import percentile
from tests.bench.test_report import MACHINE


def stubs(_: str) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("stub_web_app.py"))]


def run(method: str, client: str, wall: float, **latencies: float) -> dict[str, Any]:
    common = {"scheme": "http", "round": 1, "mib": 50.0, "objects": 2000, "bytes": 0, "cpu": wall / 2}
    return {"case": method, "client": client, "wall": wall, "load_cpu": wall / 10, **common, **latencies}


def figures(**other: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-28",
        "machine": MACHINE,
        "versions": {"aioboto3": "15.5.0"},
        "rounds": 3,
        "connections": 32,
        "sizes": {"objects": 2000},
        "cases": {"GET": {"title": "2,000 GET requests", "reference": "aioboto3", "verified": {"http": {}}}},
        "runs": [
            *(run("GET", "core.storage.aio", wall, p50=p50, p99=50) for wall, p50 in ((1, 9), (2, 30), (4, 20))),
            run("GET", "aioboto3", 5, p50=60, p99=70.04),
        ],
        "refusals": [],
        **other,
    }


def test_every_installed_client_serves_all_requests(monkeypatch, tmp_path, capsys):
    path = tmp_path / "bench.json"
    monkeypatch.setattr("sys.argv", ["web", "--rounds", "1", "--requests", "6", "--json", str(path)])

    web.main()

    part = load(path)["web"]
    clients = [client for client in CLIENTS if installed(client)]
    assert {"core.storage.aio", "boto3, threads"} <= set(clients)
    served = [(run["case"], run["client"], run["objects"], run["bytes"]) for run in part["runs"]]
    assert served == [(method, client, 6, 600_000) for method in METHODS for client in clients]
    assert [refusal["client"] for refusal in part["refusals"]] == [
        client for _ in METHODS for client in CLIENTS if client not in clients
    ]
    for measured in part["runs"]:
        assert 0 < measured["p50"] <= measured["p99"] <= 1000 * measured["wall"]
        assert measured["cpu"] > 0
        assert measured["mib"] > 10
    assert part["versions"].keys() == {*clients, "fastapi", "uvicorn", "SeaweedFS"}
    assert REDUCED in capsys.readouterr().out


def test_aioboto3_is_reported_as_not_installed_without_its_environment(testbed, monkeypatch, tmp_path):
    monkeypatch.setattr("bench.versions.S3FS_PYTHON", tmp_path / "python")

    runs, refusals = compare(testbed, "GET", ["aioboto3"], rounds=1)

    assert not runs
    assert [refusal.reason for refusal in refusals] == ["it is not installed on this machine"]
    assert version("aioboto3") is None


def test_an_application_that_fails_once_has_no_row_and_a_reason(testbed):
    runs, refusals = compare(testbed, "GET", ["honest", "failing"], rounds=2, command=stubs)

    assert [(run.client, run.round) for run in runs] == [("honest", 1), ("honest", 2)]
    assert [refusal.client for refusal in refusals] == ["failing"]
    assert refusals[0].reason == (
        "it failed: 1 of 6 requests, the first: GET of object 2: status 500; the last line of the server: "
        "OSError: cannot open 00002.jpg"
    )


def test_an_application_that_returns_a_wrong_byte_is_refused(testbed):
    _, (refusal,) = compare(testbed, "GET", ["wrong byte"], rounds=1, command=stubs)

    assert refusal.reason.startswith("it failed: 6 of 6 requests, the first: GET of object ")
    assert refusal.reason.endswith(": 1,000 bytes that are not the content")


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        ("idle", "0 of 6 objects are there, and 0 others"),
        ("wrong byte", "object many/00000.jpg has other content than its source"),
    ],
)
def test_an_application_that_does_not_store_the_content_is_refused(testbed, client, reason):
    _, (refusal,) = compare(testbed, "PUT", [client], rounds=1, command=stubs)

    assert refusal.reason == reason


def test_a_server_that_does_not_start_is_refused_with_its_last_line(testbed):
    _, (refusal,) = compare(testbed, "GET", ["not starting"], rounds=1, command=stubs)

    assert refusal.reason.startswith("it failed: 6 of 6 requests, the first: GET of object ")
    assert "the last line of the server: " in refusal.reason


def test_the_bucket_of_every_run_is_deleted(testbed):
    client = boto3_client(testbed.plain)
    before = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]

    compare(testbed, "PUT", ["honest", "idle"], rounds=1, command=stubs)

    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == before


def test_the_tables_show_medians_and_their_ratios_to_aioboto3():
    text = markdown({"web": figures()})

    assert "| **core.storage.aio** | 2.00 | 0.40 | 1,000 | 20.0 | 50.0 | 1.00 | 0.40 | 50 | - |" in text
    assert "| aioboto3 | 5.00 | 1.00 | 400 | 60.0 | 70.0 | 2.50 | 1.00 | 50 | - |" in text
    assert "the load generator used at most 10% of a core." in text
    assert REDUCED not in text


def test_without_aioboto3_there_are_no_ratios_and_a_reason():
    reason = "it is not installed on this machine"
    refusal = {"case": "GET", "client": "aioboto3", "scheme": "http", "reason": reason}

    text = markdown({"web": figures(refusals=[refusal])})

    assert "| **core.storage.aio** | 2.00 | - | 1,000 |" in text
    assert "| aioboto3 |" not in text
    assert f"No row for aioboto3: {reason}." in text


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed():
    assert percentile([4, 1, 3, 2], 50) == 2
    assert percentile(range(1, 2001), 99) == 1980
    assert percentile([7], 99) == 7
