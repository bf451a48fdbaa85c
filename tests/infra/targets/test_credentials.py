"""Credentials of the deployment: from the environment or the stack; without any, the program refuses to start."""

from __future__ import annotations

import pytest

from infra import program
from tests.doubles.mocks import deploy
from tests.doubles.wire import decode, secret_names
from tests.infra.targets.conftest import Cloud


def refusal(cloud: Cloud) -> str:
    with pytest.raises(Exception, match=r"there (is|are) no") as caught:
        cloud.up()
    assert cloud.state == {}
    assert not cloud.file().exists()
    return str(caught.value)


@pytest.mark.parametrize("cloud", ["gcp"], indirect=True)
def test_without_google_credentials_the_message_says_how_to_log_in(cloud: Cloud, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_CREDENTIALS", "")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    assert "there are no Google Cloud credentials: log in with `gcloud auth" in refusal(cloud)


@pytest.mark.parametrize("cloud", ["r2"], indirect=True)
def test_without_a_cloudflare_token_the_message_names_the_variable(cloud: Cloud, monkeypatch):
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "")
    assert "there is no Cloudflare API token: set CLOUDFLARE_API_TOKEN" in refusal(cloud)


@pytest.mark.parametrize(
    ("cloud", "configured"),
    [
        ("gcp", {"gcp:credentials": "{}"}),
        ("gcp", {"gcp:credentials": "{}", "gcp:impersonateServiceAccount": "deployer@acme.example"}),
        ("gcp", {"gcp:accessToken": "ya29.token", "gcp:credentials": "{}"}),
        ("r2", {"cloudflare:apiToken": "t" * 40}),
    ],
    indirect=["cloud"],
)
def test_credentials_of_the_stack_reach_the_explicit_provider(
    cloud: Cloud, configured: dict[str, str], monkeypatch
):
    for name in ("GOOGLE_CREDENTIALS", "CLOUDFLARE_API_TOKEN"):
        monkeypatch.setenv(name, "")
    config = {f"mpr-storage:{name}": value for name, value in cloud.values.items()} | configured
    deployed = deploy(program.main, [cloud.double], config=config, stack=cloud.environment)
    registrations = deployed.monitor.registrations.values()
    (provider,) = [request for request in registrations if request.type.startswith("pulumi:providers:")]
    expected = {name.partition(":")[2]: value for name, value in configured.items()}
    inputs = decode(provider.object)
    assert {name: inputs.get(name) for name in expected} == expected
    assert secret_names(provider.object) == expected.keys() - {"impersonateServiceAccount"}
