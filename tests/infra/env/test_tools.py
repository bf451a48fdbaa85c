"""rclone, s5cmd and botocore reach the bucket with their formats; on SeaweedFS, as identity `app`."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest

from tests.conftest import executable
from tests.infra.env.conftest import Filled
from tests.infra.env.support import SHAPES, Machine, key_variables, keyless, rendered

RCLONE = executable("rclone") or "rclone"
S5CMD = executable("s5cmd") or "s5cmd"
shapes = pytest.mark.parametrize("settings", SHAPES.values(), ids=list(SHAPES))


# --- rclone ---------------------------------------------------------------------------------------------


def rclone(machine: Machine, text: str, *arguments: str, **variables: str) -> str:
    file = machine.file("rclone.conf", text)
    return machine.run([RCLONE, "--config", str(file), "--retries", "1", *arguments], **variables)


def test_rclone_lists_the_bucket_and_uploads(machine: Machine, filled: Filled):
    text = rendered("rclone", filled.settings)
    assert (
        rclone(machine, text, "lsf", "-R", "--files-only", f"test-app:{filled.bucket}/tables") == "rows.parquet\n"
    )
    machine.file("video.mp4", "frames")
    target = f"test-app:{filled.settings.bucket_out}/video.mp4"
    rclone(machine, text, "copyto", "video.mp4", target)  # `app` may not create a bucket
    assert rclone(machine, text, "cat", target) == "frames"


def test_rclone_without_keys_takes_those_of_the_environment(machine: Machine, filled: Filled):
    text = rendered("rclone", keyless(filled.settings))
    keys = key_variables(filled.settings)
    assert rclone(machine, text, "lsf", f"test-app:{filled.bucket}", **keys) == "tables/\n"


@pytest.mark.parametrize(
    ("shape", "provider", "path", "env_auth"),
    [
        ("temporary", "Other", "true", "false"),
        ("aws", "AWS", "false", "false"),
        ("aws role", "AWS", "false", "true"),
        ("gcp", "GCS", "true", "false"),
        ("r2", "Cloudflare", "true", "false"),
    ],
)
def test_rclone_understands_every_shape(machine: Machine, shape, provider, path, env_auth):
    settings = SHAPES[shape]
    (section,) = json.loads(rclone(machine, rendered("rclone", settings), "config", "dump")).values()
    names = ("access_key_id", "secret_access_key", "session_token", "region")
    values = {name: getattr(settings, name) for name in names} | {"endpoint": settings.endpoint_url}
    assert section == {
        **{name: value for name, value in values.items() if value},
        "type": "s3",
        "provider": provider,
        "env_auth": env_auth,
        "force_path_style": path,
        "no_check_bucket": "true",
    }


def test_rclone_knows_every_option_and_provider(machine: Machine):
    backends = json.loads(rclone(machine, "", "config", "providers"))
    (s3,) = (backend for backend in backends if backend["Name"] == "s3")
    known = {option["Name"]: option for option in s3["Options"]}
    providers = {example["Value"] for example in known["provider"]["Examples"]}
    for settings in SHAPES.values():
        lines = [line.split(" = ") for line in rendered("rclone", settings).splitlines()[2:]]
        assert {name for name, _ in lines} <= set(known)
        assert dict(lines)["provider"] in providers


# --- s5cmd ----------------------------------------------------------------------------------------------


def test_s5cmd_lists_the_bucket_with_the_variables(machine: Machine, filled: Filled):
    variables = json.loads(rendered("json", filled.settings))
    assert machine.run([S5CMD, "ls", f"s3://{filled.bucket}/tables/"], **variables).endswith("rows.parquet\n")


def test_s5cmd_lists_the_bucket_with_the_profile(machine: Machine, filled: Filled):
    """The SDK of s5cmd reads profiles without their endpoint."""
    file = machine.file("config", rendered("aws-profile", filled.settings))
    profile = {"AWS_SDK_LOAD_CONFIG": "1", "AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "test-app"}
    command = [S5CMD, "--endpoint-url", filled.settings.endpoint_url or "", "ls", f"s3://{filled.bucket}/tables/"]
    assert machine.run(command, **profile).endswith("rows.parquet\n")
    assert machine.attempt(command).returncode != 0, "the credentials are those of the profile"


# --- the AWS profile ------------------------------------------------------------------------------------


@pytest.fixture
def by_botocore(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    """Return a function that returns a botocore session with the profile."""

    def session(text: str) -> Any:
        monkeypatch.setenv("AWS_CONFIG_FILE", str(machine.file("config", text)))
        return botocore.session.Session(profile="test-app")

    return session


def test_botocore_lists_the_bucket_with_the_profile(by_botocore, filled: Filled):
    s3 = by_botocore(rendered("aws-profile", filled.settings)).create_client("s3")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=filled.bucket)["Contents"]] == [filled.key]
    s3.put_object(Bucket=filled.bucket, Key="x", Body=b"")
    s3.delete_object(Bucket=filled.bucket, Key="x")


def test_botocore_with_a_profile_without_keys_takes_those_of_the_environment(
    machine: Machine, filled: Filled, monkeypatch: pytest.MonkeyPatch
):
    file = machine.file("config", rendered("aws-profile", keyless(filled.settings)))
    for name, value in {"AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "test-app"}.items():
        monkeypatch.setenv(name, value)
    for name, value in key_variables(filled.settings).items():
        monkeypatch.setenv(name, value)
    s3: Any = botocore.session.Session().create_client("s3")
    assert s3.list_objects_v2(Bucket=filled.bucket)["KeyCount"] == 1


@shapes
def test_botocore_reads_the_profile_of_every_shape_as_it_is(by_botocore, settings):
    session = by_botocore(rendered("aws-profile", settings))
    profile = session.get_scoped_config()
    assert profile["region"] == settings.region
    for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
        assert profile.get(name) == getattr(settings, name.removeprefix("aws_"))
    if settings.access_key_id:
        assert session.get_credentials().secret_key == settings.secret_access_key
    s3 = session.create_client("s3", aws_access_key_id="x", aws_secret_access_key="y")
    assert s3.meta.endpoint_url == (settings.endpoint_url or f"https://s3.{settings.region}.amazonaws.com")
    assert s3.meta.config.request_checksum_calculation == settings.dialect.checksums
    assert s3.meta.config.s3["addressing_style"] == settings.dialect.addressing


def test_the_endpoint_of_the_profile_is_that_of_s3_alone(by_botocore):
    session = by_botocore(rendered("aws-profile", SHAPES["store"]))
    assert session.create_client("sts").meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"
