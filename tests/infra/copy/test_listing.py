from __future__ import annotations

import pytest

from core.storage.settings import Settings
from infra.copy.listing import objects
from infra.copy.parts import Batch, batches
from infra.copy.side import Side
from infra.copy.uploads import discard
from infra.errors import InfraError
from tests.infra.conftest import answering, http_server
from tests.infra.copy.conftest import Pair
from tests.infra.copy.test_plan import MIB, info

PAGE = (
    "<ListBucketResult><IsTruncated>true</IsTruncated>{token}<Contents><Key>a</Key><Size>1</Size><ETag>e</ETag>"
    "<LastModified>2026-11-25T00:00:00Z</LastModified></Contents></ListBucketResult>"
)


@pytest.mark.flow
def test_more_than_a_page_is_listed_and_copied(pair: Pair):
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
def test_a_store_that_does_not_say_where_a_listing_goes_on(token):
    wanted = pytest.raises(InfraError, match="e: the listing of bucket goes on, but")
    with http_server(answering(200, PAGE.format(token=token))) as endpoint, wanted:
        list(objects(side(endpoint), "in"))


@pytest.mark.parametrize("status", [400, 404, 416, 501])
def test_a_store_that_knows_no_parts_gets_those_of_this_library(status):
    one = info("a", "e-2", 20 * MIB)
    with http_server(answering(status)) as endpoint:
        assert batches(side(endpoint), "in", [one]) == [Batch(16 * MIB, [one])]


def test_a_store_that_refuses_to_tell_is_an_error():
    wanted = pytest.raises(InfraError, match="e: the key may not do HeadObject")
    with http_server(answering(403)) as endpoint, wanted:
        batches(side(endpoint), "in", [info("a", "e-2", 20 * MIB)])


def test_large_objects_in_one_piece_go_in_parts():
    whole, large = info("a", size=1024 * MIB - 1), info("b", size=1024 * MIB)
    found = batches(side("http://nobody"), "in", [whole, large])
    assert found == [Batch(None, [whole]), Batch(16 * MIB, [large])]


def test_uploads_that_nobody_may_list_are_told_and_in_nobodys_way():
    with http_server(answering(403, "<Error><Code>AccessDenied</Code></Error>")) as endpoint:
        told = discard(side(endpoint), "in", ["a", "b"])
    assert told is not None
    assert "uploads that an earlier copy left unfinished could not be discarded" in told
