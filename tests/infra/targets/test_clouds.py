"""Every cloud and identity: deployed, used by the library, proven, drifted and repaired, destroyed."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi import RunError

from core.storage import download_file, get_s3_client, list_objects, upload_file
from core.storage.settings import Settings
from infra.check import runner, settle
from infra.config.environment import ConfigError
from infra.config.load import parse
from infra.env import files, key_info
from infra.policies import Policy, policy
from infra.stores.empty import delete_everything
from infra.targets.aws import program as aws_program
from infra.targets.registry import TARGETS
from tests.conftest import REPO
from tests.doubles.fixtures import Account, Keys
from tests.doubles.handler import Refused
from tests.doubles.mocks import Deployed
from tests.infra.conftest import ALL
from tests.infra.targets.conftest import Cloud

KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_each_identity_has_exactly_the_expected_permissions(deployed: Cloud):
    findings = deployed.check()
    assert {one.identity for one in findings} == set(ALL)
    assert [one for one in findings if one.failed] == []
    assert any(one.allowed for one in findings)
    assert any(not one.allowed for one in findings)


def test_the_library_works_from_the_env_file(deployed: Cloud, tmp_path, monkeypatch):
    for name, value in deployed.env().items():
        monkeypatch.setenv(name, value)
    for name in ("S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, deployed.endpoint)

    source, target = tmp_path / "match-01.mp4", tmp_path / "back.mp4"
    source.write_bytes(b"frames" * 1000)
    upload_file(source, deployed.bucket("in"), "chunks/match-01.mp4")
    download_file(deployed.bucket("in"), "chunks/match-01.mp4", target)
    assert target.read_bytes() == source.read_bytes()
    assert [one.key for one in list_objects(deployed.bucket("in"))] == ["chunks/match-01.mp4"]
    delete_everything(deployed.admin.s3, deployed.bucket("in"))


def test_a_second_update_changes_nothing(deployed: Cloud):
    state, files = copy.deepcopy(deployed.state), {one: deployed.file(one).read_bytes() for one in ALL}
    deployed.up()
    assert deployed.state == state
    assert {one: deployed.file(one).read_bytes() for one in ALL} == files


def test_a_preview_creates_no_resource_and_writes_no_file(cloud: Cloud):
    cloud.up(preview=True)
    assert cloud.state == {}
    assert list(cloud.folder.iterdir()) == []


@pytest.mark.flow
def test_a_changed_bucket_setting_is_detected_and_repaired(cloud: Cloud, admin_s3):
    cloud.up()
    bucket = cloud.bucket("out")
    rules = admin_s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    admin_s3.delete_bucket_lifecycle(Bucket=bucket)
    cloud_program_ran_again(cloud)
    assert admin_s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules


@pytest.mark.flow
def test_a_deleted_key_is_detected_and_created_again(cloud: Cloud, delete_key, monkeypatch):
    monkeypatch.setattr(settle, "_PAUSE", 0.01)
    cloud.up(identities=["app"])
    before = cloud.env()
    delete_key(before["AWS_ACCESS_KEY_ID"])
    cloud_program_ran_again(cloud)
    after = cloud.env()
    assert {name for name in before if before[name] != after[name]} == KEYS
    assert [one for one in cloud.check() if one.failed] == []


def cloud_program_ran_again(cloud: Cloud) -> None:
    """What `pulumi up --refresh` does: the providers look, then the program runs."""
    connected = cloud.up(preview=True).monitor
    assert connected.refresh()
    cloud.up()


def test_destroy_refuses_buckets_that_are_not_disposable(deployed: Cloud):
    with pytest.raises(Refused, match="protected"):
        deployed.up(preview=True).monitor.destroy()
    get_s3_client(deployed.settings()).list_objects_v2(Bucket=deployed.bucket("in"))


@pytest.mark.flow
def test_a_bucket_that_leaves_the_configuration_is_kept(cloud: Cloud, admin_s3):
    cloud.up()
    bucket = cloud.bucket("in")
    for entry in cloud.state.values():
        entry.protect = False  # as `pulumi state unprotect` does
    cloud.up(preview=True).monitor.destroy()
    admin_s3.head_bucket(Bucket=bucket)


@pytest.mark.flow
def test_a_disposable_environment_is_destroyed_with_its_objects(cloud: Cloud, admin_s3):
    cloud.up(disposable=True)
    bucket = cloud.bucket("in")
    if cloud.target != "r2":  # R2 deletes empty buckets only
        admin_s3.put_object(Bucket=bucket, Key="left", Body=b"")
    cloud.up(preview=True).monitor.destroy()
    with pytest.raises(admin_s3.exceptions.ClientError, match="Not Found"):
        admin_s3.head_bucket(Bucket=bucket)


def test_keys_are_secret_outputs_and_nothing_else_shows_them(cloud: Cloud, capfd, caplog):
    deployed = cloud.up()
    secrets = {cloud.env(one)["AWS_SECRET_ACCESS_KEY"] for one in ALL}
    shown = {name: value for name, (value, secret) in deployed.exports.items() if not secret}
    nested = [one for leaves in deployed.nested.values() for one in leaves.values()]
    assert all(deployed.exports[name][1] for name in KEYS)
    assert not KEYS & shown.keys()
    assert [value for value, secret in nested if value in secrets and not secret] == []
    said = "".join(capfd.readouterr()) + caplog.text + repr(shown)
    assert [one for one in secrets if one in said] == []


@pytest.mark.parametrize("_deployed", ["aws", "gcp", "r2"], indirect=True)  # one test of each in `make test`
def test_env_files_hold_what_belongs_to_their_target(deployed: Cloud):
    env = deployed.env()
    assert (env["AWS_REGION"], env.get("S3_ENDPOINT_URL")) == {
        "aws": ("eu-west-1", None),
        "gcp": ("auto", "https://storage.googleapis.com"),
        "r2": ("auto", "https://0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com"),
    }[deployed.target]
    assert ("S3_BUCKET_OWNER" in env) is (deployed.target == "aws")
    assert ("AWS_REQUEST_CHECKSUM_CALCULATION" in env) is (deployed.target != "aws")
    assert "S3_BUCKET_OUT" not in deployed.env("ingest")


@pytest.mark.flow
def test_an_existing_bucket_is_adopted_by_name(cloud: Cloud, admin_s3):
    names = {role: f"studio-{cloud.environment}-{role}" for role in ("in", "out")}
    for name in names.values():
        admin_s3.create_bucket(Bucket=name, **located(cloud))
        admin_s3.put_object(Bucket=name, Key="precious", Body=b"x")
    buckets = {role: {"name": name} for role, name in names.items()}
    with pytest.raises(Exception, match=r"(?i)already"):
        cloud.up(buckets=buckets)
    cloud.up(buckets=buckets, adopt=True)
    assert cloud.bucket("in") == names["in"]
    assert [one for one in cloud.check() if one.failed] == []
    admin_s3.head_object(Bucket=names["in"], Key="precious")


@pytest.fixture
def adopting(cloud: Cloud, admin_s3) -> dict[str, Any]:
    """Two buckets that exist, each with an object and with a tag of its own, and the settings to adopt them."""
    names = {role: f"studio-{cloud.environment}-{role}" for role in ("in", "out")}
    for name in names.values():
        admin_s3.create_bucket(Bucket=name, **located(cloud))
        admin_s3.put_object(Bucket=name, Key="precious", Body=b"x")
        if cloud.target == "aws":
            tags: Any = [{"Key": "owner", "Value": "studio"}]
            admin_s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    # On GCP, the double's buckets are elsewhere than this, and a change of the location replaces a bucket.
    return {"buckets": {role: {"name": name} for role, name in names.items()}, "adopt": True}


def buckets_of(deployed: Deployed) -> list[Any]:
    return [one for one in deployed.requests if one.type.endswith(("/bucket:Bucket", ":R2Bucket"))]


@pytest.mark.parametrize("disposable", [False, True])
def test_an_adopted_bucket_outlives_its_environment(cloud: Cloud, admin_s3, adopting, disposable):
    deployed = cloud.up(**adopting, disposable=disposable)
    buckets = buckets_of(deployed)
    assert [(one.protect, one.retainOnDelete) for one in buckets] == [(not disposable, True)] * 2
    assert not [one for one in buckets if dict(one.object).get("forceDestroy")]
    for entry in cloud.state.values():
        entry.protect = False  # as `pulumi state unprotect` does
    cloud.up(preview=True).monitor.destroy()
    for bucket in adopting["buckets"].values():
        admin_s3.head_object(Bucket=bucket["name"], Key="precious")


def test_an_adopted_bucket_stays_so_without_the_setting_and_in_a_disposable_environment(
    cloud: Cloud, admin_s3, adopting
):
    cloud.up(**adopting)
    before = {urn: copy.deepcopy(entry.outputs) for urn, entry in cloud.state.items()}
    cloud.up(adopt=False)
    assert {urn: entry.outputs for urn, entry in cloud.state.items()} == before
    deployed = cloud.up(disposable=True)
    buckets = buckets_of(deployed)
    assert [(one.protect, one.retainOnDelete) for one in buckets] == [(False, True)] * 2
    assert not [one for one in buckets if dict(one.object).get("forceDestroy")]
    cloud.up(preview=True).monitor.destroy()
    for bucket in adopting["buckets"].values():
        admin_s3.head_object(Bucket=bucket["name"], Key="precious")


def test_a_bucket_of_another_name_is_not_taken_for_the_adopted_one(cloud: Cloud, adopting):
    cloud.up(**adopting)
    names = {role: {"name": f"own-{cloud.environment}-{role}"} for role in ("in", "out")}
    for entry in cloud.state.values():
        entry.protect = False
    deployed = cloud.up(adopt=False, disposable=True, buckets=names)
    assert [one.retainOnDelete for one in buckets_of(deployed)] == [False, False]


@pytest.mark.parametrize("preview", [True, False])
def test_an_existing_bucket_is_refused_on_r2_before_the_provider_tries_for_minutes(
    r2: Cloud, seaweed_store, preview
):
    name = f"taken-{r2.environment}"
    seaweed_store.s3.create_bucket(Bucket=name)
    with pytest.raises(RunError, match=f"bucket {name}: a bucket of this name already exists in this account"):
        r2.up(buckets={"in": {"name": name}}, jurisdiction="default", preview=preview)
    assert r2.state == {}


def test_the_own_bucket_of_an_environment_on_r2_is_not_refused(r2: Cloud):
    r2.up(jurisdiction="default")
    state = copy.deepcopy(r2.state)
    r2.up()
    assert r2.state == state


def test_an_identity_on_aws_uses_the_kms_key_through_s3_only(on_aws: Cloud, monkeypatch):
    """An environment of an earlier version, whose policy has no condition, gets it by the next update."""
    monkeypatch.setattr(settle, "_PAUSE", 0.01)
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(aws_program, "policy", without_conditions)
        on_aws.up(identities=["app"], encryption="kms")
    before, created = on_aws.env(), set(on_aws.state)
    assert isinstance(on_aws.admin, Account)
    app = on_aws.admin.seen_by(Keys(before["AWS_ACCESS_KEY_ID"], before["AWS_SECRET_ACCESS_KEY"]))
    (key,) = [entry.outputs["arn"] for entry in on_aws.state.values() if entry.token == "aws:kms/key:Key"]
    app.client("kms").generate_data_key(KeyId=key, KeySpec="AES_256")

    on_aws.up()
    assert (on_aws.env(), set(on_aws.state)) == (before, created)
    with pytest.raises(ClientError, match="AccessDenied"):
        app.client("kms").generate_data_key(KeyId=key, KeySpec="AES_256")
    assert [one for one in on_aws.check() if one.failed] == []
    assert not on_aws.up(preview=True).monitor.refresh()


def without_conditions(*arguments: Any, **options: Any) -> Policy:
    document = policy(*arguments, **options)
    for statement in document["Statement"]:
        statement.pop("Condition", None)
    return document


def located(cloud: Cloud) -> dict[str, Any]:
    return {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}} if cloud.target == "aws" else {}


@pytest.mark.flow
def test_keys_rotate_with_an_overlap(cloud: Cloud, monkeypatch):
    """Take each step by the configuration alone, as a plain `pulumi up` does."""
    monkeypatch.setattr(settle, "_PAUSE", 0.01)
    cloud.up(identities=["app"])
    old, beside = cloud.settings(), files.slot_file(cloud.file(), "a")
    assert key_info.read(cloud.file()).age_days == 0

    def works(settings: Settings) -> bool:
        try:
            get_s3_client(settings).list_objects_v2(Bucket=cloud.bucket("out"))
        except ClientError:
            return False
        return True

    cloud.up(slots={"app": {"current": "a", "step": "start"}})
    assert cloud.settings() == old
    held = {"app": files.slot_file(cloud.file(), "b")}
    assert [one for one in runner.run(cloud.config, held) if one.failed] == []
    cloud.up(slots={"app": {"current": "b", "step": "switch"}})
    new = cloud.settings()
    assert new.access_key_id != old.access_key_id
    assert (works(old), works(new), files.access_key(beside) is not None) == (True, True, True)
    if TARGETS[cloud.target].deactivates_keys:
        cloud.up(slots={"app": {"current": "b", "step": "retire"}})
        assert (works(old), works(new)) == (False, True)
        cloud.up(slots={"app": {"current": "b", "step": "switch"}})
        assert (works(old), works(new)) == (True, True)
    cloud.up(slots={"app": {"current": "b"}})  # that the old key is deleted then is for the engine
    assert (works(new), beside.exists()) == (True, False)
    assert cloud.settings() == new
    assert [one for one in cloud.check() if one.failed] == []


def test_a_token_of_r2_cannot_be_switched_off():
    values = {"target": "r2", "account": "0" * 32, "slots": {"app": {"current": "b", "step": "retire"}}}
    with pytest.raises(
        ConfigError, match=r"slots.app.step: target r2 cannot deactivate an access key: use start or switch"
    ):
        parse("test", values, "test")


#: A program at full load, with nothing but the env file. It prints how many lines it had read when a round began.
_WORKER = """
import sys, threading
from core.storage import BUCKET_OUT, StorageError, download_file, list_objects, upload_file
from core.storage._config import live_keys
live_keys.LOOK_EVERY = 0.05
over, lines = threading.Event(), []
threading.Thread(target=lambda: (lines.extend(sys.stdin), over.set()), daemon=True).start()
while not over.is_set():
    began = len(lines)
    upload_file(sys.argv[1], BUCKET_OUT, "frame.jpg")
    download_file(BUCKET_OUT, "frame.jpg", sys.argv[1] + ".back")
    assert list(list_objects(BUCKET_OUT))
    print(began, flush=True)
