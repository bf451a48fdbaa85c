from __future__ import annotations

from typing import Any

import pytest

from core.storage import StorageConfigError
from core.storage._http.address import address_of
from core.storage.settings import Settings

KEYS: dict[str, Any] = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "secret"}


@pytest.mark.parametrize(
    ("settings", "bucket", "host", "path"),
    [
        ({"endpoint_url": "http://minio:9000"}, "media", ("http", "minio", 9000), "/media/a%20b/%C3%BC.mp4"),
        ({"endpoint_url": "https://s.example/"}, "media", ("https", "s.example", 443), "/media/a%20b/%C3%BC.mp4"),
        ({"endpoint_url": "http://[::1]:9000"}, "media", ("http", "::1", 9000), "/media/a%20b/%C3%BC.mp4"),
        (
            {"endpoint_url": "https://s.example", "addressing_style": "virtual"},
            "media",
            ("https", "media.s.example", 443),
            "/a%20b/%C3%BC.mp4",
        ),
        ({}, "media", ("https", "media.s3.eu-west-1.amazonaws.com", 443), "/a%20b/%C3%BC.mp4"),
        (
            {"addressing_style": "path"},
            "media.dotted",
            ("https", "s3.eu-west-1.amazonaws.com", 443),
            "/media.dotted/a%20b/%C3%BC.mp4",
        ),
    ],
)
def test_a_bucket_is_where_botocore_says(settings, bucket, host, path):
    address = address_of(Settings(region="eu-west-1", **settings, **KEYS), bucket)
    assert tuple(address.host) == host
    assert address.path("a b/ü.mp4") == path


def test_in_china_it_is_in_china():
    address = address_of(Settings(region="cn-north-1", **KEYS), "media")
    assert address.host.name == "media.s3.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (None, "/media"),
        ("~-_.", "/media/~-_."),
        ("a+b&c=d?e#f%", "/media/a%2Bb%26c%3Dd%3Fe%23f%25"),
        ("//x", "/media///x"),
    ],
)
def test_keys_are_encoded_once_and_whole(key, path):
    settings = Settings(region="r-1", endpoint_url="http://127.0.0.1:9", **KEYS)
    assert address_of(settings, "media").path(key) == path


def test_the_host_header_has_the_port_only_where_it_must():
    def header(endpoint: str) -> str:
        return address_of(Settings(region="r-1", endpoint_url=endpoint, **KEYS), "media").host.header

    assert header("http://s.example:80") == "s.example"
    assert header("https://s.example:443") == "s.example"
    assert header("https://s.example:9000") == "s.example:9000"
    assert header("http://[::1]:9000") == "[::1]:9000"


def test_a_name_that_is_no_bucket_is_refused():
    with pytest.raises(StorageConfigError, match="'No Bucket' must hold only"):
        address_of(Settings(region="r-1", endpoint_url="http://127.0.0.1:9", **KEYS), "No Bucket")
