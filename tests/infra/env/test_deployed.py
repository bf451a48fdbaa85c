"""`env --check` and `--write` for environments that `init` made, without Pulumi: from the store itself."""

from __future__ import annotations

import json
import shutil

import pytest

from infra import cli
from infra.config import stack_files
from infra.env import files
from infra.local import engine
from tests.infra.conftest import Environment


@pytest.fixture
def made(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment that `init` made on each real store, on a machine without Pulumi."""
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(stack_files, "ROOT", environment.folder.parent)
    environment.values["identities"] = ["app", "viewer"]
    environment.save()
    environment.initialise()
    return environment


def run(environment: Environment, capsys, *arguments: str) -> tuple[int, str, str]:
    keys = [files.access_key(file) for file in environment.folder.glob("*.env")]
    code = cli.run(["env", environment.name, *arguments])
    out, err = capsys.readouterr()
    assert not [key for key in keys if key and key.secret_access_key in out + err]
    return code, out.replace(f"{environment.folder}/", ""), err


def test_a_new_environment_agrees_and_is_written_unchanged(made: Environment, capsys):
    name = made.name
    assert run(made, capsys, "--check") == (0, f"{name}.env: as deployed\n{name}.viewer.env: as deployed\n", "")
    assert run(made, capsys, "--write", "--json")[:2] == (
        0,
        f'{{"{name}.env": "unchanged", "{name}.viewer.env": "unchanged"}}\n',
    )


def test_a_changed_setting_is_found_and_written_with_the_key_of_the_file(made: Environment, capsys):
    key = files.access_key(made.file("app"))
    made.values["publicEndpoint"] = "https://media.example"
    made.save()
    code, out, err = run(made, capsys, "--check")
    assert code == 1
    line = f"differs (S3_PUBLIC_ENDPOINT_URL); `python -m infra env {made.name} --write` writes it"
    assert out.splitlines()[0] == f"{made.name}.env: {line}"
    assert "2 of 2 env files differ from what is deployed" in err
    assert run(made, capsys, "--write")[0] == 0
    assert files.access_key(made.file("app")) == key
    assert run(made, capsys, "--check")[0] == 0


def test_a_lost_file_cannot_be_written_and_the_sentence_says_what_makes_a_new_key(made: Environment, capsys):
    made.file("app").unlink()
    made.values["publicEndpoint"] = "https://media.example"
    made.save()
    init = f"`python -m infra init {made.name}`"
    code, out, _ = run(made, capsys, "--check")
    assert (code, out.splitlines()[0]) == (
        1,
        f"{made.name}.env: is missing; {init} writes it, with a new access key if no file here holds one",
    )
    code, out, err = run(made, capsys, "--write")
    assert (code, out) == (1, f"env file {made.name}.viewer.env: written\n")
    assert "the env file of app was not written: no file here holds an access key that the store accepts" in err
    assert f"{init} makes a new one" in err
    assert not made.file("app").exists()


@pytest.mark.parametrize("change", ["delete", "deactivate"])
def test_a_key_that_the_store_refuses_is_found_and_not_written(made: Environment, capsys, change):
    key = files.access_key(made.file("app"))
    assert key
    manager, user = made.server.manager, f"mpr-{made.name}-app"
    if change == "delete":
        manager.delete_key(made.store, user, key.access_key_id)
    else:
        manager.set_active(made.store, user, key.access_key_id, active=False)
    code, out, _ = run(made, capsys, "--check", "--json")
    app, viewer = json.loads(out)
    assert (code, app["reasons"], viewer["reasons"]) == (1, ["rotated"], [])
    assert "init" in app["next"]
    before = made.file("app").read_bytes()
    assert run(made, capsys, "--write")[0] == 1
    assert made.file("app").read_bytes() == before


def test_a_lost_file_is_written_from_that_of_its_slot(made: Environment, capsys):
    """An interruption can leave the key of the primary slot in the file of the slot alone."""
    main = made.file("app")
    shutil.move(main, files.slot_file(main, "a"))
    assert run(made, capsys, "--write")[0] == 0
    assert files.access_key(main)
    assert run(made, capsys, "--check")[0] == 0


def test_a_step_of_a_rotation_is_left_to_init(made: Environment, capsys):
    made.values["slots"] = {"app": {"current": "a", "step": "start"}}
    made.save()
    made.initialise()
    made.values["slots"] = {"app": {"current": "b", "step": "switch"}}
    made.save()
    before = made.file("app").read_bytes()
    code, _, err = run(made, capsys, "--write")
    assert (code, made.file("app").read_bytes()) == (1, before)
    assert f"`python -m infra init {made.name}`" in err


def test_an_edited_file_is_left_and_named(made: Environment, capsys):
    file = made.file("app")
    file.write_text(file.read_text() + "MORE=1\n")
    code, out, _ = run(made, capsys, "--check")
    assert code == 1
    assert "was edited by hand (MORE); put the change into" in out
    assert f"move it away, then `python -m infra init {made.name}` writes it" in out
    assert run(made, capsys, "--write")[0] == 2


def test_what_was_never_deployed_is_said(made: Environment, capsys):
    for name in ("app", "viewer"):
        made.server.manager.delete_identity(made.store, f"mpr-{made.name}-{name}")
    code, out, err = run(made, capsys, "--check")
    assert (code, out) == (1, "")
    assert f"{made.name} is not deployed; `python -m infra init {made.name}` or `pulumi up" in err


def test_an_identity_that_is_not_deployed_is_said(made: Environment, capsys):
    made.values["identities"] = ["app", "viewer", "ingest"]
    made.save()
    code, out, _ = run(made, capsys, "--check")
    assert code == 1
    assert f"its identity is not deployed; `python -m infra init {made.name}` deploys it" in out


def test_externally_managed_keys_are_written(seaweed_environment: Environment, capsys, monkeypatch):
    made = seaweed_environment
    monkeypatch.setattr(engine, "find", lambda: None)
    made.values["identities"] = ["app"]
    made.initialise()
    key = files.access_key(made.file("app"))
    assert key
    made.file("app").unlink()
    monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", key.secret_access_key)
    monkeypatch.setitem(made.values, "credentials", "static")
    made.save()
    assert run(made, capsys, "--write")[0] == 0
    assert files.access_key(made.file("app")) == key


def test_a_store_that_does_not_respond_has_exit_code_3(made: Environment, capsys, refusing):
    made.values["endpoint"], endpoint = refusing, made.values["endpoint"]
    made.save()
    assert run(made, capsys, "--check")[0] == 3
    made.values["endpoint"] = endpoint


def test_a_missing_file_is_not_converted_and_init_is_named(made: Environment, capsys):
    made.file("app").unlink()
    code, _, err = run(made, capsys, "--format", "json")
    assert code == 3
    assert f"`python -m infra init {made.name}` writes it without Pulumi, with a new access key" in err
