from __future__ import annotations

import pytest

from core.storage import AccessDeniedError, StorageError
from core.storage.settings import Settings
from infra.copy.listing import objects
from infra.copy.parts import Batch, batches
from infra.copy.side import Side
from infra.copy.uploads import abort
from tests.infra.conftest import http_server, responding
from tests.infra.copy.conftest import Pair
from tests.infra.copy.test_plan import MIB, info

PAGE = (
    "<ListBucketResult><IsTruncated>true</IsTruncated>{token}<Contents><Key>a</Key><Size>1</Size><ETag>e</ETag>"
    "<LastModified>2026-11-25T00:00:00Z</LastModified></Contents></ListBucketResult>"
)


@pytest.mark.flow
def test_more_objects_than_one_page_of_a_listing_are_copied(pair: Pair):
    keys = [f"frames/{number:04d}+ü.jpg" for number in range(1005)]
    for key in keys:
        pair.source.put("out", key)
    done = pair.copy("--yes", "--json")
    assert done.json["out"]["verified"] == {"md5": 1005, "bytes": 0}
    assert pair.target.keys("out") == keys


def side(endpoint: str) -> Side:
    settings = Settings(
        endpoint_url=endpoint, region="x", bucket_in="bucket", access_key_id="k", secret_access_key="s"
    )
    return Side("e", settings)


@pytest.mark.parametrize("token", ["", "<NextContinuationToken>same</NextContinuationToken>"])
def test_a_truncated_listing_without_a_continuation_token_is_an_error(token):
    wanted = pytest.raises(StorageError, match=r"^e: the store says that the listing of bucket goes on, but")
    with http_server(responding(200, PAGE.format(token=token))) as endpoint, wanted:
        list(objects(side(endpoint), "in"))


@pytest.mark.parametrize("status", [400, 404, 416, 501])
def test_without_part_sizes_from_the_store_the_default_part_size_is_used(status):
    one = info("a", "e-2", 20 * MIB)
    with http_server(responding(status)) as endpoint:
        assert batches(side(endpoint), "in", [one]) == [Batch(16 * MIB, [one])]


def test_a_store_that_denies_head_object_is_an_error():
    wanted = pytest.raises(AccessDeniedError, match=r"^e: access denied for HeadObject")
    with http_server(responding(403)) as endpoint, wanted:
        batches(side(endpoint), "in", [info("a", "e-2", 20 * MIB)])


def test_objects_of_a_gibibyte_without_parts_are_copied_in_parts():
    whole, large = info("a", size=1024 * MIB - 1), info("b", size=1024 * MIB)
    found = batches(side("http://unused"), "in", [whole, large])
    assert found == [Batch(None, [whole]), Batch(16 * MIB, [large])]


def test_unfinished_uploads_that_may_not_be_listed_are_a_warning():
    with http_server(responding(403, "<Error><Code>AccessDenied</Code></Error>")) as endpoint:
        told = abort(side(endpoint), "in", ["a", "b"])
    assert told is not None
    assert "uploads that an earlier copy left unfinished could not be aborted" in told
