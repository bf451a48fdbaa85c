"""`down` with a real store of its own, without Pulumi. With it: tests/engine/test_make_up.py."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from infra import cli
from infra.config import stack_files
from infra.config.load import parse
from infra.errors import UsageError
from infra.local import deletion, down, engine, store
from infra.stores.access_key import AccessKey
from infra.stores.contents import Contents
from infra.stores.store import Store
from tests.conftest import REPO
from tests.infra.conftest import remove_bucket

DELETE = ["down", "--delete", "--yes"]


#: `down --delete` in the project of the working directory, without Pulumi.
_PROGRAM = """
import os, sys
from pathlib import Path
from infra import cli
from infra.config import stack_files
from infra.local import engine

os.open(os.ttyname(0), os.O_RDWR)  # makes it the terminal of this session, so that Ctrl-C arrives
stack_files.ROOT, stack_files.ENVIRONMENTS = Path.cwd(), Path.cwd() / "environments"
engine.find = lambda: None
sys.exit(cli.run(["down", "--delete"]))
"""


def reply(machine, typed: bytes) -> tuple[int, str]:
    """Run `down --delete` on a terminal of its own and type a reply to its prompt.

    The reply is typed once the program waits for it, and again while it waits: Python's readline misses a Ctrl-C
    that arrives just before it waits.
    """
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        cwd=machine.root,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    said = b""
    try:
        with suppress(OSError):  # Linux reports the end of the last process on a terminal as EIO
            while True:
                if select.select([controller], [], [], 0.5)[0]:
                    said += os.read(controller, 4096)
                elif b"[y/N]" in said and b"nothing was deleted" not in said:  # then it is ending
                    os.write(controller, typed)
    except BaseException:  # of the time limit of the test: the process would be waited for without end
        process.kill()
        raise
    finally:
        process.wait()
        os.close(controller)
    return process.returncode, said.decode().replace("\r", "")


def test_down_keeps_the_objects_keys_and_env_files_also_of_a_disposable_environment(machine, capsys):
    cli.run(["up"])
    machine.store.s3.put_object(Bucket="test-in", Key="a", Body=b"x")
    env = machine.env_file.read_bytes()
    assert cli.run(["down"]) == 0
    assert "the store is stopped; buckets, keys and env files stay" in capsys.readouterr().out
    assert store.find() is None
    assert cli.run(["up"]) == 0
    assert machine.store.s3.get_object(Bucket="test-in", Key="a")["Body"].read() == b"x"
    assert machine.env_file.read_bytes() == env


def test_down_when_nothing_is_there_is_no_error(machine, capsys):
    assert cli.run(["down"]) == 0
    assert "the store was not running" in capsys.readouterr().out
    assert cli.run(DELETE) == 0
    assert not (machine.root / ".local/store").exists()


def test_delete_says_how_much_it_deletes_and_leaves_nothing(machine, capsys):
    cli.run(["up"])
    for number in range(3):
        machine.store.s3.put_object(Bucket="test-in", Key=f"{number}", Body=b"12345")
    capsys.readouterr()
    assert cli.run(DELETE) == 0
    said = capsys.readouterr().out
    assert "  bucket test-in: 3 objects (15 bytes)\n  bucket test-out: no objects\n" in said
    assert "local is deleted" in said
    assert not machine.env_file.exists()
    assert not (machine.root / ".local/store").exists()
    assert store.find() is None


@pytest.mark.flow
def test_delete_after_a_stop_still_knows_its_own_buckets(machine):
    cli.run(["up"])
    machine.store.s3.put_object(Bucket="test-in", Key="a", Body=b"x")
    cli.run(["down"])
    assert cli.run(DELETE) == 0
    assert not (machine.root / ".local/store").exists()


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        pytest.param(b"n\n", 2, id="no"),
        pytest.param(b"\n", 2, id="enter", marks=pytest.mark.flow),
        pytest.param(b"\x03", 130, id="Ctrl-C", marks=pytest.mark.flow),
    ],
)
def test_delete_asks_and_anything_but_yes_deletes_nothing(machine, typed, code):
    cli.run(["up"])
    machine.store.s3.put_object(Bucket="test-in", Key="a", Body=b"x")
    left, said = reply(machine, typed)
    assert (left, "nothing was deleted" in said) == (code, True)
    assert store.find() is not None, "it ran before, so it still does"
    assert machine.store.s3.get_object(Bucket="test-in", Key="a")["Body"].read() == b"x"
    assert machine.env_file.exists()


@pytest.mark.flow
def test_delete_that_is_declined_stops_the_store_that_it_started(machine):
    cli.run(["up"])
    cli.run(["down"])
    assert reply(machine, b"n\n")[0] == 2
    assert store.find() is None
    assert machine.env_file.exists()


@pytest.mark.flow
def test_delete_that_is_confirmed_deletes(machine):
    cli.run(["up"])
    code, said = reply(machine, b"y\n")
    assert (code, "local is deleted" in said) == (0, True)
    assert not machine.env_file.exists()
    assert not (machine.root / ".local/store").exists()


def test_delete_without_a_terminal_and_without_yes_is_refused(machine, capsys):
    cli.run(["up"])
    assert cli.run(["down", "--delete"]) == 2
    assert "there is no terminal to ask on, so nothing was deleted" in capsys.readouterr().err
    assert machine.buckets == {"test-in", "test-out"}


def test_yes_without_delete_is_refused(machine, capsys):
    assert cli.run(["down", "--yes"]) == 2
    assert "--yes confirms --delete" in capsys.readouterr().err


def test_an_environment_that_is_not_disposable_is_not_deleted(machine, capsys):
    machine.configure(disposable=False)
    cli.run(["up"])
    assert cli.run(DELETE) == 2
    said = capsys.readouterr().err
    assert "local is not disposable, so nothing was deleted" in said
    assert "`mpr-storage:disposable: true` in environments/Pulumi.local.yaml" in said
    assert "`python -m infra down --delete --keep-buckets local`" in said
    assert machine.env_file.exists()
    assert machine.buckets == {"test-in", "test-out"}


def test_keep_buckets_ends_an_environment_and_leaves_its_buckets_to_the_next(machine, capsys):
    machine.configure(disposable=False)
    cli.run(["up"])
    machine.store.s3.put_object(Bucket="test-in", Key="a", Body=b"precious")
    assert cli.run([*DELETE, "--keep-buckets"]) == 0
    said = capsys.readouterr().out
    assert "bucket test-in stays with 1 object (8 bytes)\n" in said
    assert "the store continues to run, with test-in, test-out; `python -m infra down` stops it" in said
    assert not machine.env_file.exists()
    assert machine.buckets == {"test-in", "test-out"}
    users = [user["UserName"] for user in machine.store.iam.list_users()["Users"]]
    assert [user for user in users if user.startswith("mpr-")] == []
    assert cli.run(["up"]) == 0
    assert machine.store.s3.get_object(Bucket="test-in", Key="a")["Body"].read() == b"precious"


def test_keep_buckets_without_delete_is_refused(machine, capsys):
    assert cli.run(["down", "--keep-buckets"]) == 2
    assert "--keep-buckets needs --delete" in capsys.readouterr().err
    assert not (machine.root / ".local").exists()


@pytest.mark.flow
def test_delete_keeps_what_another_environment_has_in_the_same_store(machine, capsys):
    machine.configure("keep", disposable=False, buckets={"in": {"name": "keep-in"}, "out": {"name": "keep-out"}})
    cli.run(["up"])
    cli.run(["init", "keep"])
    machine.store.s3.put_object(Bucket="keep-in", Key="a", Body=b"precious")
    assert cli.run(DELETE) == 0
    assert "the store continues to run, with keep-in, keep-out" in capsys.readouterr().out
    assert machine.buckets == {"keep-in", "keep-out"}
    assert machine.store.s3.get_object(Bucket="keep-in", Key="a")["Body"].read() == b"precious"


def test_delete_keeps_a_bucket_that_init_found_and_names_it(machine, capsys):
    store.start()
    machine.store.s3.create_bucket(Bucket="test-in")
    for number in range(12):
        machine.store.s3.put_object(Bucket="test-in", Key=f"{number}", Body=b"x")
    cli.run(["init"])
    assert cli.run(DELETE) == 0
    said = capsys.readouterr().out
    assert "bucket test-in stays: nothing records that this environment created it. It holds 12 objects" in said
    assert "the store continues to run, with test-in;" in said
    assert "  bucket test-out: no objects" in said
    assert machine.buckets == {"test-in"}
    assert machine.store.s3.list_objects_v2(Bucket="test-in")["KeyCount"] == 12


def test_a_bucket_that_was_renamed_is_named_by_down_and_deleted_as_announced(machine, capsys):
    cli.run(["up"])
    machine.store.s3.put_object(Bucket="test-in", Key="a", Body=b"x")
    machine.configure(buckets={"in": {"name": "new-in"}, "out": {"name": "test-out"}})
    cli.run(["init"])
    capsys.readouterr()
    assert cli.run(["down"]) == 0
    assert "bucket test-in stays behind: environment local created it" in capsys.readouterr().out
    assert cli.run(DELETE) == 0
    said = capsys.readouterr().out
    assert "  bucket test-in, which the configuration no longer names: 1 object (1 byte)\n" in said
    assert "the store has no other bucket and is removed" in said


def test_delete_refuses_a_bucket_that_another_environment_uses(machine, capsys):
    machine.configure("other", buckets={"in": {"name": "test-in"}, "out": {"name": "other-out"}})
    cli.run(["up"])
    machine.store.s3.put_object(Bucket="test-in", Key="a", Body=b"x")
    assert cli.run(DELETE) == 2
    assert "environment other uses bucket test-in too, so nothing was deleted" in capsys.readouterr().err
    file = machine.root / "environments/Pulumi.other.yaml"
    file.write_text(file.read_text() + "  wrong: [\n")  # no YAML any more
    assert cli.run(DELETE) == 2
    assert "environment other uses bucket test-in too, so nothing was deleted" in capsys.readouterr().err
    assert machine.env_file.exists()
    assert machine.store.s3.list_objects_v2(Bucket="test-in")["KeyCount"] == 1
    assert cli.run([*DELETE, "--keep-buckets"]) == 0
    assert machine.buckets == {"test-in", "test-out"}


def test_delete_refuses_a_bucket_that_the_env_file_of_another_environment_names(machine, capsys):
    machine.configure("other", buckets={"in": {"name": "test-in"}, "out": {"name": "other-out"}})
    cli.run(["up"])
    cli.run(["up", "other"])
    (machine.root / "environments/Pulumi.other.yaml").unlink()
    assert cli.run(DELETE) == 2
    assert "environment other uses bucket test-in too, so nothing was deleted" in capsys.readouterr().err


def test_delete_deletes_the_access_keys_of_identities_that_are_no_longer_configured(machine, capsys):
    machine.configure(identities=["app", "viewer"])
    cli.run(["init"]) if store.find() else cli.run(["up"])
    file = stack_files.ENVIRONMENTS / "local.viewer.env"
    stored = file.read_text()
    machine.configure(identities=["app"])
    capsys.readouterr()
    assert cli.run(["init"]) == 0
    assert "identity viewer: is no longer configured, but its access key still works" in capsys.readouterr().out
    assert file.read_text() == stored
    assert cli.run([*DELETE, "--keep-buckets"]) == 0
    assert "the access keys and env files of app, viewer" in capsys.readouterr().out
    assert not file.exists()
    users = machine.store.iam.list_users()["Users"]
    assert not [user for user in users if "viewer" in user["UserName"]]


def test_delete_during_a_rotation_removes_both_env_files_but_keeps_one_that_was_edited(machine, capsys):
    cli.run(["up"])
    second = stack_files.ENVIRONMENTS / "local.b.env"
    second.write_text(machine.env_file.read_text())
    machine.env_file.write_text(machine.env_file.read_text() + "# mine\n")
    assert cli.run(DELETE) == 0
    assert "local.env is not as mpr-storage wrote it, and stays" in capsys.readouterr().out
    assert (machine.env_file.exists(), second.exists()) == (True, False)


@pytest.mark.flow
def test_delete_keeps_a_bucket_that_another_disposable_environment_created(machine):
    machine.configure("other", buckets={"in": {"name": "test-in"}, "out": {"name": "other-out"}})
    cli.run(["up"])
    cli.run(["init", "other"])
    assert cli.run([*DELETE, "other"]) == 0
    store.start()
    assert machine.buckets == {"test-in", "test-out"}


class TestStoreOfItsOwn:
    """An environment on a store that this command does not start or stop."""

    @pytest.fixture
    def admin(self, seaweed, monkeypatch):
        monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", seaweed.access_key_id)
        monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", seaweed.secret_access_key)
        return Store(seaweed.endpoint, "us-east-1", AccessKey(seaweed.access_key_id, seaweed.secret_access_key))

    @pytest.fixture
    def buckets(self, admin) -> Iterator[dict[str, dict[str, str]]]:
        names = [f"t{uuid.uuid4().hex[:12]}" for _ in range(2)]
        yield {role: {"name": name} for role, name in zip(("in", "out"), names, strict=True)}
        for name in names:
            remove_bucket(admin.s3, name)

    @pytest.mark.flow
    def test_delete_removes_its_buckets_and_leaves_the_others(self, machine, admin, buckets, new_bucket):
        other = new_bucket(admin)
        machine.configure("gone", endpoint=admin.endpoint, buckets=buckets)
        assert cli.run(["up", "gone"]) == 0
        assert store.find() is None, "the embedded store is not started"
        assert cli.run([*DELETE, "gone"]) == 0
        left = {bucket.get("Name") for bucket in admin.s3.list_buckets()["Buckets"]}
        assert other in left
        assert not left & {bucket["name"] for bucket in buckets.values()}
        assert not list((machine.root / "environments").glob("*.env"))

    @pytest.mark.flow
    def test_down_has_nothing_to_stop_and_deletes_nothing(self, machine, admin, buckets, capsys):
        machine.configure("kept", endpoint=admin.endpoint, buckets=buckets)
        cli.run(["init", "kept"])
        assert cli.run(["down", "kept"]) == 0
        assert "kept is not on the embedded store, so there is nothing to stop" in capsys.readouterr().out
        assert (machine.root / "environments/kept.env").exists()
        admin.s3.head_bucket(Bucket=buckets["in"]["name"])


@pytest.mark.minio
def test_delete_on_minio_deletes_its_own_bucket_and_keeps_the_one_that_existed(
    minio_environment, new_bucket, monkeypatch, capsys
):
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(stack_files, "ROOT", minio_environment.folder.parent)
    existing = new_bucket(minio_environment.store)
    minio_environment.store.s3.put_object(Bucket=existing, Key="a", Body=b"precious")
    minio_environment.values["buckets"]["in"] = {"name": existing}
    minio_environment.values.update(identities=["app"], disposable=True)
    minio_environment.save()
    minio_environment.initialise()
    assert cli.run([*DELETE, minio_environment.name]) == 0
    assert f"bucket {existing} stays" in capsys.readouterr().out
    left = {bucket.get("Name") for bucket in minio_environment.store.s3.list_buckets()["Buckets"]}
    assert existing in left
    assert f"{minio_environment.name}-out" not in left


# --- what the engine and the clouds add -----------------------------------------------------------------


class Deployed(engine.Engine):
    """A double of the engine with a state; what the real one does is in tests/engine."""

    state: list[dict[str, object]]

    def deployed(self, _environment: str) -> engine.Deployed:
        return engine.Deployed({}, None)

    def resources(self, _environment: str) -> list[dict[str, object]]:
        return self.state

    def destroy(self, environment: str) -> None:
        print(f"destroyed {environment}")  # noqa: T201  # what the test looks for


@pytest.fixture
def in_state(machine, monkeypatch) -> Callable[[dict[str, bool | None]], None]:
    """Have the engine's state hold these buckets, and whether the environment created them."""

    def hold(buckets: dict[str, bool | None]) -> None:
        kind = "pulumi-python:dynamic/storage:Bucket"
        found = Deployed("pulumi", {}, own_state=True)
        state = [{"type": kind, "outputs": {"name": name, "created": own}} for name, own in buckets.items()]
        object.__setattr__(found, "state", [*state, {"type": "pulumi:pulumi:Stack"}])
        monkeypatch.setattr(engine, "find", lambda: found)

    return hold


