"""Buckets that an environment created and no longer configures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra import leftover, plan
from infra.config.environment import BucketConfig
from infra.stores import buckets
from infra.stores import leftover as on_store
from infra.stores.access_key import AccessKey
from infra.stores.contents import Contents
from infra.stores.store import Store
from tests.infra.conftest import Environment, fresh, http_server, remove_bucket, responding


@pytest.fixture
def renamed(environment: Environment) -> Iterator[str]:
    """The name of a bucket that the environment created, with one object, and that its file no longer names."""
    environment.values["identities"] = ["app"]
    environment.initialise()
    old = f"{environment.name}-in"
    environment.store.s3.put_object(Bucket=old, Key="a", Body=b"123")
    environment.values["buckets"]["in"]["name"] = f"{environment.name}-new"
    environment.save()
    yield old
    remove_bucket(environment.store.s3, old)


def test_init_names_a_renamed_bucket_with_what_it_holds_and_what_to_do(environment: Environment, renamed: str):
    assert environment.initialise()[f"bucket {renamed}"] == (
        f"stays behind: environment {environment.name} created it and no longer names it. It holds 1 object "
        "(3 bytes); move what you need with `python -m infra copy`, then delete it "
        "(docs/how-to/moving.md, Buckets that stay behind)"
    )
    environment.store.s3.head_bucket(Bucket=renamed)
    environment.store.s3.delete_object(Bucket=renamed, Key="a")
    assert "It holds no objects; delete it (docs" in environment.initialise()[f"bucket {renamed}"]


def test_only_buckets_of_this_environment_stay_behind(environment: Environment, renamed: str, new_bucket):
    new_bucket(environment.store)  # without a tag
    other = fresh()
    buckets.ensure(environment.store, BucketConfig(name=other), "another")
    try:
        assert leftover.find(plan.for_comparison(environment.config)) == [renamed]
    finally:
        remove_bucket(environment.store.s3, other)


def test_a_bucket_that_another_environment_configures_does_not_stay_behind(environment: Environment, renamed: str):
    values = environment.values | {"buckets": {"in": {"name": renamed}, "out": {"name": f"{renamed}-2"}}}
    Environment("heir", environment.server, environment.folder, values).save()
    (environment.folder / "Pulumi.wrong.yaml").write_text("config: [")
    assert leftover.find(plan.for_comparison(environment.config)) == []


@pytest.mark.parametrize("code", ["NotImplemented", "AccessDenied"])
def test_a_store_that_does_not_say_is_not_known(code, no_backoff):
    body = f"<Error><Code>{code}</Code></Error>"
    with http_server(responding(403, body)) as endpoint:
        assert on_store.find(Store(endpoint, "us-east-1", AccessKey("a", "b")), "studio", ()) is None


def test_nothing_is_reported_about_a_store_that_does_not_respond(seaweed_environment: Environment, refusing: str):
    seaweed_environment.values["endpoint"] = refusing
    lines: list[str] = []
    leftover.report_of(seaweed_environment.config, lines.append)
    assert lines == []


def test_the_sentence_says_what_to_do():
    assert "move what you need" in leftover.sentence("studio", Contents(uploads=1))
    assert "; delete it (" in leftover.sentence("studio", Contents())
