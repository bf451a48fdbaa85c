"""`up` with a real store of its own, without Pulumi. With it: tests/engine/test_make_up.py."""

from __future__ import annotations

from core.storage.settings import Settings, read_env_file
from infra import cli
from infra.config import stack_files
from infra.config.load import load_environment
from infra.init import initialise
from infra.local import engine
from infra.local.up import _next_steps
from infra.stores.access_key import AccessKey
from infra.stores.store import s3_client


def test_up_ends_with_proven_storage_and_a_second_one_changes_nothing(machine, capsys):
    assert cli.run(["up"]) == 0
    first = capsys.readouterr()
    assert "deploying with `python -m infra init` instead, which a later `pulumi up` adopts" in first.out
    assert "access checks passed" in first.out
    assert "ready: S3_ENV_FILE=environments/local.env" in first.out
    assert machine.buckets == {"test-in", "test-out"}
    before = machine.env_file.read_bytes()
    assert cli.run(["up"]) == 0
    second = capsys.readouterr()
    assert machine.env_file.read_bytes() == before
    assert second.out.count("unchanged") == 4
    secret = Settings.from_env(read_env_file(machine.env_file)).secret_access_key
    assert secret
    assert secret not in first.out + first.err + second.out + second.err
    assert machine.store.admin.secret_access_key not in first.out + first.err


def test_from_another_folder_it_says_where_the_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = _next_steps(load_environment("local"), None)
    assert shown.startswith(f"ready (in {stack_files.ROOT}): S3_ENV_FILE=environments/local.env .venv/bin/python")


def test_a_lost_env_file_is_made_again(machine):
    cli.run(["up"])
    machine.env_file.unlink()
    assert cli.run(["up"]) == 0
    settings = Settings.from_env(read_env_file(machine.env_file))
    keys = AccessKey(settings.access_key_id or "", settings.secret_access_key or "")
    assert s3_client(machine.store, keys).list_objects_v2(Bucket="test-in")["KeyCount"] == 0


def test_an_edited_env_file_stops_up_before_anything_is_changed(machine, capsys):
    cli.run(["up"])
    edited = machine.env_file.read_text().replace("us-east-1", "eu-west-1")
    machine.env_file.write_text(edited)
    machine.store.s3.delete_bucket(Bucket="test-out")
    assert cli.run(["up"]) == 2
    assert "was edited by hand" in capsys.readouterr().err
    assert machine.env_file.read_text() == edited
    assert machine.buckets == {"test-in"}


def test_a_wrong_configuration_starts_nothing(machine, capsys):
    machine.configure(buckets={"in": {"name": "Bad"}})
    assert cli.run(["up"]) == 2
    assert "buckets.in.name" in capsys.readouterr().err
    assert not (machine.root / ".local").exists()


def test_with_an_engine_it_deploys_and_tells_how_to_use_its_state(machine, monkeypatch, capsys):
    """The engine is a double that does what `init` does; what the real one does is in tests/engine."""

    class Deploys(engine.Engine):
        def up(self, environment: str) -> None:
            initialise(load_environment(environment), lambda *_: None)

    monkeypatch.setattr(engine, "find", lambda: Deploys("pulumi", {}, own_state=True))
    assert cli.run(["up"]) == 0
    shown = capsys.readouterr().out
    assert "deploying local with Pulumi" in shown
    assert "export PULUMI_BACKEND_URL=file://" in shown
