from __future__ import annotations

import logging
import os
import re
import subprocess
import sys

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from core.storage import (
    InvalidCredentialsError,
    ObjectNotFoundError,
    StorageError,
    _telemetry,
    download_file,
    download_many,
    download_to_temp,
    get_presigned_url,
    list_objects,
    upload_file,
    upload_many,
)
from tests.core._fake_s3 import busy, truncated
from tests.core.transport import MIB, requests_of

DELTA: dict[type, AggregationTemporality] = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)


@pytest.fixture(scope="session")
def collector():
    """The SDK of OpenTelemetry, as a program sets it up: once in a process."""
    spans, points = InMemorySpanExporter(), InMemoryMetricReader(preferred_temporality=DELTA)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([points]))
    return spans, points


@pytest.fixture
def spans(collector):
    """The spans that have ended since, with the parts of their names behind the last dot."""
    collector[0].clear()
    return lambda: [(one.name.removeprefix("core.storage."), one) for one in collector[0].get_finished_spans()]


@pytest.fixture
def points(collector):
    """The metrics since: by name, the attributes and value (or count) of each point."""
    collector[1].get_metrics_data()

    def points():
        data = collector[1].get_metrics_data()
        found = {}
        for resource in data.resource_metrics if data else []:
            for scope in resource.scope_metrics:
                assert scope.scope.name == "core.storage"
                for metric in scope.metrics:
                    rows = [
                        (dict(one.attributes), getattr(one, "value", None) or one.count)
                        for one in metric.data.data_points
                    ]
                    found[metric.name.removeprefix("core.storage.")] = rows
        return found

    return points


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "source"
    file.write_bytes(b"x" * 1000)
    return file


def test_each_operation_is_a_span(bucket, source, spans, tmp_path):
    upload_file(source, bucket, "a/k.mp4")
    download_file(bucket, "a/k.mp4", tmp_path / "target")
    download_to_temp(bucket, "a/k.mp4").unlink()
    list(list_objects(bucket))
    found = spans()
    assert [name for name, _ in found] == ["upload_file", "download_file", "download_to_temp", "list_objects"]
    place = {"rpc.system.name": "aws-api", "aws.s3.bucket": bucket}
    outcome = {"core.storage.bytes": 1000, "core.storage.verified_by": "md5"}
    for name, one in found:
        more = {} if name == "list_objects" else {"aws.s3.key": "a/k.mp4", **outcome}
        assert dict(one.attributes) == place | more
        assert one.kind is SpanKind.CLIENT
        assert one.status.status_code is StatusCode.UNSET


def test_a_span_is_a_child_of_the_span_of_the_program(bucket, source, spans):
    for number in range(3):
        upload_file(source, bucket, f"{number}/k")
    for workers in (1, 2):
        tracer = trace.get_tracer("a program")
        with tracer.start_as_current_span("work") as work:
            assert len(list(list_objects(bucket, workers=workers))) == 3
        pages = [one for name, one in spans() if name == "list_objects"]
        assert len(pages) == {1: 1, 2: 1 + 1 + 3}[workers]
        assert {one.parent.span_id for one in pages[-1 if workers == 1 else -4 :]} == {
            work.get_span_context().span_id
        }


def test_spans_of_pages_ahead_are_children_of_the_span_of_the_program(fake, spans):
    page = "<ListBucketResult><IsTruncated>%s</IsTruncated>%s</ListBucketResult>"
    responses = [page % ("true", f"<NextContinuationToken>{n}</NextContinuationToken>") for n in range(3)]
    responses.append(page % ("false", ""))
    fake.put("/bucket", b"")

    def next_page(handler, _body, _start):
        handler._response(responses.pop(0).encode())

    fake.always = next_page
    with trace.get_tracer("a program").start_as_current_span("work") as work:
        assert list(list_objects("bucket")) == []
    parents = [one.parent and one.parent.span_id for name, one in spans() if name == "list_objects"]
    assert parents == [work.get_span_context().span_id] * 4


