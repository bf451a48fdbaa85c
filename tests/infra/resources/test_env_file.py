"""The env file resource of cloud targets. With the engine: tests/engine/test_clouds.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.storage.settings import Settings
from infra.env import files
from infra.env.key_info import KeyInfo
from infra.resources.env_file import EnvFileProvider, digest

SETTINGS = Settings(region="eu-west-1", bucket_in="media-in", bucket_out="media-out")
WITH_KEY = replace(SETTINGS, access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="secret" * 6)
WITH_ROLE = replace(SETTINGS, role_arn="arn:aws:iam::123456789012:role/mpr-prod-app")


@pytest.fixture
def file(environments: Path) -> Path:
    return environments / "prod.env"


def write(file: Path, settings: Settings) -> None:
    files.write(file, files.render(settings, "prod", "app", KeyInfo("a", None)))


def delete(file: Path, credential: str) -> None:
    EnvFileProvider().delete("", {"file": str(file), "holds": digest(credential)})


@pytest.mark.parametrize("settings", [WITH_KEY, WITH_ROLE], ids=["key", "role"])
def test_an_env_file_goes_with_its_access_key_or_role(file, settings):
    write(file, settings)
    delete(file, settings.access_key_id or settings.role_arn or "")
    assert not file.exists()
    delete(file, settings.access_key_id or settings.role_arn or "")  # on another machine there is no file


def test_the_env_file_of_a_slot_goes_with_its_access_key(file):
    write(file, WITH_KEY)
    other = replace(WITH_KEY, access_key_id="AKIAI44QH8DHBEXAMPLE")
    write(files.slot_file(file, "b"), other)
    delete(file, "AKIAI44QH8DHBEXAMPLE")
    assert (file.exists(), files.slot_file(file, "b").exists()) == (True, False)


def test_an_env_file_with_another_access_key_stays(file):
    write(file, WITH_KEY)
    delete(file, "AKIAI44QH8DHBEXAMPLE")
    assert file.exists()


def test_an_edited_env_file_stays(file):
    write(file, WITH_KEY)
    file.write_text(file.read_text() + "MINE=1\n")
    delete(file, "AKIAIOSFODNN7EXAMPLE")
    assert file.exists()


def test_the_state_records_a_digest_and_not_the_access_key_id():
    assert "AKIA" not in digest("AKIAIOSFODNN7EXAMPLE")


def test_a_new_access_key_is_an_update():
    olds, news = {"file": "prod.env", "holds": "a"}, {"file": "prod.env", "holds": "b"}
    changes = EnvFileProvider().diff("", olds, news)
    assert (changes.changes, changes.replaces) == (True, [])
    assert EnvFileProvider().diff("", olds, olds).changes is False
    assert EnvFileProvider().update("", olds, news).outs == news
    assert EnvFileProvider().create(olds).outs == olds
