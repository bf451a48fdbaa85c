"""The tiny program through Pulumi's mocks, on the tests' AWS."""

from __future__ import annotations

import gc
import secrets
from collections.abc import Iterator
from typing import Any

import boto3
import pulumi
import pytest
from botocore.exceptions import ClientError
from pulumi_aws import iam, s3

from tests.doubles import mocks, tiny
from tests.doubles.aws import DOUBLE
from tests.doubles.fixtures import Account, AwsServer, Keys
from tests.doubles.mocks import Deployed, State

ALL = {
    ("Bucket", "tiny"),
    ("BucketVersioning", "tiny"),
    ("User", "tiny"),
    ("UserPolicy", "tiny"),
    ("AccessKey", "tiny"),
}


class Runs:
    """Runs of the tiny program that go on with each other's state."""

    def __init__(self) -> None:
        self.state = State()

    def __call__(self, *, preview: bool = False, **config: str) -> Deployed:
        keys = {f"tiny:{name}": value for name, value in config.items()}
        return mocks.deploy(tiny.main, [DOUBLE], state=self.state, config=keys, preview=preview)


@pytest.fixture
def run(aws: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    aws.use(monkeypatch)
    yield Runs()
    pulumi.runtime.settings.reset_options()


def bucket_names(aws: Account) -> list[str]:
    return [one["Name"] for one in aws.s3.list_buckets()["Buckets"]]


def test_a_deployment_creates_buckets_and_access_keys_that_work(run: Runs, aws: Account):
    deployed = run()
    assert deployed.resources() == ALL
    name, secret = deployed.exports["bucket"]
    assert name.startswith("tiny-")
    assert not secret
    assert bucket_names(aws) == [name]
    assert deployed.exports["account"] == (aws.id, False)
    assert deployed.exports["domain"] == (f"{name}.s3.eu-west-1.amazonaws.com", False)
    key = {part: value for part, (value, _) in deployed.nested["key"].items()}
    user = aws.seen_by(Keys(key["id"], key["secret"]))
    user.s3.list_objects_v2(Bucket=name)
    with pytest.raises(ClientError, match="AccessDenied"):
        user.s3.put_object(Bucket=name, Key="x", Body=b"")


def test_the_secret_access_key_is_a_secret_output_in_previews_and_updates(run: Runs):
    for preview in (True, False):
        key = run(preview=preview).nested["key"]
        assert (key["id"][1], key["secret"][1]) == (False, True)


def test_a_preview_creates_nothing_and_knows_outputs_that_follow_from_inputs(run: Runs, aws: Account):
    deployed = run(preview=True)
    assert deployed.resources() == ALL
    assert bucket_names(aws) == []
    assert run.state == {}
    assert deployed.exports["bucket"][0].startswith("tiny-")
    assert deployed.exports["domain"] == (None, False)
    assert deployed.nested["key"] == {"id": (None, False), "secret": (None, True)}


@pytest.mark.flow
def test_a_second_run_changes_nothing(run: Runs, aws: Account):
    first = run()
    state = {urn: (one.identifier, one.outputs) for urn, one in run.state.items()}
    for preview in (True, False):
        assert run(preview=preview).exports == first.exports
    assert {urn: (one.identifier, one.outputs) for urn, one in run.state.items()} == state
    assert len(aws.iam.list_access_keys(UserName="tiny")["AccessKeyMetadata"]) == 1


@pytest.mark.flow
def test_a_changed_tag_updates_the_bucket_and_a_new_name_replaces_it(run: Runs, aws: Account):
    first = run()
    name = first.exports["bucket"][0]
    second = run(purpose="other")
    assert second.exports["bucket"][0] == name
    assert aws.s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "purpose", "Value": "other"}]
    new = f"new-{secrets.token_hex(6)}"
    third = run(purpose="other", bucket=new)
    assert third.exports["bucket"][0] == new
    assert bucket_names(aws) == [new]
    assert aws.s3.get_bucket_versioning(Bucket=new)["Status"] == "Enabled"
    assert third.nested["key"] == first.nested["key"]


@pytest.mark.flow
def test_a_drift_is_seen_by_refresh_and_repaired(run: Runs, aws: Account):
    deployed = run()
    name, key = deployed.exports["bucket"][0], deployed.nested["key"]["id"][0]
    aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    aws.iam.delete_access_key(UserName="tiny", AccessKeyId=key)
    # Without reading again there is nothing to repair: as with the engine.
    run()
    assert aws.s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    drifted = run().monitor.refresh()
    assert drifted == {"tiny"}
    again = run()
    assert aws.s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert again.nested["key"]["id"][0] != key
    assert again.monitor.refresh() == set()


@pytest.mark.flow
def test_an_existing_bucket_is_imported_with_its_objects(run: Runs, aws: Account):
    name = f"mine-{secrets.token_hex(6)}"
    aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    tags: Any = {"TagSet": [{"Key": "purpose", "Value": "test"}]}
    aws.s3.put_bucket_tagging(Bucket=name, Tagging=tags)
    aws.s3.put_object(Bucket=name, Key="precious", Body=b"x")
    assert run(adopt=name, preview=True).exports["domain"] == (f"{name}.s3.eu-west-1.amazonaws.com", False)
    # As with the engine: imported as it is, and changed at once.
    assert run(adopt=name, purpose="other").exports["bucket"] == (name, False)
    assert aws.s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "purpose", "Value": "other"}]
    assert aws.s3.get_object(Bucket=name, Key="precious")["Body"].read() == b"x"


def test_importing_a_bucket_that_does_not_exist_is_an_error(run: Runs):
    with pytest.raises(Exception, match="resource 'nothing-here' does not exist"):
        run(adopt="nothing-here")


