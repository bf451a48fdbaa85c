from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config.environment import BucketConfig, Expiry
from infra.stores.settings import ATTRIBUTES, differing, from_props, to_props

days = st.integers(1, 9999)
buckets = st.builds(
    BucketConfig,
    name=st.just("media"),
    versioning=st.none() | st.booleans(),
    noncurrent_days=st.none() | days,
    expire=st.lists(st.builds(Expiry, prefix=st.text(min_size=1), days=days), max_size=3, unique=True).map(tuple),
    abort_multipart_days=st.none() | days,
    cors_origins=st.lists(st.sampled_from(["*", "http://a", "http://b"]), unique=True).map(tuple),
)
FULL = BucketConfig(
    name="media",
    versioning=True,
    noncurrent_days=7,
    expire=(Expiry(prefix="a", days=1), Expiry(prefix="b", days=2)),
    abort_multipart_days=2,
    cors_origins=("http://a", "http://b"),
)


@given(buckets)
def test_a_bucket_survives_the_way_through_the_properties_of_pulumi(bucket):
    bucket = replace(
        bucket,
        expire=tuple(sorted(bucket.expire, key=lambda one: one.prefix)),
        cors_origins=tuple(sorted(bucket.cors_origins)),
    )
    assert from_props(to_props(bucket)) == bucket
    # Pulumi hands every number over as a float
    floats = json.loads(json.dumps(to_props(bucket)), parse_int=float)
    again = from_props(floats)
    assert again == bucket
    assert [type(one.days) for one in again.expire] == [int] * len(bucket.expire)
    assert type(again.noncurrent_days) is type(bucket.noncurrent_days)


@given(buckets)
def test_a_setting_that_is_not_set_has_no_property(bucket):
    props = to_props(bucket)
    assert None not in props.values()
    assert [] not in props.values()
    assert set(props) <= {"name", *ATTRIBUTES}
    assert json.loads(json.dumps(props)) == props


def test_a_setting_of_false_has_a_property():
    assert to_props(replace(FULL, versioning=False))["versioning"] is False


@given(buckets)
def test_a_bucket_does_not_differ_from_itself(bucket):
    assert differing(bucket, bucket) == []


@given(buckets, buckets)
def test_the_differing_settings_are_those_that_a_change_has_to_set(actual, wanted):
    changed = differing(actual, wanted)
    assert changed == [name for name in ATTRIBUTES if name in changed]  # in this order, each once
    repaired = replace(actual, **{ATTRIBUTES[name]: getattr(wanted, ATTRIBUTES[name]) for name in changed})
    assert differing(repaired, wanted) == []
    assert (changed == []) == all(
        wanted.versioning is None
        if name == "versioning" and wanted.versioning is None
        else _comparable(actual, name) == _comparable(wanted, name)
        for name in ATTRIBUTES
    )


def _comparable(bucket: BucketConfig, name: str) -> object:
    value = getattr(bucket, ATTRIBUTES[name])
    if name == "versioning":
        return bool(value)
    return set(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_each_setting_is_compared(name):
    empty = BucketConfig(name="media", versioning=False)
    other = replace(FULL, **{ATTRIBUTES[name]: getattr(empty, ATTRIBUTES[name])})
    assert differing(FULL, other) == [name]
    assert differing(other, FULL) == [name]


def test_the_order_of_rules_and_origins_is_no_difference():
    other = replace(FULL, expire=FULL.expire[::-1], cors_origins=FULL.cors_origins[::-1])
    assert differing(FULL, other) == []


def test_versioning_that_is_not_configured_is_no_difference():
    assert differing(FULL, replace(FULL, versioning=None)) == []
    assert differing(replace(FULL, versioning=None), replace(FULL, versioning=False)) == []
