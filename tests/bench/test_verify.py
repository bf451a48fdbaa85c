from __future__ import annotations

import pytest

from bench.cases import CASES
from bench.report import table
from bench.store import boto3_client
from bench.transfers import compare, content


def test_a_client_that_uploads_nothing_has_no_row_and_a_reason(testbed):
    runs, refusals = compare(testbed, "many up", ["honest", "idle"], rounds=2)

    assert [(run.client, run.round, run.objects, run.bytes) for run in runs] == [
        ("honest", 1, 6, 6000),
        ("honest", 2, 6, 6000),
    ]
    assert [(refusal.client, refusal.reason) for refusal in refusals] == [
        ("idle", "0 of 6 objects are there, and 0 others")
    ]
    figures = content(runs, refusals, CASES, testbed.sizes)
    text = table(figures, "many up", "http")
    assert "| honest |" in text
    assert "| idle |" not in text
    assert "No row for idle: 0 of 6 objects are there, and 0 others." in text


def test_a_client_that_uploads_one_wrong_byte_is_refused(testbed):
    runs, refusals = compare(testbed, "many up", ["wrong byte"], rounds=1)

    assert not runs
    assert [refusal.reason for refusal in refusals] == ["object many/00005.jpg has other content than its source"]


def test_a_client_that_downloads_half_of_the_files_is_refused(testbed):
    runs, refusals = compare(testbed, "many down", ["half", "honest"], rounds=1)

    assert [run.client for run in runs] == ["honest"]
    assert [(refusal.client, refusal.reason) for refusal in refusals] == [
        ("half", "3 of 6 files are there, and 0 others")
    ]


def test_a_client_that_lists_fewer_keys_or_returns_no_number_is_refused(testbed):
    runs, refusals = compare(testbed, "list", ["honest", "idle", "half"], rounds=1)

    assert [(run.client, run.objects) for run in runs] == [("honest", 7)]
    assert [refusal.reason for refusal in refusals] == [
        "it returned no number of keys",
        "it listed 3 keys instead of 7",
    ]


@pytest.mark.parametrize("case", ["many down", "many up"])
def test_a_client_may_return_more_than_the_benchmark_reads(testbed, case):
    (run,), refusals = compare(testbed, case, ["returning"], rounds=1)

    assert (run.client, run.objects) == ("returning", 6)
    assert not refusals


def test_the_reason_of_a_client_that_ends_without_a_message_is_its_exit_code(testbed):
    _, (refusal,) = compare(testbed, "many up", ["silent"], rounds=1)

    assert refusal.reason == "it failed: exit code 3"


def test_the_reason_of_a_failure_names_no_folder_of_this_machine(testbed):
    _, (refusal,) = compare(testbed, "many up", ["failing"], rounds=1)

    assert refusal.reason == "it failed: OSError: cannot open 00000.jpg"


def test_uploads_are_deleted_after_every_run(testbed):
    client = boto3_client(testbed.plain)
    before = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]

    compare(testbed, "many up", ["honest", "idle", "failing"], rounds=1)

    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == before