@pytest.fixture
def in_cloud() -> Callable[[Mapping[str, bool]], Deployed]:
    """Return an engine whose state has these buckets of a cloud, each with whether it was adopted."""

    def hold(buckets: Mapping[str, bool]) -> Deployed:
        found = Deployed("pulumi", {}, own_state=True)
        outputs = [{"name": name, "adopted": adopted} for name, adopted in buckets.items()]
        state = [{"type": "mpr-storage:index:Bucket", "outputs": output} for output in outputs]
        object.__setattr__(found, "state", [*state, {"type": "pulumi:pulumi:Stack"}])
        return found

    return hold


@pytest.mark.flow
def test_the_state_counts_where_a_bucket_has_no_tag(machine, in_state, capsys):
    store.start()
    for name in ("test-in", "test-out", "renamed"):
        machine.store.s3.create_bucket(Bucket=name)
    in_state({"test-in": True, "test-out": False, "renamed": True, "gone": True})
    assert cli.run(DELETE) == 0
    said = capsys.readouterr().out
    assert "  bucket test-in: no objects\n" in said
    assert "  bucket renamed, which the configuration no longer names: no objects\n" in said
    assert "bucket test-out existed before this environment and holds no objects: it stays" in said
    assert "destroyed local" in said
    store.start()
    assert machine.buckets == {"test-out"}


