"""`status <environment>`: on each real store without Pulumi, and in a cloud with doubles of the engine."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest

from core.storage.settings import Settings
from infra import cli
from infra.config import stack_files
from infra.drift import cloud
from infra.env import files
from infra.env.key_info import KeyInfo
from infra.errors import InfraError, UnreachableError
from infra.local import engine
from infra.status import details
from tests.infra.conftest import Environment, admin_variables, remove_bucket

WRITTEN = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def status(environment: Environment, capsys, *arguments: str) -> tuple[int, str, str]:
    """Run the command, which changes no file and shows no secret."""
    before = snapshot(environment.folder.parent)
    keys = [files.access_key(file) for file in environment.folder.glob("*.env")]
    code = cli.run(["status", environment.name, *arguments])
    out, err = capsys.readouterr()
    secrets = [text for key in keys if key for text in (key.access_key_id, key.secret_access_key)]
    assert not [secret for secret in secrets if secret in out + err]
    assert snapshot(environment.folder.parent) == before
    return code, out.replace(f"{environment.folder}/", ""), err


def snapshot(root: Path) -> list[tuple[Path, int]]:
    return sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*"))


def of(environment: Environment, capsys) -> dict[str, Any]:
    code, out, err = status(environment, capsys, "--json")
    result: dict[str, Any] = json.loads(out)
    assert code == 0, err
    return result


def test_an_environment_that_init_deployed_is_shown_completely(initialised: Environment, capsys):
    name, s3 = initialised.name, initialised.store.s3
    s3.put_object(Bucket=f"{name}-in", Key="a", Body=b"123")
    s3.create_multipart_upload(Bucket=f"{name}-in", Key="b")
    for file in initialised.folder.glob("*.env"):
        os.utime(file, (WRITTEN.timestamp(),) * 2)
    result = of(initialised, capsys)
    assert result["buckets"][0] == {
        "name": f"{name}-in",
        "role": "in",
        "origin": "created",
        "objects": 1,
        "older_versions": 0,
        "unfinished_uploads": 1,
        "bytes": 3,
        "note": None,
    }
    assert (result["buckets"][1]["role"], result["buckets"][1]["objects"]) == ("out", 0)
    assert [(identity["name"], identity["slot"], identity["age_days"]) for identity in result["identities"]] == [
        ("app", "a", 0),
        ("viewer", "a", 0),
    ]
    assert all(identity["key"].startswith("...") for identity in result["identities"])
    assert [(file["identity"], file["state"]) for file in result["env_files"]] == [
        ("app", "agrees"),
        ("viewer", "agrees"),
    ]
    assert (result["deployed_by"], result["deployed_at"]) == ("init", "2026-11-24T04:00:00Z")
    assert (result["drift"], result["drift_reason"], result["problems"]) == ("none", None, [])
    assert result["endpoint"] == initialised.store.endpoint


def test_what_differs_is_said_in_one_word_each(initialised: Environment, capsys):
    initialised.file("app").write_text(initialised.file("app").read_text() + "MORE=1\n")
    initialised.file("viewer").write_text("S3_BUCKET_IN=mine\n")
    result = of(initialised, capsys)
    assert [file["state"] for file in result["env_files"]] == ["edited by hand", "written by hand"]
    assert "move it away" in result["env_files"][1]["next"]
    initialised.file("viewer").unlink()
    remove_bucket(initialised.store.s3, f"{initialised.name}-out")
    result = of(initialised, capsys)
    assert result["env_files"][1]["state"] == "missing"
    assert result["buckets"][1]["origin"] == "missing"
    assert result["drift"] == "differs"
    assert result["drift_reason"].endswith("differences")


def test_a_bucket_that_existed_before_is_adopted_and_a_renamed_one_is_left_behind(
    initialised: Environment, new_bucket, capsys
):
    existing, old = new_bucket(initialised.store), f"{initialised.name}-in"
    initialised.values["buckets"]["in"]["name"] = existing
    initialised.save()
    initialised.initialise()
    found = {bucket["name"]: (bucket["role"], bucket["origin"]) for bucket in of(initialised, capsys)["buckets"]}
    assert found == {
        existing: ("in", "adopted"),
        f"{initialised.name}-out": ("out", "created"),
        old: (None, "stays behind"),
    }
    _, out, _ = status(initialised, capsys)
    assert f"{old} stays behind: environment {initialised.name} created it and no longer names it" in out
    remove_bucket(initialised.store.s3, old)


def test_an_environment_that_was_never_deployed(seaweed_environment: Environment, capsys, monkeypatch):
    monkeypatch.setattr(engine, "find", lambda: None)
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.save()
    result = of(seaweed_environment, capsys)
    assert (result["deployed_by"], result["drift"], result["drift_reason"]) == (
        "not deployed",
        "unknown",
        "not deployed",
    )
    assert [bucket["origin"] for bucket in result["buckets"]] == ["missing", "missing"]
    assert (result["identities"][0]["key"], result["env_files"][0]["state"]) == (None, "missing")


@pytest.fixture
def on_seaweed(seaweed_environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(stack_files, "ROOT", seaweed_environment.folder.parent)
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.save()
    seaweed_environment.initialise()
    return seaweed_environment


def test_without_admin_keys_the_env_files_count_the_objects_and_the_exit_code_is_2(
    on_seaweed: Environment, capsys, monkeypatch
):
    on_seaweed.store.s3.put_object(Bucket=f"{on_seaweed.name}-in", Key="a", Body=b"123")
    for variable in admin_variables(on_seaweed.store):
        monkeypatch.delenv(variable)
    code, out, _ = status(on_seaweed, capsys, "--json")
    result = json.loads(out)
    assert code == 2
    assert (result["buckets"][0]["objects"], result["buckets"][0]["origin"]) == (1, "unknown")
    assert result["deployed_by"] == "init"
    assert result["drift"] == "unknown"
    assert "no admin keys" in result["drift_reason"]


def test_a_store_that_does_not_respond_has_exit_code_3_and_the_rest_is_shown(
    on_seaweed: Environment, capsys, refusing
):
    on_seaweed.values["endpoint"], endpoint = refusing, on_seaweed.values["endpoint"]
    on_seaweed.save()
    on_seaweed.values["endpoint"] = endpoint
    code, out, _ = status(on_seaweed, capsys)
    assert code == 3
    assert f"bucket       {on_seaweed.name}-in (in): unknown\n" in out
    assert f"env file     {on_seaweed.name}.env: not compared\n" in out
    assert f"drift        unknown: cannot reach the store at {refusing}" in out


def test_the_embedded_store_is_not_started(environments: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setattr(engine, "find", lambda: None)
    values = {"target": "s3-compatible", "endpoint": "embedded"}
    values |= {"buckets": {"in": {"name": "a-in"}, "out": {"name": "a-out"}}}  # type: ignore[dict-item]  # mixed
    content = {"config": {f"mpr-storage:{name}": value for name, value in values.items()}}
    (environments / "Pulumi.local.yaml").write_text(json.dumps(content))
    assert cli.run(["status", "local"]) == 3
    assert "drift        unknown: the embedded store is not running" in capsys.readouterr().out
    assert not (tmp_path / ".local").exists()


def test_a_wrong_file_and_an_unknown_environment_have_exit_code_2(environments: Path, capsys):
    (environments / "Pulumi.wrong.yaml").write_text("config: {mpr-storage:target: azure}")
    assert cli.run(["status", "wrong"]) == 2
    assert "target: must be one of" in capsys.readouterr().err
    assert cli.run(["status", "nowhere"]) == 2


def test_a_terminal_gets_a_table(on_seaweed: Environment, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = status(on_seaweed, capsys)
    assert "│" in out
    assert "created, no objects" in out


class InCloud(engine.Engine):
    """A double of the engine with a state in a cloud; with the real one: tests/engine/test_status.py."""

    settings: Settings

    def deployed(self, _environment: str) -> engine.Deployed:
        keys = {"app": {"slot": "b", "made": "2026-11-24T03:00:00Z"}}
        return engine.Deployed({"identities": {"app": self.settings.to_env()}, "keySlots": keys}, WRITTEN)

    def resources(self, _environment: str) -> list[dict[str, Any]]:
        kind = "mpr-storage:index:Bucket"
        return [
            {"type": "pulumi:pulumi:Stack"},
            {"type": kind, "outputs": {"name": self.settings.bucket_in}},
            {"type": kind, "outputs": {"name": self.settings.bucket_out, "adopted": True}},
            {"type": kind, "outputs": {"name": "before"}},
        ]


def test_in_a_cloud_the_stack_and_the_env_files_say_what_there_is(on_seaweed: Environment, capsys, monkeypatch):
    """The env file leads to SeaweedFS, which counts as AWS here."""
    settings = files.load(on_seaweed.file("app"), on_seaweed.name)
    files.write(on_seaweed.file("app"), files.render(settings, on_seaweed.name, "app", KeyInfo("b", None)))
    on_seaweed.store.s3.put_object(Bucket=settings.bucket("in"), Key="a", Body=b"123")
    double = InCloud("pulumi", {}, own_state=False)
    object.__setattr__(double, "settings", settings)
    monkeypatch.setattr(engine, "find_with_state", lambda: double)
    monkeypatch.setattr(cloud, "compare", lambda _: [])
    Environment(
        on_seaweed.name, on_seaweed.server, on_seaweed.folder, {"target": "aws", "region": "eu-west-1"}
    ).save()
    result = of(on_seaweed, capsys)
    assert [(bucket["name"], bucket["origin"], bucket["objects"]) for bucket in result["buckets"]] == [
        (settings.bucket_in, "created", 1),
        (settings.bucket_out, "adopted", 0),
        ("before", "stays behind", None),
    ]
    assert (result["deployed_by"], result["deployed_at"]) == ("Pulumi", "2026-11-24T04:00:00Z")
    assert (result["identities"][0]["slot"], result["identities"][0]["created"]) == ("b", "2026-11-24T03:00:00Z")
    assert (result["env_files"][0]["state"], result["drift"]) == ("agrees", "none")

    def fail(_: object) -> None:
        raise UnreachableError("no credentials")

    monkeypatch.setattr(cloud, "compare", fail)
    code, out, _ = status(on_seaweed, capsys)
    assert (code, "drift        unknown: no credentials\n" in out) == (3, True)
    monkeypatch.setattr(engine, "find_with_state", lambda: None)
    monkeypatch.setattr(engine, "command", lambda: None)
    code, out, _ = status(on_seaweed, capsys)
    assert code == 3
    assert "deployed     unknown\n" in out
    assert f"{settings.bucket_in} (in): unknown, 1 object (3 bytes" in out


def test_the_reason_of_an_unknown_drift_is_that_of_the_comparison():
    reader = details._Reader(None)  # type: ignore[arg-type]  # not read here
    reader.problems.append(InfraError("an env file is not valid"))

    def fail() -> NoReturn:
        raise UnreachableError("no credentials")

    assert reader.drift(fail) == {"drift": "unknown", "drift_reason": "no credentials"}


def test_an_error_of_the_library_is_a_problem_and_not_the_end():
    reader = details._Reader(None)  # type: ignore[arg-type]  # not read here
    from core.storage import StorageError  # noqa: PLC0415  # this test alone

    def fail() -> None:
        raise StorageError("words")

    assert reader.attempt(fail) is None
    assert [str(problem) for problem in reader.problems] == ["words"]
