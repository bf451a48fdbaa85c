from __future__ import annotations

import pytest

from infra.config.environment import BucketConfig
from infra.stores import buckets, origin
from infra.stores.access_key import AccessKey
from infra.stores.contents import Contents
from infra.stores.store import Store
from tests.infra.conftest import fresh, http_server, remove_bucket, responding


def test_a_created_bucket_names_its_environment_and_no_other(server):
    name = fresh()
    try:
        buckets.ensure(server.store, BucketConfig(name=name), "studio")
        buckets.ensure(server.store, BucketConfig(name=name), "other")  # finds it, and changes nothing
        assert origin.is_created_by(server.store, name, "studio")
        assert not origin.is_created_by(server.store, name, "other")
    finally:
        remove_bucket(server.store.s3, name)


def test_a_bucket_that_existed_before_keeps_its_tags(server, new_bucket):
    name = new_bucket(server.store)
    tags = [{"Key": "team", "Value": "media"}]
    server.store.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    buckets.ensure(server.store, BucketConfig(name=name), "studio")
    assert server.store.s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    assert not origin.is_created_by(server.store, name, "studio")


@pytest.mark.parametrize("code", ["NotImplemented", "AccessDenied", "MethodNotAllowed"])
def test_a_store_without_bucket_tags_records_nothing_and_fails_nothing(code, no_backoff):
    with http_server(responding(400, code)) as endpoint:
        store = Store(endpoint, "us-east-1", AccessKey("a", "b"))
        origin.record(store, "media", "studio")
        assert not origin.is_created_by(store, "media", "studio")


def test_the_sentence_about_a_kept_bucket_says_whether_it_is_known_that_it_existed_before():
    held = Contents(objects=12, size=34_500)
    assert origin.kept("media", held, is_known=True) == (
        "bucket media existed before this environment and holds 12 objects (34.5 kB): it stays"
    )
    assert origin.kept("media", held, is_known=False) == (
        "bucket media stays: nothing records that this environment created it. It holds 12 objects (34.5 kB)"
    )
