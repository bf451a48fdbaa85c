"""Temporary keys of a role.

moto replaces AWS: its STS issues keys and knows whose they are, but lets every principal assume every role. So the
refusals come from an HTTP server of the test.
"""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from core.storage.settings import Settings
from infra.check.role import with_keys
from infra.errors import UsageError
from tests.infra.conftest import http_server, responding

ROLE = "arn:aws:iam::123456789012:role/mpr-prod-app"
KEYLESS = Settings(region="eu-west-1", bucket_in="media-in", role_arn=ROLE)


@pytest.fixture
def deployer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIADEPLOYER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-deployer")


@pytest.fixture
def aws(deployer: None) -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse requests to AWS here, before they reach the network."""
    monkeypatch.setattr("boto3.session.Session", lambda *_: pytest.fail("asked AWS"))


@pytest.mark.usefixtures("no_aws")
def test_an_identity_with_access_keys_assumes_no_role():
    keyed = Settings(region="eu-west-1", role_arn=ROLE, access_key_id="AKIA", secret_access_key="hush")
    assert with_keys(keyed, "app") is keyed


@pytest.mark.usefixtures("no_aws")
def test_settings_without_a_role_stay_unchanged():
    plain = Settings(region="eu-west-1")
    assert with_keys(plain, "app") is plain


@pytest.mark.usefixtures("aws")
def test_the_role_of_an_identity_without_access_keys_is_assumed():
    found = with_keys(KEYLESS, "app")
    assert found.access_key_id is not None
    assert (found.bucket_in, found.region, found.role_arn) == ("media-in", "eu-west-1", ROLE)
    sts = boto3.client(
        "sts",
        region_name="eu-west-1",
        aws_access_key_id=found.access_key_id,
        aws_secret_access_key=found.secret_access_key,
        aws_session_token=found.session_token,
    )
    caller = sts.get_caller_identity()["Arn"]
    assert caller.startswith("arn:aws:sts::123456789012:assumed-role/mpr-prod-app/mpr-check-")


def use(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    """Run as the role itself, as a job would."""
    keys = boto3.client("sts", region_name="eu-west-1").assume_role(RoleArn=role, RoleSessionName="job")[
        "Credentials"
    ]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("path", ["", "teams/media/"])
def test_a_process_that_runs_with_the_role_does_not_assume_it_again(monkeypatch, path):
    role = f"arn:aws:iam::123456789012:role/{path}mpr-prod-app"
    use(monkeypatch, role)
    keyless = Settings(region="eu-west-1", role_arn=role)
    assert with_keys(keyless, "app") is keyless


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    "other",
    [
        "arn:aws:iam::123456789012:role/mpr-prod-viewer",
        "arn:aws:iam::123456789012:role/mpr-prod-app2",
        "arn:aws:iam::210987654321:role/mpr-prod-app",  # of the same name in another account
    ],
)
def test_a_process_that_runs_with_another_role_assumes_the_role(monkeypatch, other):
    use(monkeypatch, other)
    assert with_keys(KEYLESS, "app").access_key_id is not None


@pytest.mark.usefixtures("deployer")
def test_a_role_that_may_not_be_assumed_is_reported_in_one_sentence(monkeypatch):
    body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>"
    with http_server(responding(403, body)) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint)
        with pytest.raises(UsageError) as caught:
            with_keys(KEYLESS, "app")
    said = str(caught.value)
    assert said.startswith(f"app: these credentials may not assume {ROLE} (")
    assert said.endswith("run the check where the role is in use, or add your own principal to its `trust`")
    assert "of-the-deployer" not in said


def test_missing_aws_credentials_are_reported_in_one_sentence(monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UsageError, match="Unable to locate credentials"):
        with_keys(KEYLESS, "app")


def test_a_missing_aws_profile_is_reported_in_one_sentence(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(UsageError, match=r"app: .* \(The config profile \(nowhere\) could not be found\)"):
        with_keys(KEYLESS, "app")