"""


def wait_for_a_round(worker: subprocess.Popen[str], lines: int) -> None:
    """Wait until the program has done a round that began after this: it is sent the line of this number."""
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write("\n")
    worker.stdin.flush()
    while int(worker.stdout.readline()) < lines:
        pass


@pytest.mark.flow
def test_no_request_of_a_program_on_aws_fails_while_its_key_is_replaced(on_aws: Cloud, tmp_path):
    on_aws.up(identities=["app"])
    old, frame = on_aws.settings(), tmp_path / "frame"
    frame.write_bytes(b"frame" * 2000)
    with subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(frame)],
        env={"S3_ENV_FILE": str(on_aws.file()), "S3_ENDPOINT_URL": on_aws.endpoint, "PYTHONPATH": str(REPO)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        for number, (current, step) in enumerate((("a", "start"), ("b", "switch"), ("b", "retire")), start=1):
            wait_for_a_round(worker, number)
            on_aws.up(slots={"app": {"current": current, "step": step}})
        wait_for_a_round(worker, 4)
        _, errors = worker.communicate()
    assert (worker.returncode, errors) == (0, "")
    with pytest.raises(ClientError, match=r"InvalidAccessKeyId|InvalidClientTokenId|AccessDenied"):
        get_s3_client(old).list_objects_v2(Bucket=on_aws.bucket("out"))