def test_a_bulk_transfer_is_a_span_with_its_counts(bucket, source, spans, points, tmp_path):
    items = [(source, bucket, "1"), (source, bucket, "2"), (tmp_path / "none", bucket, "3")]
    assert len(list(upload_many(items))) == 3
    for _ in range(2):
        assert len(list(download_many(list_objects(bucket), tmp_path))) == 2
    found = [(name, one) for name, one in spans() if name != "list_objects"]
    assert [name for name, _ in found] == ["upload_many", "download_many", "download_many"]
    counts = [
        [one.attributes[f"core.storage.{what}"] for what in ("items", "failed", "skipped", "bytes")]
        for _, one in found
    ]
    assert counts == [[3, 1, 0, 2000], [2, 0, 0, 2000], [2, 0, 2, 0]]
    assert all(one.kind is SpanKind.INTERNAL and one.status.status_code is StatusCode.UNSET for _, one in found)
    moved = {one["network.io.direction"]: count for one, count in points()["bytes"]}
    assert moved == {"transmit": 2000, "receive": 2000}


def test_a_bulk_transfer_that_is_left_early_ends_its_span(bucket, source, spans, collector):
    results = upload_many((source, bucket, str(number)) for number in range(1000))
    assert not collector[0].get_finished_spans()
    next(results)
    results.close()
    ((name, one),) = spans()
    assert name == "upload_many"
    assert one.attributes["core.storage.items"] == 1
    assert one.status.status_code is StatusCode.UNSET


def test_a_bulk_transfer_whose_items_raise_is_a_failed_span(spans):
    def items():
        yield from ()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(upload_many(items()))
    ((_, one),) = spans()
    assert one.attributes["error.type"] == "ZeroDivisionError"
    assert one.status.status_code is StatusCode.ERROR


def test_a_failure_is_in_the_span_and_the_metrics(bucket, spans, points, tmp_path):
    with pytest.raises(ObjectNotFoundError) as caught:
        download_file(bucket, "none", tmp_path / "target")
    ((_, one),) = spans()
    assert one.attributes["error.type"] == "NoSuchKey"
    assert one.attributes["aws.request_id"] == caught.value.request_id
    assert one.status.status_code is StatusCode.ERROR
    assert one.status.description == str(caught.value)
    found = points()
    outcome = {"core.storage.operation": "download", "aws.s3.bucket": bucket, "error.type": "NoSuchKey"}
    assert found["operations"] == [(outcome, 1)]
    assert found["duration"] == [(outcome, 1)]
    assert "bytes" not in found


def test_single_operations_are_counted_and_measured(bucket, source, points, tmp_path):
    for _ in range(2):
        upload_file(source, bucket, "k")
    download_file(bucket, "k", tmp_path / "target")
    list(list_objects(bucket))
    found = points()
    by_operation = {one["core.storage.operation"]: count for one, count in found["operations"]}
    assert by_operation == {"upload": 2, "download": 1, "list": 1}
    assert found["duration"] == found["operations"]
    assert sorted((one["network.io.direction"], count) for one, count in found["bytes"]) == [
        ("receive", 1000),
        ("transmit", 2000),
    ]


def test_retries_are_counted_and_events(fake, spans, points, tmp_path):
    fake.put("/bucket/k", b"x" * 3_000_000)
    fake.faults += [busy, truncated(1_000_000)]
    download_file("bucket", "k", tmp_path / "target")
    found = {one["error.type"]: count for one, count in points()["retries"]}
    assert len(found) == 2
    assert found["SlowDown"] == 1
    ((_, one),) = spans()
    events = [dict(event.attributes) for event in one.events if event.name == "retry"]
    assert events[0] == {"rpc.method": "S3/GetObject", "error.type": "SlowDown"}
    assert len(events) == 2