def test_in_a_cloud_the_buckets_of_the_env_files_are_counted(seaweed_environment, monkeypatch):
    seaweed_environment.values["identities"] = ["app", "viewer"]
    seaweed_environment.initialise()
    name = seaweed_environment.name
    seaweed_environment.store.s3.put_object(Bucket=f"{name}-in", Key="a", Body=b"123")
    planned = deletion.plan_for(seaweed_environment.config, None, None)
    assert set(planned.deleted) == {f"{name}-in", f"{name}-out"}
    held = planned.deleted[f"{name}-in"]
    assert held
    assert (held.objects, held.size) == (1, 3)


@pytest.mark.parametrize(("by", "keep"), [("state", False), ("configuration", False), (None, True)])
def test_in_a_cloud_adopted_buckets_and_those_to_keep_stay(seaweed_environment, in_cloud, by, keep):
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.initialise()
    buckets = [f"{seaweed_environment.name}-{role}" for role in ("in", "out")]
    config = replace(seaweed_environment.config, adopt=by == "configuration")
    planned = deletion.plan_for(
        config, None, in_cloud(dict.fromkeys(buckets, True) if by == "state" else {}), keep_buckets=keep
    )
    assert planned.deleted == {}
    reason = "stays with" if keep else "existed before this environment and holds"
    assert [f"bucket {name} {reason} no objects" in planned.kept[name] for name in buckets] == [True, True]
    said = list(deletion.sentences(config, planned, config.names, keep_buckets=keep))
    assert said[-2:] == list(planned.kept.values())


