"""Rotations on real stores by the command, without the engine; with it: tests/engine/test_rotate.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.storage._boto.clients import forget_clients
from core.storage._config import live_keys
from infra import cli
from infra.config import stack_files
from infra.config.load import load_environment, parse
from infra.env import files, key_info
from infra.errors import InfraError
from infra.local import engine, up
from infra.local.folder import local_folder
from infra.local.lock import locked
from infra.rotate import guards
from infra.stores.access_key import AccessKey
from infra.stores.keys import is_accepted
from tests.infra._deployed import emptied
from tests.infra.conftest import Environment
from tests.load import full_load


@pytest.fixture(autouse=True)
def _without_engine(monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(engine, "install", lambda _: None)
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)


@pytest.fixture(
    params=["seaweed", pytest.param("minio", marks=[pytest.mark.minio, pytest.mark.flow])],
)
def environment(request: pytest.FixtureRequest) -> Environment:
    """Return the environment on each real store in turn."""
    environment: Environment = request.getfixturevalue(f"on_{request.param}")
    return environment


@pytest.fixture
def rotate(environment: Environment, capsys) -> Callable[..., str]:
    """Return a function that runs the command, checks its exit code, and returns what it printed."""

    def run(*arguments: str, code: int = 0) -> str:
        assert cli.run(["rotate", environment.name, *arguments]) == code, capsys.readouterr().err
        output = capsys.readouterr()
        return f"{output.out}{output.err}"

    return run


def ids(environment: Environment) -> list[str]:
    return list(environment.server.manager.access_keys(environment.store, f"mpr-{environment.name}-app"))


def slots(environment: Environment, identity: str = "app") -> tuple[str, str | None]:
    state = load_environment(environment.name).slots_of(identity)
    return state.current, state.step


def key(environment: Environment, identity: str = "app") -> AccessKey:
    access_key = files.access_key(environment.file(identity))
    assert access_key
    return access_key


def secondary(environment: Environment, slot: Any) -> AccessKey:
    access_key = files.access_key(files.slot_file(environment.file("app"), slot))
    assert access_key
    return access_key


def test_a_rotation_ends_with_a_new_key_that_works_and_the_old_one_deleted(environment: Environment, rotate):
    old, viewer = key(environment), key(environment, "viewer")

    output = rotate("app")
    assert "start: app: a second key is created and checked" in output
    assert "app: next is switch" in output
    assert slots(environment) == ("a", "start")
    new = secondary(environment, "b")
    assert key(environment) == old
    assert is_accepted(environment.store, old)
    assert is_accepted(environment.store, new)

    rotate("app")
    assert slots(environment) == ("b", "switch")
    assert (key(environment), secondary(environment, "a")) == (new, old)
    assert not files.slot_file(environment.file("app"), "b").exists()
    assert is_accepted(environment.store, old)

    rotate("app")
    assert slots(environment) == ("b", "retire")
    assert not is_accepted(environment.store, old)
    assert is_accepted(environment.store, new)

    assert "may still be in use: finish from" in rotate("app", code=1)
    assert slots(environment) == ("b", "retire")
    rotate("app", "--soak", "0")
    assert slots(environment) == ("b", None)
    assert ids(environment) == [new.access_key_id]
    assert sorted(file.name for file in environment.folder.glob("*.env")) == [
        f"{environment.name}.env",
        f"{environment.name}.viewer.env",
    ]
    assert key_info.read(environment.file("app")).slot == "b"
    assert (slots(environment, "viewer"), key(environment, "viewer")) == (("a", None), viewer)


@pytest.mark.flow
def test_abort_undoes_every_step_but_the_last(environment: Environment, rotate):
    old = key(environment)
    rotate("app", "--to", "retire")
    new = key(environment)
    assert "the old key works again" in rotate("app", "--abort")
    assert is_accepted(environment.store, old)
    assert slots(environment) == ("b", "switch")
    assert "the env file holds the old key again" in rotate("app", "--abort")
    assert (key(environment), secondary(environment, "b")) == (old, new)
    assert is_accepted(environment.store, new)  # a program may have read it
    assert "the new key is deleted" in rotate("app", "--abort")
    assert slots(environment) == ("a", None)
    assert ids(environment) == [old.access_key_id]
    assert "there is nothing to undo" in rotate("app", "--abort", code=2)


@pytest.fixture
def worker(environment: Environment, rotate, tmp_path, monkeypatch) -> Iterator[None]:
    """Run programs at full load with the env file alone, and check that no request fails."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "S3_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S3_ENV_FILE", str(environment.file("app")))
    monkeypatch.setattr(live_keys, "LOOK_EVERY", 0.05)
    with emptied(environment), full_load(f"{environment.name}-out", tmp_path, threads=3) as load:
        yield
    forget_clients()
    assert load.errors == []
    assert min(load.done) > 5


