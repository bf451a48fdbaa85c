from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config.environment import BucketConfig, Expiry
from infra.stores import lifecycle

BASE = BucketConfig(name="media", versioning=True, cors_origins=("*",))
days = st.integers(1, 9999)
expiries = st.lists(
    st.builds(Expiry, prefix=st.text(min_size=1, max_size=10), days=days),
    max_size=4,
    unique_by=lambda one: one.prefix,
).map(lambda found: tuple(sorted(found, key=lambda one: one.prefix)))
wanted = st.builds(
    BucketConfig,
    name=st.just("media"),
    versioning=st.just(value=True),
    cors_origins=st.just(("*",)),
    expire=expiries,
    noncurrent_days=st.none() | days,
    abort_multipart_days=st.none() | days,
)
foreign_rule = st.fixed_dictionaries(
    {"Status": st.sampled_from(["Enabled", "Disabled"]), "Filter": st.just({"Prefix": "theirs/"})},
    optional={
        "ID": st.text(max_size=12).filter(lambda name: not name.startswith("mpr-")),
        "Expiration": st.just({"Days": 3}),
        "Transitions": st.just([{"Days": 1, "StorageClass": "GLACIER"}]),
    },
)
foreign: st.SearchStrategy[list[Any]] = st.lists(foreign_rule, max_size=3)


@given(wanted, foreign)
def test_rules_say_what_the_settings_say_and_keep_those_of_others(bucket, others):
    rules: list[Any] = lifecycle.rules(bucket, others)
    assert rules[: len(others)] == others
    assert lifecycle.settings(rules, BASE) == bucket


@given(wanted, wanted, foreign)
def test_the_rules_of_an_earlier_run_are_replaced(before, after, others):
    there: list[Any] = lifecycle.rules(before, others)
    assert lifecycle.rules(after, there) == lifecycle.rules(after, others)


@given(foreign)
def test_rules_of_others_are_no_settings_of_ours(others):
    assert lifecycle.settings(others, BASE) == BASE


def test_the_lifecycle_rules_of_a_bucket_are_those_of_its_settings():
    bucket = replace(
        BASE, expire=(Expiry(prefix="cache/", days=30),), noncurrent_days=7, abort_multipart_days=2
    )  # fmt: skip
    assert lifecycle.rules(bucket, []) == [
        {
            "ID": "mpr-expire-cache/",
            "Status": "Enabled",
            "Filter": {"Prefix": "cache/"},
            "Expiration": {"Days": 30},
        },
        {
            "ID": "mpr-noncurrent",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        },
        {
            "ID": "mpr-abort-multipart",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        },
    ]


def test_a_managed_rule_that_is_disabled_counts_as_absent():
    rules: list[Any] = lifecycle.rules(replace(BASE, abort_multipart_days=2), [])
    rules[0]["Status"] = "Disabled"
    assert lifecycle.settings(rules, BASE) == BASE


def test_the_old_form_of_a_prefix_is_read():
    rule: Any = {"ID": "mpr-expire-a", "Status": "Enabled", "Prefix": "a/", "Expiration": {"Days": 2}}
    assert lifecycle.settings([rule], BASE).expire == (Expiry(prefix="a/", days=2),)


@pytest.mark.parametrize(
    "change", [{"Filter": {"Prefix": "a/"}}, {"Filter": {"ObjectSizeLessThan": 9}}, {"Expiration": {"Days": 1}}]
)
def test_a_managed_rule_with_further_actions_is_replaced(change):
    rules: list[Any] = lifecycle.rules(replace(BASE, noncurrent_days=2), [])
    assert lifecycle.settings([rules[0] | change], BASE).noncurrent_days == lifecycle.CHANGED