@pytest.mark.flow
def test_destroy_refuses_a_bucket_with_objects_and_deletes_everything_once_it_is_empty(run: Runs, aws: Account):
    deployed = run()
    name = deployed.exports["bucket"][0]
    aws.s3.put_object(Bucket=name, Key="x", Body=b"")
    with pytest.raises(Exception, match=f"deleting S3 Bucket .{name}.: .*StatusCode: 409.*BucketNotEmpty"):
        deployed.monitor.destroy()
    for version in aws.s3.list_object_versions(Bucket=name)["Versions"]:
        aws.s3.delete_object(Bucket=name, Key="x", VersionId=version["VersionId"])
    deployed.monitor.destroy()
    assert bucket_names(aws) == []
    assert [one["UserName"] for one in aws.iam.list_users()["Users"]] == ["admin"]
    assert run.state == {}


def test_destroy_refuses_protected_resources_and_keeps_retained_ones(run: Runs, aws: Account):
    def main() -> None:
        s3.Bucket("b", opts=pulumi.ResourceOptions(protect=True))
        s3.Bucket("c", opts=pulumi.ResourceOptions(retain_on_delete=True))

    deployed = mocks.deploy(main, [DOUBLE], state=run.state, config={"aws:region": "eu-west-1"})
    with pytest.raises(Exception, match="it is protected"):
        deployed.monitor.destroy()
    next(iter(run.state.values())).protect = False
    for one in run.state.values():
        one.protect = False
    deployed.monitor.destroy()
    (left,) = bucket_names(aws)
    assert left.startswith("c-")


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"object_ownershp": "x"}, 'named "object_ownershp" is not expected'),
        ({}, '"objectOwnership" is required'),
    ],
)
def test_a_misspelt_or_missing_property_is_refused(run: Runs, rule: Any, said: str):
    def main() -> None:
        s3.BucketOwnershipControls("b", bucket="b", rule=rule)

    with pytest.raises(Exception, match="resource 'b' has a problem") as caught:
        mocks.deploy(main, [DOUBLE], config={"aws:region": "eu-west-1"})
    assert said in str(caught.value) or "required" in str(caught.value)


def test_unsupported_resource_types_and_properties_are_refused_by_name(run: Runs):
    def unknown_type() -> None:
        iam.Group("g")

    def unknown_property() -> None:
        s3.Bucket("b", object_lock_enabled=True)

    region = {"aws:region": "eu-west-1"}
    with pytest.raises(Exception, match="has no aws:iam/group:Group: write a handler"):
        mocks.deploy(unknown_type, [DOUBLE], config=region)
    with pytest.raises(Exception, match="does not know objectLockEnabled"):
        mocks.deploy(unknown_property, [DOUBLE], config=region)
    with pytest.raises(Exception, match="no resource plugin 'pulumi-resource-aws' found"):
        mocks.deploy(unknown_type, [], config=region)


def test_a_provider_without_region_or_valid_credentials_is_refused(
    run: Runs, aws: Account, monkeypatch: pytest.MonkeyPatch
):
    def main() -> None:
        s3.Bucket("b")

    with pytest.raises(Exception, match="Missing region information"):
        mocks.deploy(main, [DOUBLE])
    region = {"aws:region": "eu-west-1"}
    aws.expired().use(monkeypatch)
    with pytest.raises(Exception, match="AWS credentials are invalid or have expired"):
        mocks.deploy(main, [DOUBLE], config=region)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(Exception, match="No valid credential sources found"):
        mocks.deploy(main, [DOUBLE], config=region)


def test_a_bucket_name_of_another_account_is_refused(run: Runs, aws: Account, aws_server: AwsServer):
    other = aws_server.account()
    name = f"taken-{secrets.token_hex(6)}"
    other.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def main() -> None:
        s3.Bucket("b", bucket=name)

    said = rf"creating S3 Bucket \({name}\): operation error S3: CreateBucket, .*StatusCode: 409, RequestID: .*, "
    with pytest.raises(Exception, match=f"{said}BucketAlreadyExists: "):
        mocks.deploy(main, [DOUBLE], config={"aws:region": "eu-west-1"})


def test_a_refusal_leaves_nothing_that_a_later_test_finds_in_its_log(
    run: Runs, aws: Account, caplog: pytest.LogCaptureFixture
):
    def main() -> None:
        bucket = s3.Bucket("b", bucket="IN")
        pulumi.export("arn", bucket.arn)

    with pytest.raises(Exception, match="validating S3 Bucket"):
        mocks.deploy(main, [DOUBLE], config={"aws:region": "eu-west-1"})
    gc.collect()  # asyncio logs an exception that was not retrieved when its future is deleted
    assert not caplog.records


def test_a_bucket_whose_tags_could_not_be_set_is_in_the_state(
    run: Runs, aws: Account, monkeypatch: pytest.MonkeyPatch
):
    rights = {"Effect": "Allow", "Action": ["s3:CreateBucket", "s3:DeleteBucket"], "Resource": "*"}
    aws.user("u", rights).use(monkeypatch)

    def main() -> None:
        s3.Bucket("b", tags={"a": "b"})

    with pytest.raises(Exception, match=r"setting S3 Bucket .* tags: .*PutBucketTagging.*AccessDenied"):
        mocks.deploy(main, [DOUBLE], state=run.state, config={"aws:region": "eu-west-1"})
    (entry,) = run.state.values()
    assert bucket_names(aws) == [entry.identifier]


def test_boto3_clients_of_this_process_use_the_account_of_the_double(
    aws: Account, monkeypatch: pytest.MonkeyPatch
):
    aws.use(monkeypatch)
    client = boto3.session.Session().client("sts", region_name="eu-west-1")
    assert client.get_caller_identity()["Account"] == aws.id