@pytest.mark.flow
@pytest.mark.usefixtures("worker")
def test_no_request_of_a_running_program_fails(environment: Environment, rotate):
    old = key(environment)
    for _ in range(3):
        rotate("app")
    rotate("app", "--soak", "0")
    assert not is_accepted(environment.store, old)


class TestOnSeaweed:
    """Tests that do not depend on the store."""

    @pytest.fixture
    def environment(self, on_seaweed: Environment) -> Environment:
        return on_seaweed

    @pytest.mark.flow
    def test_a_second_rotation_comes_back_to_the_first_slot(self, environment, rotate):
        first = key(environment)
        rotate("app", "--to", "finish", "--soak", "0")
        second = key(environment)
        rotate("app", "--to", "finish", "--soak", "0")
        assert slots(environment) == ("a", None)
        assert len({first, second, key(environment)}) == 3

    @pytest.mark.flow
    def test_rotating_all_identities_brings_those_behind_to_the_same_step(self, environment, rotate):
        rotate("app")
        rotate()
        assert (slots(environment), slots(environment, "viewer")) == (("a", "start"), ("a", "start"))
        rotate()
        assert (slots(environment), slots(environment, "viewer")) == (("b", "switch"), ("b", "switch"))

    def test_a_key_that_fails_the_check_is_not_switched_to(self, environment, rotate):
        rotate("app")
        before = environment.file("app").read_bytes()
        new = secondary(environment, "b")
        environment.server.manager.delete_key(environment.store, f"mpr-{environment.name}-app", new.access_key_id)
        output = rotate("app", code=1)
        assert "the new key could not be checked (" in output
        assert "so nothing was switched" in output
        assert environment.file("app").read_bytes() == before
        assert slots(environment) == ("a", "start")

    @pytest.mark.flow
    def test_a_key_with_a_right_too_many_is_not_switched_to(self, environment, rotate):
        rotate("viewer")
        wider = load_environment(environment.name).identities[0]
        assert wider.name == "app"
        app = environment.server.manager.read_identity(environment.store, f"mpr-{environment.name}-app")
        environment.server.manager.ensure_identity(environment.store, f"mpr-{environment.name}-viewer", app)
        output = rotate("viewer", code=1)
        assert "the new key failed the access check" in output
        assert "viewer, in: put is allowed, must be denied" in output
        assert slots(environment, "viewer") == ("a", "start")

    @pytest.mark.flow
    def test_a_key_that_is_activated_again_must_pass_the_access_check(self, environment, rotate, monkeypatch):
        rotate("viewer", "--to", "retire")
        store, manager = environment.store, environment.server.manager

        def deploy_and_widen(*arguments: Any) -> None:
            up.deploy(*arguments)
            app = manager.read_identity(store, f"mpr-{environment.name}-app")
            manager.ensure_identity(store, f"mpr-{environment.name}-viewer", app)

        monkeypatch.setattr("infra.rotate.rotation.deploy", deploy_and_widen)
        output = rotate("viewer", "--abort", code=1)
        assert "the old key, which is active again, failed the access check" in output
        assert "viewer, in: put is allowed, must be denied" in output
        assert "run this without --abort to deactivate it" in output
        assert slots(environment, "viewer") == ("b", "switch")

    @pytest.mark.flow
    def test_a_step_that_was_not_deployed_is_deployed_by_the_next_run(self, environment, rotate, monkeypatch):
        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("infra.rotate.rotation.deploy", killed)
            rotate("app", code=130)
        assert slots(environment) == ("a", "start")
        assert not files.slot_file(environment.file("app"), "b").exists()
        output = rotate("app")
        assert "deploying that first" in output
        assert slots(environment) == ("b", "switch")

    def test_a_store_that_refuses_leaves_the_stack_file_as_it_is(self, environment, rotate, monkeypatch):
        before = stack_files.path(environment.name).read_text()
        monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "wrong")
        output = rotate("app", code=2)
        assert "does not accept the admin key" in output
        assert "is not deployed" not in output
        assert stack_files.path(environment.name).read_text() == before

    def test_a_deployment_that_fails_names_the_step_of_the_rotation(self, rotate, monkeypatch):
        def refuse(*_: object) -> None:
            raise InfraError("refused")

        monkeypatch.setattr("infra.rotate.rotation.deploy", refuse)
        output = rotate("app", code=1)
        assert (
            "is not deployed: run the same command again to continue, or undo the last step with --abort" in output
        )

    def test_a_rotation_is_refused_while_another_one_runs(self, environment, rotate):
        local_folder().mkdir(exist_ok=True)
        with locked(local_folder() / f"rotate-{environment.name}.lock"):
            assert "is running; run this command again" in rotate("app", code=2)

    def test_an_unknown_identity_and_externally_managed_keys_are_refused(self, environment, rotate):
        assert "has no identity 'vewer'; did you mean viewer?" in rotate("vewer", code=2)
        environment.values.update(credentials="static", identities=["app"])
        environment.save()
        assert "the access keys are externally managed" in rotate(code=2)

    def test_options_that_exclude_each_other_are_refused(self, rotate):
        assert "use exactly one of --to, --abort and --status" in rotate("--to", "switch", "--abort", code=2)
        assert "--json needs --status" in rotate("--json", code=2)
        assert "soon is not a duration" in rotate("--soak", "soon", code=2)

    @pytest.mark.flow
    def test_status_shows_no_key(self, environment, rotate):
        rotate("app", "--to", "switch")
        output = rotate("--status")
        rows = json.loads(rotate("--status", "--json"))
        assert "next: retire" in output
        assert [[row[name] for name in ("identity", "slot", "step", "next", "age_days")] for row in rows] == [
            ["app", "b", "switch", "retire", 0],
            ["viewer", "a", None, "start", 0],
        ]
        for access_key in (key(environment), secondary(environment, "a")):
            assert access_key.access_key_id not in output + json.dumps(rows)
            assert access_key.secret_access_key not in output + json.dumps(rows)

    @pytest.mark.flow
    def test_a_step_that_was_taken_is_not_taken_again(self, environment, rotate):
        rotate("app", "--to", "switch")
        assert "nothing is left to do up to start; the next step is retire" in rotate("app", "--to", "start")
        assert slots(environment) == ("b", "switch")


@pytest.mark.parametrize(
    ("used_ago", "stepped_ago", "refusal"),
    [
        (None, timedelta(hours=1), "may still be in use: finish from"),
        (None, timedelta(hours=25), None),
        (timedelta(hours=1), timedelta(hours=25), "was used at"),
        (timedelta(hours=25), timedelta(hours=1), None),
    ],
)
def test_an_old_key_that_was_used_recently_is_not_deleted(used_ago, stepped_ago, refusal):
    now = datetime.now(UTC)
    slots = {"current": "b", "step": "retire", "since": f"{now - stepped_ago:%Y-%m-%dT%H:%M:%SZ}"}
    values = {"target": "aws", "region": "eu-west-1", "slots": {"app": slots}}
    config = parse("test", values, "test")
    used = now - used_ago if used_ago else None
    with pytest.raises(InfraError, match=refusal) if refusal else nullcontext():
        guards._require_unused(config, "app", used, timedelta(days=1))
