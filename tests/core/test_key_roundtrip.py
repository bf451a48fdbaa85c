"""Any key, through a real store and a real file system: it comes back as it was, or is refused in words."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from core.storage import StorageError, download_many, get_s3_client, list_objects, upload_file

#: Pieces that file systems, URLs and stores take differently.
odd = st.sampled_from(
    ["..", ".", "", " ", "a.", "é", "e\u0301", "\U0001f3ac", "%2F", "+", "a b", "#?&=", "x" * 255]
)
keys = st.one_of(
    st.lists(st.one_of(odd, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)), max_size=4).map(
        "/".join
    ),
    st.text(max_size=30),
)


NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"content")
    return path


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=keys)
@example(key="k" * 1024)
@example(key="k" * 1025)
@example(key="/lead")
@example(key="a//b")
@example(key="a/../../b")
@example(key="trailing.")
@example(key="dir/")
@example(key="é" * 128)
def test_a_key_comes_back_as_it_was_or_is_refused(key, any_store, any_bucket, source):
    assume(any_store.lists_control or not NOT_IN_XML.search(key))
    try:
        info = upload_file(source, any_bucket, key)
    except StorageError:
        return
    try:
        look(key, any_bucket, source, info)
    finally:  # beside an object `a`, MinIO lists no `a/b`
        get_s3_client().delete_object(Bucket=any_bucket, Key=key)


def look(key, bucket, source, info):
    assert info.key == key
    assert key in {one.key for one in list_objects(bucket, key)}
    with TemporaryDirectory(dir=source.parent) as folder:
        (result,) = download_many([(bucket, key)], folder)
        there = [one for one in Path(folder).rglob("*") if one.is_file()]
        if result.error:
            assert isinstance(result.error, StorageError | OSError)
            assert there == []
        else:
            assert [one.read_bytes() for one in there] == [b"content"]
            assert there == [Path(folder, key)]
    assert not list(source.parent.glob("*.part"))