def test_in_a_cloud_a_bucket_that_only_the_state_names_is_announced(seaweed_environment, in_cloud):
    config = replace(seaweed_environment.config, target="aws")
    planned = deletion.plan_for(config, None, in_cloud({"media-out": False}))
    assert (planned.deleted, planned.kept) == ({"media-out": None}, {})
    said = list(deletion.sentences(config, planned, config.names))
    assert "  bucket media-out: its objects could not be counted" in said


def test_in_a_cloud_adopt_says_nothing_of_a_bucket_that_the_state_has_as_created(seaweed_environment, in_cloud):
    config = replace(seaweed_environment.config, target="aws", adopt=True)
    planned = deletion.plan_for(config, None, in_cloud({"media-in": True, "media-out": False}))
    assert (list(planned.deleted), list(planned.kept)) == (["media-out"], ["media-in"])


def test_where_only_empty_buckets_can_be_deleted_nothing_is_deleted_before_they_are_empty():
    r2 = parse("prod", {"target": "r2", "account": "0" * 32, "disposable": True}, "here")
    with pytest.raises(UsageError, match=r"r2 deletes only empty buckets, .*the objects in media \(2 objects\),"):
        down._require_empty(r2, {"media": Contents(2), "frames": Contents(), "other": None})
    down._require_empty(r2, {"media": Contents(), "frames": None})
    aws = parse("prod", {"target": "aws", "region": "eu-west-1", "disposable": True}, "here")
    down._require_empty(aws, {"media": Contents(2)})


def test_what_could_not_be_counted_is_said(seaweed_environment):
    planned = deletion.Deletion({"media": None, "frames": Contents()}, {})
    said = list(deletion.sentences(seaweed_environment.config, planned, []))
    assert said[1:3] == ["  bucket media: its objects could not be counted", "  bucket frames: no objects"]
