"""Environments as users write them by hand: an endpoint, two buckets and an access key, without a region."""

from __future__ import annotations

import re
import urllib.request
import uuid

import pytest

from core.storage import (
    Settings,
    StorageConfigError,
    download_file,
    get_presigned_url,
    get_s3_client,
    list_objects,
    upload_file,
)
from core.storage.__main__ import main

KEYS = {"AWS_ACCESS_KEY_ID": "minioadmin", "AWS_SECRET_ACCESS_KEY": "minioadmin"}
BUCKETS = {"S3_BUCKET_IN": "mpr-media-in", "S3_BUCKET_OUT": "mpr-media-out"}
ACCOUNT = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("http://minio:9000", "us-east-1"),
        ("http://localhost:8333", "us-east-1"),
        ("http://[::1]:9000", "us-east-1"),
        ("https://storage.googleapis.com", "auto"),
        ("https://STORAGE.googleapis.com:443/", "auto"),
        ("https://storage.googleapis.com.", "auto"),
        ("https://storage.europe-west3.rep.googleapis.com", "auto"),
        ("https://media.storage.googleapis.com", "auto"),
        ("https://media.example.org.storage.googleapis.com", "auto"),
        (f"https://{ACCOUNT}.r2.cloudflarestorage.com", "auto"),
        (f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com", "auto"),
        (f"https://{ACCOUNT}.fedramp.r2.cloudflarestorage.com", "auto"),
        ("https://storage.googleapis.com.example.org", "us-east-1"),
        ("https://evilstorage.googleapis.com", "us-east-1"),
        ("https://r2.cloudflarestorage.com.example.org", "us-east-1"),
        ("https://notamazonaws.com", "us-east-1"),
        ("https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://s3.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://s3-fips.us-east-2.amazonaws.com", "us-east-2"),
        ("https://bucket.vpce-0a1b2c3d-4e5f.s3.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("https://eu-west-1.s3.us-east-2.amazonaws.com", "us-east-2"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_without_a_region_the_host_of_the_endpoint_decides_it(endpoint, region):
    settings = Settings.from_env({"S3_ENDPOINT_URL": endpoint, **BUCKETS, **KEYS})
    assert settings.region == region
    assert Settings.from_env({"S3_ENDPOINT_URL": endpoint, "AWS_REGION": "my-region"}).region == "my-region"
    assert Settings.from_env({"S3_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "mine"}).region == "mine"


@pytest.mark.parametrize(
    "endpoint",
    ["", "https://s3.amazonaws.com", "https://s3-accelerate.amazonaws.com", "https://s3-external-1.amazonaws.com"],
)
def test_on_aws_a_missing_region_is_an_error_with_an_example(endpoint):
    with pytest.raises(StorageConfigError, match=r"AWS_REGION is not set.*such as AWS_REGION=eu-west-1") as caught:
        Settings.from_env({"S3_ENDPOINT_URL": endpoint, **BUCKETS, **KEYS})
    assert endpoint in str(caught.value)


def test_on_aws_a_region_and_no_endpoint_are_enough():
    settings = Settings.from_env({"AWS_REGION": "eu-west-1", **BUCKETS, **KEYS})
    assert (settings.region, settings.endpoint_url) == ("eu-west-1", None)


def test_an_endpoint_that_is_no_url_is_the_error_and_not_the_region():
    for endpoint in ("http://[h", "minio:9000"):
        with pytest.raises(StorageConfigError, match="S3_ENDPOINT_URL"):
            Settings.from_env({"S3_ENDPOINT_URL": endpoint, **BUCKETS, **KEYS})


def test_a_round_trip_without_a_region(any_store, monkeypatch, tmp_path, capsys):
    written_by_hand = {
        "S3_ENDPOINT_URL": any_store.endpoint,
        "S3_BUCKET_IN": f"in-{uuid.uuid4().hex[:12]}",
        "S3_BUCKET_OUT": f"out-{uuid.uuid4().hex[:12]}",
        "AWS_ACCESS_KEY_ID": any_store.access_key_id,
        "AWS_SECRET_ACCESS_KEY": any_store.secret_access_key,
    }
    for name, value in written_by_hand.items():
        monkeypatch.setenv(name, value)
    for name in ("S3_BUCKET_IN", "S3_BUCKET_OUT"):
        get_s3_client().create_bucket(Bucket=written_by_hand[name])

    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"film")
    bucket = written_by_hand["S3_BUCKET_IN"]
    assert upload_file(source, bucket, "a.mp4").verified_by == "md5"
    assert [one.key for one in list_objects(bucket)] == ["a.mp4"]
    assert download_file(bucket, "a.mp4", target).size == 4
    with urllib.request.urlopen(get_presigned_url(bucket, "a.mp4"), timeout=10) as response:
        assert response.read() == b"film"

    assert main(["check", "--write"]) == 0
    assert "region us-east-1" in capsys.readouterr().out


@pytest.mark.parametrize("endpoint", ["storage.googleapis.com", f"{ACCOUNT}.eu.r2.cloudflarestorage.com"])
def test_requests_to_google_and_r2_are_signed_for_the_region_auto(fake, monkeypatch, tmp_path, endpoint):
    # The double stands in as an HTTP proxy: what it receives is the request as it is really sent.
    for name in ("no_proxy", "NO_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("HTTP_PROXY", fake.endpoint)
    monkeypatch.setenv("S3_ENDPOINT_URL", f"http://{endpoint}")
    source = tmp_path / "source"
    source.write_bytes(b"film")

    upload_file(source, "bucket", "a.mp4")

    ((method, address, headers),) = fake.requests
    assert (method, address) == ("PUT", f"http://{endpoint}/bucket/a.mp4")
    assert re.search(r"Credential=admin/\d{8}/auto/s3/aws4_request,", headers["Authorization"])
    assert "%2Fauto%2Fs3%2Faws4_request&" in get_presigned_url("bucket", "a.mp4")
