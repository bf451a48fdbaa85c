from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.storage.settings import Settings
from infra.env import files
from infra.env.compare import FileComparison, compare
from infra.env.stack import Stack
from tests.infra.env.support import ODD, SHAPES, secrets_of

STORE = SHAPES["store"]
OTHER = replace(STORE, access_key_id="AKIAOTHER", secret_access_key="another-hush")
UPDATED = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def file(environments: Path) -> Path:
    """Return the env file of `app` as it was deployed, written after the last update."""
    path = files.path("prod", "app")
    files.write(path, files.render(STORE, "prod", "app"))
    touch(path, 1)
    return path


def touch(file: Path, seconds: int) -> None:
    """Set the time of the last write to so many seconds after the last update."""
    os.utime(file, (UPDATED.timestamp() + seconds,) * 2)


def rewrite(file: Path, settings: Settings) -> None:
    files.write(file, files.render(settings, "prod", "app"))
    touch(file, 1)


def comparison(stack: Settings = STORE) -> FileComparison:
    (result,) = compare("prod", ["app"], Stack({"app": stack}, UPDATED))
    for secret in (*secrets_of(STORE), *secrets_of(OTHER)):
        assert secret not in f"{result} {result!r} {json.dumps(result.as_dict())}"
    return result


def test_a_file_with_the_deployed_values_has_no_difference(file):
    result = comparison()
    assert (result.reasons, result.variables, result.next_step) == ((), (), None)
    assert str(result).endswith("prod.env: as deployed")


def test_an_old_file_with_the_deployed_values_has_no_difference(file):
    touch(file, -1000)
    assert comparison().reasons == ()


def test_a_missing_file_is_reported_with_the_command_that_writes_it(file):
    file.unlink()
    assert comparison().reasons == ("missing",)
    assert str(comparison()).endswith("prod.env: missing; `python -m infra env prod --write` writes it")


def test_replaced_keys_are_reported_as_rotated(file):
    rewrite(file, OTHER)
    result = comparison()
    assert result.reasons == ("rotated",)
    assert result.variables == ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    assert "with an access key that was replaced (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); `python" in str(
        result
    )


def test_a_file_from_before_the_last_deployment_is_reported_as_older(file):
    rewrite(file, replace(STORE, bucket_in="old-bucket"))
    touch(file, -1)
    assert comparison().reasons == ("older",)
    rewrite(file, OTHER)
    touch(file, -1)
    assert comparison().reasons == ("older", "rotated")
    assert "older than the last deployment, with an access key that was replaced (" in str(comparison())


def test_any_other_difference_names_its_variables(file):
    secret = replace(STORE, secret_access_key="another-hush")
    assert (comparison(secret).reasons, comparison(secret).variables) == (("differs",), ("AWS_SECRET_ACCESS_KEY",))
    more = replace(STORE, public_endpoint_url="https://other.example", addressing_style="virtual")
    assert comparison(more).variables == ("S3_PUBLIC_ENDPOINT_URL", "S3_ADDRESSING_STYLE")
    less = replace(STORE, public_endpoint_url=None)
    assert comparison(less).variables == ("S3_PUBLIC_ENDPOINT_URL",)


@pytest.mark.parametrize(
    ("edit", "variables"),
    [
        (lambda text: text.replace("media-in", "media-on"), ("S3_BUCKET_IN",)),
        (lambda text: text + "MORE=1\n", ("MORE",)),
        (lambda text: text + "# a comment\n", ()),
        (lambda text: text + "no variable\n", ()),
        (lambda text: text + "X='$unclear'\n", ()),
    ],
)
def test_an_edited_file_is_reported_with_the_edited_variables(file, edit, variables):
    file.write_text(edit(file.read_text()))
    touch(file, 1)
    assert (comparison().reasons, comparison().variables) == (("edited",), variables)
    assert "edited by hand" in str(comparison())
    assert "put the change into Pulumi.prod.yaml and deploy, or move it away, then `python -m infra env" in str(
        comparison()
    )


def test_an_edited_file_with_other_keys_is_reported_as_edited_and_rotated(file):
    file.write_text(file.read_text().replace(STORE.access_key_id or "", "AKIAMINE"))
    touch(file, 1)
    assert (comparison().reasons, comparison().variables) == (("edited", "rotated"), ("AWS_ACCESS_KEY_ID",))


def test_a_file_without_the_header_is_reported_as_foreign(file):
    file.write_text("S3_BUCKET_IN=mine\n")
    assert comparison().reasons == ("foreign",)
    assert "not written by mpr-storage; move it away" in str(comparison())


def test_a_folder_at_the_path_of_the_file_is_reported_as_unreadable(file):
    file.unlink()
    file.mkdir()
    assert comparison().reasons == ("unreadable",)


def test_every_identity_that_is_deployed_or_configured_is_compared(file):
    stack = Stack({"app": STORE, "old": ODD}, None)
    reasons = {result.identity: result.reasons for result in compare("prod", ["app", "viewer"], stack)}
    assert reasons == {"app": (), "old": ("missing",), "viewer": ("undeployed",)}


def test_without_a_time_of_the_last_deployment_no_file_is_older(file):
    rewrite(file, OTHER)
    touch(file, -1000)
    (result,) = compare("prod", [], Stack({"app": STORE}, None))
    assert result.reasons == ("rotated",)


def test_a_comparison_as_a_dict_holds_the_reasons_and_the_next_step(file):
    rewrite(file, OTHER)
    assert comparison().as_dict() == {
        "identity": "app",
        "file": str(file),
        "differs": True,
        "reasons": ["rotated"],
        "variables": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        "next": "`python -m infra env prod --write` writes it",
    }


def test_a_file_that_other_users_may_read_is_reported(file):
    file.chmod(0o644)
    result = comparison()
    assert result.reasons == ("open",)
    assert "open to other users of this machine; `python -m infra env prod --write`" in str(result)
