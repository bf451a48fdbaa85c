from __future__ import annotations

import pytest

from infra.env import files
from infra.errors import UnreachableError
from infra.stores import contents
from infra.stores.access_key import AccessKey
from infra.stores.contents import Contents
from infra.stores.store import Store, s3_client
from tests.conftest import free_ports
from tests.infra.conftest import fresh


def test_every_version_and_unfinished_upload_is_counted(server, new_bucket):
    name, s3 = new_bucket(server.store), server.store.s3
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="a.mp4", Body=b"old")
    s3.put_object(Bucket=name, Key="a.mp4", Body=b"new")
    s3.put_object(Bucket=name, Key="b.mp4", Body=b"deleted")
    s3.delete_object(Bucket=name, Key="b.mp4")
    s3.create_multipart_upload(Bucket=name, Key="c.mp4")
    held = contents.count(server.store, name)
    assert held == Contents(objects=1, older_versions=3, uploads=1, size=len(b"oldnewdeleted"))


def test_a_bucket_without_versions_is_counted(server, new_bucket):
    name = new_bucket(server.store)
    assert contents.count(server.store, name) == Contents()
    for number in range(3):
        server.store.s3.put_object(Bucket=name, Key=f"chunks/{number}.mp4", Body=b"12345")
    assert contents.count(server.store, name) == Contents(objects=3, size=15)


def test_more_objects_than_one_page_are_counted(seaweed_store, new_bucket, monkeypatch):
    name = new_bucket(seaweed_store)
    for number in range(5):
        seaweed_store.s3.put_object(Bucket=name, Key=f"{number}", Body=b"1")
    listed = seaweed_store.s3.list_object_versions
    monkeypatch.setattr(seaweed_store.s3, "list_object_versions", lambda **more: listed(**more | {"MaxKeys": 2}))
    assert contents.count(seaweed_store, name) == Contents(objects=5, size=5)


def test_a_bucket_that_does_not_exist_is_none(server):
    assert contents.count(server.store, fresh()) is None


def test_a_store_that_does_not_respond_is_an_error():
    (closed,) = free_ports(1)
    with pytest.raises(UnreachableError, match="counting the objects of bucket media"):
        contents.count(Store(f"http://127.0.0.1:{closed}", "us-east-1", AccessKey("a", "b")), "media")


def test_what_an_access_key_may_not_list_is_left_open(seaweed_environment):
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.initialise()
    store, name = seaweed_environment.store, f"{seaweed_environment.name}-in"
    store.s3.put_object(Bucket=name, Key="a.mp4", Body=b"123")
    keys = files.access_key(seaweed_environment.file("app"))
    assert keys
    held = contents.count_with(s3_client(store, keys), name)
    assert (held.objects, held.size) == (1, 3)
    assert str(held).startswith("1 object (3 bytes")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (Contents(), "no objects"),
        (Contents(objects=1, size=1), "1 object (1 byte)"),
        (Contents(objects=1200, older_versions=1, uploads=2, size=34_500),
         "1,200 objects, 1 older version, 2 unfinished uploads (34.5 kB)"),
        (Contents(older_versions=2, size=5), "no objects, 2 older versions (5 bytes)"),
        (Contents(objects=2, older_versions=None, uploads=None, size=5),
         "2 objects (5 bytes; older versions and unfinished uploads could not be counted)"),
    ],
)  # fmt: skip
def test_the_numbers_are_said_in_words(held, said):
    assert str(held) == said
