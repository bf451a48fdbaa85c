"""`status` without an argument: one line for each environment, whatever is wrong with it."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.storage.settings import Settings
from infra import cli
from infra.config import stack_files
from infra.env import files
from infra.env.key_info import KeyInfo
from infra.errors import UnreachableError
from infra.local import engine
from infra.status import overview
from tests.infra.conftest import Environment, admin_variables

STORE: dict[str, Any] = {
    "target": "s3-compatible",
    "endpoint": "embedded",
    "buckets": {"in": {"name": "media-in"}, "out": {"name": "media-out"}},
}


@pytest.fixture(autouse=True)
def _no_pulumi(tmp_path: Path, environments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)


def configure(folder: Path, name: str, values: dict[str, Any]) -> None:
    content = {"config": {f"mpr-storage:{key}": value for key, value in values.items()}}
    (folder / f"Pulumi.{name}.yaml").write_text(json.dumps(content))


def write(name: str, endpoint: str, **more: Any) -> None:
    settings = Settings(
        endpoint_url=endpoint,
        region="us-east-1",
        bucket_in="media-in",
        bucket_out="media-out",
        access_key_id="AKIAEXAMPLE",
        secret_access_key="hush-hush",
        **more,
    )
    files.write(files.path(name, "app"), files.render(settings, name, "app", KeyInfo("a", datetime.now(UTC))))


def lines(capsys) -> dict[str, str]:
    assert cli.run(["status"]) == 0
    out, _ = capsys.readouterr()
    assert "hush-hush" not in out
    return dict(line.split(": ", 1) for line in out.splitlines())


def test_each_environment_is_a_line_also_one_that_is_wrong_or_away(
    environments: Path, refusing, hanging, monkeypatch, capsys
):
    monkeypatch.setattr(overview, "_TIMEOUT", 0.2)
    configure(environments, "local", STORE)
    configure(environments, "wrong", {"target": "s3-compatible", "buckets": {"in": {"name": "Bad"}}})
    (environments / "Pulumi.broken.yaml").write_text("config: [")
    for name, endpoint in (("away", refusing), ("silent", hanging)):
        configure(environments, name, STORE | {"endpoint": endpoint})
        write(name, endpoint)
    configure(environments, "prod", {"target": "aws", "region": "eu-west-1"})
    found = lines(capsys)
    assert list(found) == ["away", "broken", "local", "prod", "silent", "wrong"]
    assert found["local"] == (
        "s3-compatible, the embedded store; not deployed; buckets media-in, media-out; identities app; "
        "env files missing; problem not running"
    )
    assert found["away"].startswith(f"s3-compatible, {refusing}; ")
    assert (
        " by init; buckets media-in, media-out; identities app (0 d); env files written; problem not reachable"
        in found["away"]
    )
    assert found["silent"].endswith("problem not reachable: no response within 0.2 s")
    assert found["broken"].startswith("problem cannot be read")
    assert found["wrong"].startswith("problem ")
    assert "more)" in found["wrong"]
    assert found["prod"] == "aws; not deployed; identities app; env files missing"
    assert not (stack_files.ROOT / ".local").exists()


def test_one_object_holds_all_environments(environments: Path, capsys):
    configure(environments, "local", STORE)
    assert cli.run(["status", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["environments"]
    assert (found["environment"], found["problems"], found["drift"]) == ("local", ["not running"], None)


def test_no_environment_at_all_is_said(environments: Path, capsys):
    assert cli.run(["status"]) == 0
    assert "there are no environments" in capsys.readouterr().out


def test_the_access_key_of_the_env_file_is_enough(seaweed_environment: Environment, monkeypatch, capsys):
    seaweed_environment.values["identities"] = ["viewer"]
    seaweed_environment.save()
    seaweed_environment.initialise()
    for variable in admin_variables(seaweed_environment.store):
        monkeypatch.delenv(variable)
    name = seaweed_environment.name
    assert "problem" not in lines(capsys)[name]
    key = files.access_key(seaweed_environment.file("viewer"))
    assert key
    user = f"mpr-{name}-viewer"
    seaweed_environment.server.manager.delete_key(seaweed_environment.store, user, key.access_key_id)
    assert lines(capsys)[name].endswith(
        "problem the access key in the env file is not accepted (InvalidAccessKeyId)"
    )


class Stacks(engine.Engine):
    """A double of the engine that knows when stacks were updated."""

    def updates(self) -> dict[str, datetime]:
        return {"prod": datetime(2026, 11, 24, 4, 0, tzinfo=UTC)}


class Away(engine.Engine):
    def updates(self) -> dict[str, datetime]:
        raise UnreachableError("`pulumi stack ls` failed: no such host")


def test_stacks_are_read_once_and_a_backend_that_is_away_is_no_end(environments: Path, monkeypatch, capsys):
    (stack_files.ROOT / ".local/pulumi/state").mkdir(parents=True)
    configure(environments, "prod", {"target": "aws", "region": "eu-west-1"})
    configure(environments, "local", STORE)
    monkeypatch.setattr(engine, "find", lambda: Stacks("pulumi", {}, own_state=True))
    found = lines(capsys)
    assert "; 2026-11-24T04:00:00Z by Pulumi; " in found["prod"]
    assert "; not deployed; " in found["local"]
    monkeypatch.setattr(engine, "find", lambda: Away("pulumi", {}, own_state=True))
    assert cli.run(["status"]) == 0
    out, err = capsys.readouterr()
    assert "prod: aws; unknown; " in out
    assert err == "the stacks cannot be read: `pulumi stack ls` failed: no such host\n"
    assert cli.run(["status", "--json"]) == 0
    assert capsys.readouterr().err == err


def test_an_environment_without_its_configuration_is_named(environments: Path, monkeypatch, capsys):
    (stack_files.ROOT / ".local/pulumi/state").mkdir(parents=True)
    configure(environments, "local", STORE)
    for name in ("local", "renamed"):
        write(name, "http://127.0.0.1:1")
    (environments / "media.env").write_text("S3_BUCKET_IN=mine\n")  # written by hand
    shutil.copy(environments / "local.env", environments / "backup.env")
    monkeypatch.setattr(engine, "find", lambda: Stacks("pulumi", {}, own_state=True))
    found = lines(capsys)
    assert list(found) == ["local", "prod", "renamed"]
    assert found["prod"].startswith("2026-11-24T04:00:00Z by Pulumi; problem ")
    assert re.search(
        r"^problem .*Pulumi.renamed.yaml is missing, .*: restore the file; .* `.* down renamed --delete` then",
        found["renamed"],
    )


def test_a_terminal_gets_a_table(environments: Path, monkeypatch, capsys):
    configure(environments, "local", STORE)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.run(["status"]) == 0
    out = capsys.readouterr().out
    assert "│" in out
    assert "not running" in out