def round_trip(bucket, folder, monkeypatch):
    """Run every kind of transfer, and a failure; return the secrets that were used on the way."""
    source = folder / "source"
    source.write_bytes(b"x" * (6 * MIB + 1))
    upload_file(source, bucket, "k")
    upload_file(__file__, bucket, "small")
    list(list_objects(bucket))
    download_file(bucket, "k", folder / "target")
    list(download_many(list_objects(bucket), folder))
    url = get_presigned_url(bucket, "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    with pytest.raises(InvalidCredentialsError):
        download_file(bucket, "k", folder / "target")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-session-token")
    get_presigned_url(bucket, "k")  # which is logged as a warning
    with pytest.raises(StorageError):
        download_file(bucket, "k", folder / "target")
    return [
        "admin-secret",
        "a-wrong-secret",
        "a-session-token",
        url.partition("X-Amz-Signature=")[2],
        "Signature=",
    ]


@pytest.mark.usefixtures("small_parts")
def test_logs_spans_and_metrics_never_hold_a_secret(bucket, tmp_path, monkeypatch, caplog, spans, points, heads):
    caplog.set_level(logging.DEBUG)
    secrets = {*round_trip(bucket, tmp_path, monkeypatch)}
    secrets |= {found for head in heads for found in re.findall("Signature=([0-9a-f]{64})", head)}
    assert len(secrets) > 10
    told = [f"{one.getMessage()} {one.__dict__}" for one in caplog.records if one.name.startswith("core.storage")]
    assert len(told) > 3
    told += [one.to_json() for _, one in spans()]
    told.append(str(points()))
    for secret in secrets:
        assert len(secret) > 9
        assert not [one for one in told if secret in one], secret


def alone(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=os.environ, capture_output=True, check=True, text=True
    ).stdout


def test_the_library_never_imports_opentelemetry_itself(fake):
    fake.put("/bucket/k", b"x")
    code = (
        "import sys; from core.storage import download_to_temp; download_to_temp('bucket', 'k').unlink()\n"
        "print([one for one in sys.modules if one.startswith('opentelemetry')])"
    )
    assert alone(code) == "[]\n"


def test_a_program_may_start_to_collect_late(fake):
    fake.put("/bucket/k", b"x")
    code = """
from core.storage import download_to_temp
download_to_temp('bucket', 'k').unlink()
from opentelemetry import trace
download_to_temp('bucket', 'k').unlink()
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
download_to_temp('bucket', 'k').unlink()
print(len(spans.get_finished_spans()))
"""
    assert alone(code) == "1\n"


def test_without_opentelemetry_a_hook_does_nothing(monkeypatch):
    monkeypatch.setattr(_telemetry, "_api", None)
    monkeypatch.setattr(_telemetry, "sys", type("sys", (), {"modules": {}}))
    assert _telemetry.span("download_file", "b", "k") is _telemetry.measured("upload", "b") is _telemetry._NOTHING
    results = iter(())
    assert _telemetry.bulk("upload_many", results) is results  # type: ignore[arg-type]


def test_durations_are_counted_in_seconds(bucket, source, collector):
    collector[1].get_metrics_data()
    upload_file(source, bucket, "k")
    data = collector[1].get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    (duration,) = [one for scope in scopes for one in scope.metrics if one.name == "core.storage.duration"]
    (point,) = duration.data.data_points
    assert point.explicit_bounds[0] == 0.005
    assert point.explicit_bounds[-1] == 1800


def test_an_opentelemetry_api_without_bucket_boundaries_works():
    class Old:
        def create_histogram(self, name, unit, description):
            return (name, unit, description)

    assert _telemetry._histogram(Old(), "n", "s", "d") == ("n", "s", "d")


@pytest.mark.usefixtures("fake", "always_parts")
def test_retries_in_threads_are_events_of_their_upload(spans, source, transport):
    transport.refuse(requests_of("UploadPart"), 503, "SlowDown", times=1)
    upload_file(source, "bucket", "k")
    ((_, span),) = spans()
    assert [event.attributes["rpc.method"] for event in span.events] == ["S3/UploadPart"]


def test_retries_of_bulk_transfers_are_events_of_the_programs_span(fake, spans, tmp_path):
    fake.put("/bucket/k", b"x")
    fake.faults.append(busy)
    with trace.get_tracer("a program").start_as_current_span("work"):
        assert all(one.ok for one in download_many([("bucket", "k")], tmp_path))
    (work,) = [one for name, one in spans() if name == "work"]
    assert [event.name for event in work.events] == ["retry"]
