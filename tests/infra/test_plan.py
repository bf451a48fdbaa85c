from __future__ import annotations

from dataclasses import replace

import pytest

from core.storage.settings import Settings
from infra import plan
from infra.config.identities import RIGHTS
from infra.errors import InfraError, UnreachableError, UsageError
from tests.infra.conftest import Environment, fresh, identity_of, policy_of


def created(environment: Environment) -> list[str]:
    return [one["Name"] for one in environment.store.s3.list_buckets()["Buckets"]]


def test_a_plan_holds_the_store_the_names_and_the_policies_and_creates_nothing(seaweed_environment):
    made = plan.for_update(seaweed_environment.config)
    name = seaweed_environment.name
    assert made.store == seaweed_environment.store
    assert (made.kind.name, made.notices) == ("SeaweedFS", [])
    assert {role: bucket.name for role, bucket in made.buckets.items()} == {
        "in": f"{name}-in",
        "out": f"{name}-out",
    }
    assert made.name(identity_of("viewer")) == f"mpr-{name}-viewer"
    names = {"in": f"{name}-in", "out": f"{name}-out"}
    assert made.policy(identity_of("viewer")) == policy_of("viewer", names)
    renamed = policy_of("app", names, rename=made.kind.rename)
    assert made.policy(identity_of("app")) == renamed != policy_of("app", names)
    assert not set(names.values()) & set(created(seaweed_environment))


@pytest.mark.parametrize("identity", RIGHTS)
def test_settings_name_the_buckets_that_the_identity_may_reach(seaweed_environment, identity):
    seaweed_environment.values.update(publicEndpoint="https://media.example.com", addressingStyle="virtual")
    made = plan.for_update(seaweed_environment.config)
    assert made.settings(identity_of(identity)) == Settings(
        endpoint_url=seaweed_environment.store.endpoint,
        public_endpoint_url="https://media.example.com",
        addressing_style="virtual",
        region="us-east-1",
        bucket_in=f"{seaweed_environment.name}-in",
        bucket_out=None if identity == "ingest" else f"{seaweed_environment.name}-out",
    )


def refused(environment: Environment, error: type[InfraError] = UsageError) -> str:
    with pytest.raises(error) as caught:
        plan.for_update(environment.config)
    assert f"{environment.name}-in" not in created(environment)
    return str(caught.value)


def test_a_file_that_could_not_be_written_is_refused_before_the_store_is_asked(seaweed_environment, refusing):
    for identity in ("app", "viewer"):
        seaweed_environment.file(identity).write_text("mine")
    plan.for_update(seaweed_environment.config)  # as the component does, which writes no env file
    seaweed_environment.values["endpoint"] = refusing
    with pytest.raises(UsageError) as caught:
        seaweed_environment.initialise()
    assert str(caught.value).count("was not written by mpr-storage") == 2


def test_missing_admin_keys_are_refused(seaweed_environment, monkeypatch):
    monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
    monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
    assert "no admin keys for http" in refused(seaweed_environment)


def test_wrong_admin_keys_are_refused(seaweed_environment, monkeypatch):
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", fresh())
    assert "does not accept the admin key ...dmin" in refused(seaweed_environment)


def test_an_endpoint_that_refuses_is_unreachable(seaweed_environment, refusing):
    seaweed_environment.values["endpoint"] = refusing
    assert f"cannot reach the store at {refusing}" in refused(seaweed_environment, UnreachableError)


@pytest.mark.minio
def test_a_setting_that_minio_lacks_is_refused_before_anything_is_created(minio_environment):
    bucket = minio_environment.values["buckets"]["out"]
    bucket["corsOrigins"] = ["*"]
    assert refused(minio_environment).startswith("buckets.out.corsOrigins: not supported by MinIO; ")
    del bucket["corsOrigins"]
    made = plan.for_update(minio_environment.config)
    assert [one.partition(":")[0] for one in made.notices] == ["corsOrigins", "abortMultipartDays"]
    assert made.buckets["out"] == replace(minio_environment.config.bucket_out)
