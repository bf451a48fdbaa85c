"""The process that stands in for a provider, spoken to over gRPC as the engine does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra.local import engine
from tests.conftest import stop
from tests.doubles.fixtures import Account, AwsServer
from tests.doubles.handler import UNKNOWN, Props
from tests.doubles.provider import executables
from tests.doubles.wire import decode, encode, secret_names

BUCKET = "aws:s3/bucket:Bucket"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
CHANGES, NO_CHANGES = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
#: Nothing of the user's own AWS configuration reaches the process.
_NO_SETTINGS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
PROVIDER = "urn:pulumi:test::test::pulumi:providers:aws::default"


def urn(token: str, name: str = "thing") -> str:
    return f"urn:pulumi:test::test::{token}::{name}"


@dataclass(frozen=True)
class Provider:
    process: subprocess.Popen[bytes]
    stub: Any

    def configure(self, **config: Any) -> None:
        self.stub.Configure(provider_pb2.ConfigureRequest(args=encode(config)))

    def check(self, token: str, news: Props, olds: Props | None = None) -> Any:
        return self.stub.Check(
            provider_pb2.CheckRequest(urn=urn(token), news=encode(news), olds=encode(olds or {}))
        )

    def create(self, token: str, inputs: Props, *, preview: bool = False) -> Any:
        return self.stub.Create(
            provider_pb2.CreateRequest(urn=urn(token), properties=encode(inputs), preview=preview)
        )

    def diff(self, token: str, olds: Props, news: Props, *ignored: str) -> Any:
        return self.stub.Diff(
            provider_pb2.DiffRequest(urn=urn(token), olds=encode(olds), news=encode(news), ignoreChanges=ignored)
        )

    def read(self, token: str, identifier: str, state: Props, inputs: Props) -> Any:
        return self.stub.Read(
            provider_pb2.ReadRequest(
                urn=urn(token), id=identifier, properties=encode(state), inputs=encode(inputs)
            )
        )

    def update(self, token: str, identifier: str, olds: Props, news: Props, *, preview: bool = False) -> Any:
        return self.stub.Update(
            provider_pb2.UpdateRequest(
                urn=urn(token), id=identifier, olds=encode(olds), news=encode(news), preview=preview
            )
        )


@contextmanager
def running(plugins: Path, aws: Account) -> Iterator[Provider]:
    process = subprocess.Popen(
        [plugins / "pulumi-resource-aws", "127.0.0.1:1"],
        env={"PATH": os.environ["PATH"], **_NO_SETTINGS, **aws.environ},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Provider(process, provider_pb2_grpc.ResourceProviderStub(channel))
    finally:
        if process.stdout is not None:
            process.stdout.close()
        stop(process)


@pytest.fixture(scope="module")
def aws(aws_server: AwsServer) -> Account:
    """One account for all these tests: the process has its keys in its environment."""
    return aws_server.account()


@pytest.fixture(scope="module")
def provider(plugins: Path, aws: Account) -> Iterator[Provider]:
    with running(plugins, aws) as provider:
        yield provider


@pytest.fixture
def configured(provider: Provider) -> Provider:
    provider.configure(region="eu-west-1", version="7.51.1")
    return provider


def refusal(call: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return str(caught.value.details())


# --- the provider itself --------------------------------------------------------------------------------------


def check_config(provider: Provider, **config: Any) -> list[tuple[str, str]]:
    response = provider.stub.CheckConfig(provider_pb2.CheckRequest(urn=PROVIDER, news=encode(config)))
    return [(one.property, one.reason) for one in response.failures]


def test_a_provider_configuration_with_mistakes_or_wrong_credentials_is_refused(provider: Provider):
    assert check_config(provider, region="eu-west-1") == []
    ((path, _),) = check_config(provider, regoin="eu-west-1")
    assert path == "regoin"
    ((_, reason),) = check_config(provider)
    assert reason.startswith("Missing region information")
    ((_, reason),) = check_config(provider, region="eu-west-1", accessKey="AKIAWRONG", secretKey="x")
    assert reason.startswith("The configured AWS credentials are invalid or have expired.")
    assert check_config(provider, region=UNKNOWN) == []


def test_another_region_replaces_the_provider(provider: Provider):
    def diff(**news: Any) -> Any:
        olds = encode({"region": "eu-west-1"})
        return provider.stub.DiffConfig(provider_pb2.DiffRequest(urn=PROVIDER, olds=olds, news=encode(news)))

    assert diff(region="eu-west-1").changes == NO_CHANGES
    assert list(diff(region="eu-west-1", profile="p").replaces) == []
    assert list(diff(region="eu-west-2").replaces) == ["region"]


def test_the_process_ends_by_itself_after_a_sigterm(plugins: Path, aws: Account):
    with running(plugins, aws) as provider:
        provider.configure(region="eu-west-1")
        stop(provider.process)
        assert provider.process.returncode == 0, "`stop` killed it: it did not end within 10 s"


# --- resources ------------------------------------------------------------------------------------------------


def test_check_names_the_path_of_each_mistake(configured: Provider):
    token = "aws:s3/bucketVersioning:BucketVersioning"
    (failure,) = configured.check(token, {"bucket": "b", "versioningConfiguration": {"statuss": "x"}}).failures[:1]
    assert failure.property.startswith("versioningConfiguration.stat")
    (failure,) = configured.check(BUCKET, {"objectLockEnabled": True}).failures
    assert "does not know objectLockEnabled" in failure.reason
    assert "unrecognized resource type" in refusal(lambda: configured.check("aws:s3/bukket:Bukket", {}))


def test_a_generated_bucket_name_is_kept_by_later_checks(configured: Provider):
    first = decode(configured.check(BUCKET, {}).inputs)
    assert first["__defaults"] == ["bucket", "forceDestroy"]
    assert decode(configured.check(BUCKET, {"tags": {"a": "b"}}, first).inputs)["bucket"] == first["bucket"]
    assert decode(configured.check(BUCKET, {}).inputs)["bucket"] != first["bucket"]


def test_a_bucket_is_planned_created_updated_and_deleted(configured: Provider, aws: Account):
    inputs = decode(configured.check(BUCKET, {"tags": {"a": "b"}}).inputs)
    planned = decode(configured.create(BUCKET, inputs, preview=True).properties)
    assert planned == {"bucket": inputs["bucket"], "tags": {"a": "b"}, "forceDestroy": False}
    assert inputs["bucket"] not in [bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]]

    made = configured.create(BUCKET, inputs)
    state = decode(made.properties)
    assert made.id == inputs["bucket"] == state["bucket"]
    assert configured.diff(BUCKET, state, inputs).changes == NO_CHANGES

    news = inputs | {"tags": {"a": "c"}}
    found = configured.diff(BUCKET, state, news)
    assert found.changes == CHANGES
    assert list(found.detailedDiff) == ["tags.a"]
    assert list(found.replaces) == []
    assert configured.diff(BUCKET, state, news, "tags").changes == NO_CHANGES
    planned = decode(configured.update(BUCKET, made.id, state, news, preview=True).properties)
    assert planned["tags"] == {"a": "c"}
    assert planned["arn"] == state["arn"]
    assert decode(configured.read(BUCKET, made.id, state, inputs).inputs)["tags"] == {"a": "b"}
    state = decode(configured.update(BUCKET, made.id, state, news).properties)
    assert state["tagsAll"] == {"a": "c"}

    renamed = configured.diff(BUCKET, state, news | {"bucket": "other-name"})
    assert list(renamed.replaces) == ["bucket"]
    assert renamed.detailedDiff["bucket"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert not renamed.deleteBeforeReplace

    delete = provider_pb2.DeleteRequest(urn=urn(BUCKET), id=made.id, properties=encode(state))
    configured.stub.Delete(delete)
    assert configured.read(BUCKET, made.id, state, news).id == ""


def test_an_import_reads_all_inputs_of_a_bucket(configured: Provider, aws: Account):
    made = configured.create(BUCKET, decode(configured.check(BUCKET, {"tags": {"a": "b"}}).inputs))
    found = configured.read(BUCKET, made.id, {}, {})
    assert found.id == made.id
    assert decode(found.inputs) == {"__defaults": [], "bucket": made.id, "region": aws.region, "tags": {"a": "b"}}


def test_secrets_of_an_access_key_are_marked_in_preview_create_and_read(configured: Provider, aws: Account):
    aws.iam.create_user(UserName="with-key")
    inputs = decode(configured.check(ACCESS_KEY, {"user": "with-key"}).inputs)
    secret = {"secret", "sesSmtpPasswordV4"}
    planned = configured.create(ACCESS_KEY, inputs, preview=True).properties
    assert secret_names(planned) == secret
    assert decode(planned)["secret"] is UNKNOWN
    made = configured.create(ACCESS_KEY, inputs)
    assert secret_names(made.properties) == secret
    state = decode(made.properties)
    assert secret_names(configured.read(ACCESS_KEY, made.id, state, inputs).properties) == secret


def test_a_bucket_that_was_created_in_part_is_reported_with_its_id(provider: Provider, aws: Account):
    rights = {"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "*"}
    keys = aws.user("creates-buckets", rights).keys
    provider.configure(region="eu-west-1", accessKey=keys.access_key_id, secretKey=keys.secret_access_key)
    inputs = decode(provider.check(BUCKET, {"tags": {"a": "b"}}).inputs)
    with pytest.raises(grpc.RpcError) as caught:
        provider.create(BUCKET, inputs)
    assert "setting S3 Bucket" in str(caught.value.details())
    metadata = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failed)
    assert failed.id == inputs["bucket"]
    assert "PutBucketTagging" in failed.reasons[0]


def test_pulumi_and_its_plugins_are_found_in_the_folder_of_the_doubles(tmp_path: Path, monkeypatch):
    """Also if the real providers are installed next to the real `pulumi`."""
    real, doubles = tmp_path / "real", tmp_path / "doubles"
    doubles.mkdir()
    real.mkdir()
    for name in ("pulumi", "pulumi-resource-aws"):
        (real / name).write_text("#!/bin/sh\nexit 1\n")
        (real / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{real}{os.pathsep}{os.environ['PATH']}")
    executables(doubles, aws="tests.doubles.aws")
    monkeypatch.setenv("PATH", f"{doubles}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")  # no state under .local/ of the checkout
    found = engine.find()
    assert found is not None
    plugin = shutil.which("pulumi-resource-aws", path=found.environ["PATH"])
    assert plugin == str(doubles / "pulumi-resource-aws")


def test_functions_return_their_values_over_grpc(configured: Provider, aws: Account):
    token = "aws:index/getCallerIdentity:getCallerIdentity"
    response = configured.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=encode({})))
    assert decode(getattr(response, "return"))["accountId"] == aws.id


def test_an_exception_in_the_double_is_reported_with_its_traceback(configured: Provider):
    said = refusal(lambda: configured.create(BUCKET, {"bucket": 3}))
    assert said.startswith("the double itself failed:")
    assert "Traceback" in said
