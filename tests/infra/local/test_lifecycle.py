"""`up` and `down` with a real store of their own, without Pulumi. With it: tests/engine/test_make_up.py."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from core.storage.settings import Settings, read_env_file
from infra import cli, config
from infra.local import engine, lifecycle, store
from infra.stores.store import Keys, Store, s3_client

LOCAL = {
    "target": "s3-compatible",
    "endpoint": "embedded",
    "disposable": True,
    "buckets": {"in": {"name": "test-in"}, "out": {"name": "test-out"}},
}


class Machine:
    """A machine with a project on it, and no Pulumi."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "environments").mkdir()

    def configure(self, environment: str = "local", **changes: object) -> None:
        values = {f"mpr-storage:{name}": value for name, value in (LOCAL | changes).items()}
        file = self.root / f"environments/Pulumi.{environment}.yaml"
        file.write_text(yaml.safe_dump({"config": values}))

    @property
    def env_file(self) -> Path:
        return self.root / "environments/local.env"

    @property
    def store(self) -> Store:
        running = store.find()
        assert running is not None
        return Store(running.endpoint, "us-east-1", Keys(running.access_key_id, running.secret_access_key))

    @property
    def buckets(self) -> set[str]:
        return {one.get("Name", "") for one in self.store.s3.list_buckets()["Buckets"]}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setattr(config, "ENVIRONMENTS", tmp_path / "environments")
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(engine, "install", lambda: None)
    monkeypatch.chdir(tmp_path)
    made = Machine(tmp_path)
    made.configure()
    yield made
    store.stop()


def test_up_ends_with_proven_storage_and_a_second_one_changes_nothing(machine, capsys):
    assert cli.run(["up"]) == 0
    first = capsys.readouterr()
    assert "`python -m infra init` does it; a later `pulumi up` adopts it" in first.out
    assert "no surprise" in first.out
    assert "ready: S3_ENV_FILE=environments/local.env" in first.out
    assert machine.buckets == {"test-in", "test-out"}
    before = machine.env_file.read_bytes()
    assert cli.run(["up"]) == 0
    second = capsys.readouterr()
    assert machine.env_file.read_bytes() == before
    assert second.out.count("unchanged") == 3
    secret = Settings.from_env(read_env_file(machine.env_file)).secret_access_key
    assert secret
    assert secret not in first.out + first.err + second.out + second.err
    assert machine.store.admin.secret_access_key not in first.out + first.err


def test_down_of_a_disposable_environment_leaves_nothing(machine, capsys):
    cli.run(["up"])
    machine.store.s3.put_object(Bucket="test-in", Key="a", Body=b"x")
    assert cli.run(["down"]) == 0
    assert "local is removed" in capsys.readouterr().out
    assert not machine.env_file.exists()
    assert not (machine.root / ".local/store").exists()
    assert store.find() is None


def test_down_when_nothing_is_there_is_no_error(machine):
    assert cli.run(["down"]) == 0
    assert cli.run(["down"]) == 0


def test_down_keeps_what_another_environment_has_in_the_same_store(machine, capsys):
    machine.configure("keep", disposable=False, buckets={"in": {"name": "keep-in"}, "out": {"name": "keep-out"}})
    cli.run(["up"])
    cli.run(["init", "keep"])
    machine.store.s3.put_object(Bucket="keep-in", Key="a", Body=b"precious")
    assert cli.run(["down"]) == 0
    assert "it keeps keep-in, keep-out" in capsys.readouterr().out
    assert store.find() is None
    store.start()
    assert machine.buckets == {"keep-in", "keep-out"}
    assert machine.store.s3.get_object(Bucket="keep-in", Key="a")["Body"].read() == b"precious"


def test_down_of_an_environment_that_is_not_disposable_only_stops(machine, capsys):
    machine.configure(disposable=False)
    cli.run(["up"])
    assert cli.run(["down"]) == 0
    assert "its data stays" in capsys.readouterr().out
    assert machine.env_file.exists()
    assert cli.run(["up"]) == 0
    assert machine.buckets == {"test-in", "test-out"}


def test_a_lost_env_file_is_made_again(machine):
    cli.run(["up"])
    machine.env_file.unlink()
    assert cli.run(["up"]) == 0
    settings = Settings.from_env(read_env_file(machine.env_file))
    keys = Keys(settings.access_key_id or "", settings.secret_access_key or "")
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


class TestElsewhere:
    """An environment on a store that somebody else runs."""

    @pytest.fixture(autouse=True)
    def _admin(self, seaweed, monkeypatch):
        monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", seaweed.access_key_id)
        monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", seaweed.secret_access_key)

    def test_a_disposable_one_is_removed_and_the_rest_stays(self, machine, seaweed, new_name):
        other = new_name()
        buckets = {"in": {"name": new_name()}, "out": {"name": new_name()}}
        admin = Store(seaweed.endpoint, "us-east-1", Keys(seaweed.access_key_id, seaweed.secret_access_key))
        admin.s3.create_bucket(Bucket=other)
        machine.configure(new_name(), endpoint=seaweed.endpoint, buckets=buckets)
        environment = next((machine.root / "environments").glob("Pulumi.t*.yaml")).name[7:-5]
        assert cli.run(["up", environment]) == 0
        assert store.find() is None, "no store of one's own is started"
        assert cli.run(["down", environment]) == 0
        left = {one.get("Name") for one in admin.s3.list_buckets()["Buckets"]}
        assert other in left
        assert not left & {buckets["in"]["name"], buckets["out"]["name"]}
        assert not list((machine.root / "environments").glob("*.env"))

    def test_one_that_is_not_disposable_is_left_alone(self, machine, seaweed, new_name, capsys):
        buckets = {"in": {"name": new_name()}, "out": {"name": new_name()}}
        machine.configure("kept", endpoint=seaweed.endpoint, buckets=buckets, disposable=False)
        cli.run(["init", "kept"])
        assert cli.run(["down", "kept"]) == 0
        assert "kept is not disposable, so nothing was deleted" in capsys.readouterr().out
        assert (machine.root / "environments/kept.env").exists()


@pytest.fixture
def new_name():
    return lambda: f"t{uuid.uuid4().hex[:12]}"


def test_with_an_engine_it_deploys_and_tells_how_to_use_its_state(machine, monkeypatch, capsys):
    """The engine is a double that does what `init` does; what the real one does is in tests/engine."""

    class Deploys(engine.Engine):
        def up(self, environment: str) -> None:
            cli.run(["init", environment])

        def destroy(self, environment: str) -> None:
            print(f"destroyed {environment}")  # noqa: T201  # what the test looks for

    monkeypatch.setattr(engine, "find", lambda: Deploys("pulumi", {}, own_state=True))
    assert cli.run(["up"]) == 0
    shown = capsys.readouterr().out
    assert "deploying local with Pulumi" in shown
    assert "export PULUMI_BACKEND_URL=file://" in shown
    assert cli.run(["down"]) == 0
    assert "destroyed local" in capsys.readouterr().out


def test_two_at_once_take_turns(machine):
    with lifecycle.one_at_a_time():
        assert (machine.root / ".local/up.lock").exists()
