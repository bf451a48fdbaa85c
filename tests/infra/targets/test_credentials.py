"""The program refuses to start without credentials of the cloud, before anything is created."""

from __future__ import annotations

import pytest

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
