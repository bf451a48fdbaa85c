"""What a copy would do, from listings alone; which keys can go, in which parts, and whether two places are one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.storage import ObjectInfo
from core.storage.settings import Settings
from infra.copy import keys, parts, plan
from infra.copy.distinct import address
from infra.copy.plan import CopyPlan, compare

MIB = 1024 * 1024
THEN, NOW = datetime(2025, 4, 15, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)


def info(key: str, etag: str = "e", size: int = 1, when: datetime = THEN) -> ObjectInfo:
    return ObjectInfo(key, size, etag, when)


def planned(source: list[ObjectInfo], target: list[ObjectInfo]) -> CopyPlan:
    return compare(CopyPlan("in", "a", "b", {one.key: one for one in target}), source)


class TestCompare:
    @pytest.mark.parametrize(
        ("there", "kind"),
        [
            (None, "missing"),
            (info("k", when=NOW), "same"),
            (info("k", "other"), "unsure"),
            (info("k", "e-2"), "unsure"),
            (info("k", "e", 2), "differing"),
        ],
    )
    def test_an_object_is_missing_or_the_same_or_unsure_or_differing(self, there, kind):
        found = planned([info("k")], [there] if there else [])
        groups = {name: getattr(found, name) for name in ("missing", "same", "unsure", "differing")}
        assert {name for name, group in groups.items() if group} == {kind}

    def test_objects_without_an_etag_are_not_taken_as_the_same(self):
        assert planned([info("k", "")], [info("k", "")]).unsure

    @pytest.mark.parametrize("key", ["a\\b", "a//b", "/a", "../a", "a/./b", "a/"])
    def test_keys_that_some_stores_normalise_are_left_out_unless_the_target_has_them(self, key):
        found = planned([info(key)], [])
        assert (list(found.left_out), found.missing) == ([key], [])
        found = planned([info(key)], [info(key)])
        assert (found.left_out, len(found.same)) == ({}, 1)

    def test_folder_markers_are_not_copied(self):
        found = planned([info("a/", size=0)], [info("b/", size=0)])
        assert (found.missing, found.left_out, found.only_at_target) == ([], {}, [])

    def test_keys_of_the_target_alone_are_listed(self):
        assert planned([info("k")], [info("k"), info("theirs")]).only_at_target == ["theirs"]

    def test_objects_with_equal_timestamps_on_both_sides_are_counted(self):
        assert (
            planned([info("a"), info("b"), info("c")], [info("a"), info("b", when=NOW), info("d")]).equal_times
            == 1
        )


class TestHidden:
    @pytest.mark.parametrize(
        ("source", "target", "hidden"),
        [
            (["a", "a/b"], [], {"a", "a/b"}),
            (["a/b/c"], ["a"], {"a/b/c"}),
            (["a"], ["a/b/c"], {"a"}),
            (["a/b", "a/c", "a.mp4", "ab"], ["a-b/c"], set()),
            (["a"], ["a/"], set()),
        ],
    )
    def test_an_object_whose_key_is_a_folder_of_another_is_left_out(self, source, target, hidden):
        found = planned([info(key) for key in source], [info(key) for key in target])
        plan.leave_out_hidden(found, [info(key) for key in source])
        assert set(found.left_out) == hidden
        assert {one.key for one in found.missing} == set(source) - hidden


ALPHABET = "ab/\n\r\x01\u201b\u2400\u2401\u240a\u240d\u2421\uff0e\uff0f"


@given(st.text(ALPHABET, min_size=1), st.text(ALPHABET, min_size=1))
def test_the_file_list_for_rclone_holds_each_key_on_one_line(one, other):
    assert len(keys.listed(one).splitlines()) == 1
    assert (keys.listed(one) == keys.listed(other)) == (one == other)


class TestParts:
    @pytest.mark.parametrize(
        ("headers", "size", "count", "found"),
        [
            ({"content-length": str(8 * MIB)}, 20 * MIB, 3, 8 * MIB),
            ({"content-length": str(5 * MIB)}, 5 * MIB + 1, 2, 5 * MIB),
            ({"content-length": str(20 * MIB)}, 20 * MIB, 3, 16 * MIB),  # a store that ignores the question
            ({"content-length": str(6 * MIB)}, 12 * MIB, 3, 16 * MIB),  # of several sizes
            ({"content-length": str(MIB)}, 2 * MIB, 2, 16 * MIB),  # less than rclone sends
            ({"content-length": str(512 * MIB)}, 600 * MIB, 2, 16 * MIB),  # more than fits into memory
            ({"x-amz-meta-mpr-part-size": str(17 * MIB)}, 40 * MIB, 3, 17 * MIB),
            ({"x-amz-meta-mpr-part-size": "many"}, 40 * MIB, 3, 16 * MIB),
            ({}, 16 * MIB * 10_000 + 1, 9, 17 * MIB),
        ],
    )
    def test_a_part_size_is_used_only_if_it_leads_to_the_number_of_parts(self, headers, size, count, found):
        assert parts.usable(headers, size, count) == found


class TestAddress:
    @pytest.mark.parametrize(
        ("one", "other", "equal"),
        [
            ("http://store:8333", "http://STORE:8333/", True),
            ("http://store", "http://store:80", True),
            ("https://store", "https://store:443", True),
            ("http://store:8333", "http://store:8334", False),
            ("http://store:8333", "http://store.example:8333", False),
            ("http://localhost:1", "http://127.0.0.1:1", True),
            ("http://[::1]:1", "http://127.0.0.1:1", True),
            (None, "https://s3.eu-west-1.amazonaws.com", True),
            (None, "https://s3.amazonaws.com.example", False),
            (None, "https://s3.cn-north-1.amazonaws.com.cn", False),
            ("https://a.r2.cloudflarestorage.com", "https://b.r2.cloudflarestorage.com", False),
        ],
    )
    def test_two_spellings_of_an_endpoint_are_the_same_store(self, one, other, equal):
        found = [address(Settings(endpoint_url=url, region="eu-west-1")) for url in (one, other)]
        assert (found[0] == found[1]) is equal
