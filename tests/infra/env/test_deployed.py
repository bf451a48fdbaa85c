"""`env --check` and `--write` for environments that `init` initialised, without Pulumi: from the store itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from core.storage.settings import Settings
from infra import cli
from infra.env import files
from infra.env.stack import Stack
from infra.local import engine
from infra.stores.keys import is_accepted
from tests.infra.conftest import Environment
from tests.waiting import wait_until


def run(environment: Environment, capsys, *arguments: str) -> tuple[int, str, str]:
    keys = [files.access_key(file) for file in environment.folder.glob("*.env")]
    code = cli.run(["env", environment.name, *arguments])
    out, err = capsys.readouterr()
    assert not [key for key in keys if key and key.secret_access_key in out + err]
    return code, out.replace(f"{environment.folder}/", ""), err


def test_a_new_environment_agrees_and_is_written_unchanged(initialised: Environment, capsys):
    name = initialised.name
    assert run(initialised, capsys, "--check") == (
        0,
        f"{name}.env: as deployed\n{name}.viewer.env: as deployed\n",
        "",
    )
    assert run(initialised, capsys, "--write", "--json")[:2] == (
        0,
        f'{{"{name}.env": "unchanged", "{name}.viewer.env": "unchanged"}}\n',
    )


def test_a_changed_setting_is_found_and_written_with_the_key_of_the_file(initialised: Environment, capsys):
    key = files.access_key(initialised.file("app"))
    initialised.values["publicEndpoint"] = "https://media.example"
    initialised.save()
    code, out, err = run(initialised, capsys, "--check")
    assert code == 1
    line = f"different (S3_PUBLIC_ENDPOINT_URL); `python -m infra env {initialised.name} --write` writes it"
    assert out.splitlines()[0] == f"{initialised.name}.env: {line}"
    assert "2 of 2 env files differ from what is deployed" in err
    assert run(initialised, capsys, "--write")[0] == 0
    assert files.access_key(initialised.file("app")) == key
    assert run(initialised, capsys, "--check")[0] == 0


def test_a_lost_file_cannot_be_written_and_the_message_says_how_to_get_a_new_key(initialised: Environment, capsys):
    initialised.file("app").unlink()
    initialised.values["publicEndpoint"] = "https://media.example"
    initialised.save()
    init = f"`python -m infra init {initialised.name}`"
    code, out, _ = run(initialised, capsys, "--check")
    assert (code, out.splitlines()[0]) == (
        1,
        f"{initialised.name}.env: missing; {init} writes it, with a new access key if no file here holds one",
    )
    code, out, err = run(initialised, capsys, "--write")
    assert (code, out) == (1, f"env file {initialised.name}.viewer.env: written\n")
    assert "the env file of app was not written: no file here holds an access key that the store accepts" in err
    assert f"{init} makes a new one" in err
    assert not initialised.file("app").exists()


@pytest.mark.parametrize("change", ["delete", "deactivate"])
def test_a_key_that_the_store_refuses_is_found_and_not_written(initialised: Environment, capsys, change):
    key = files.access_key(initialised.file("app"))
    assert key
    manager, user = initialised.server.manager, f"mpr-{initialised.name}-app"
    if change == "delete":
        manager.delete_key(initialised.store, user, key.access_key_id)
    else:
        manager.set_active(initialised.store, user, key.access_key_id, active=False)
    code, out, _ = run(initialised, capsys, "--check", "--json")
    app, viewer = json.loads(out)
    assert (code, app["reasons"], viewer["reasons"]) == (1, ["rotated"], [])
    assert "init" in app["next"]
    before = initialised.file("app").read_bytes()
    assert run(initialised, capsys, "--write")[0] == 1
    assert initialised.file("app").read_bytes() == before


def test_a_lost_file_is_written_from_that_of_its_slot(initialised: Environment, capsys):
    """An interruption can leave the key of the primary slot in the file of the slot alone."""
    main = initialised.file("app")
    shutil.move(main, files.slot_file(main, "a"))
    assert run(initialised, capsys, "--write")[0] == 0
    assert files.access_key(main)
    assert run(initialised, capsys, "--check")[0] == 0


def test_a_step_of_a_rotation_is_left_to_init(initialised: Environment, capsys):
    initialised.values["slots"] = {"app": {"current": "a", "step": "start"}}
    initialised.save()
    initialised.initialise()
    initialised.values["slots"] = {"app": {"current": "b", "step": "switch"}}
    initialised.save()
    before = initialised.file("app").read_bytes()
    code, _, err = run(initialised, capsys, "--write")
    assert (code, initialised.file("app").read_bytes()) == (1, before)
    assert f"`python -m infra init {initialised.name}`" in err


def test_an_edited_file_is_left_and_named(initialised: Environment, capsys):
    file = initialised.file("app")
    file.write_text(file.read_text() + "MORE=1\n")
    code, out, _ = run(initialised, capsys, "--check")
    assert code == 1
    assert "edited by hand (MORE); put the change into" in out
    assert f"move it away, then `python -m infra init {initialised.name}` writes it" in out
    assert run(initialised, capsys, "--write")[0] == 2


def test_what_was_never_deployed_is_said(initialised: Environment, capsys):
    for name in ("app", "viewer"):
        initialised.server.manager.delete_identity(initialised.store, f"mpr-{initialised.name}-{name}")
    code, out, err = run(initialised, capsys, "--check")
    assert (code, out) == (1, "")
    assert f"{initialised.name} is not deployed; `python -m infra init {initialised.name}` or `pulumi up" in err


def test_an_identity_that_is_not_deployed_is_said(initialised: Environment, capsys):
    initialised.values["identities"] = ["app", "viewer", "ingest"]
    initialised.save()
    code, out, _ = run(initialised, capsys, "--check")
    assert code == 1
    assert f"of an identity that is not deployed; `python -m infra init {initialised.name}` deploys it" in out


def test_externally_managed_keys_are_written(seaweed_environment: Environment, capsys, monkeypatch):
    environment = seaweed_environment
    monkeypatch.setattr(engine, "find", lambda: None)
    environment.values["identities"] = ["app"]
    environment.initialise()
    key = files.access_key(environment.file("app"))
    assert key
    environment.file("app").unlink()
    monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", key.secret_access_key)
    monkeypatch.setitem(environment.values, "credentials", "static")
    environment.save()
    assert run(environment, capsys, "--write")[0] == 0
    assert files.access_key(environment.file("app")) == key


def test_a_store_that_does_not_respond_has_exit_code_3(initialised: Environment, capsys, refusing):
    initialised.values["endpoint"], endpoint = refusing, initialised.values["endpoint"]
    initialised.save()
    assert run(initialised, capsys, "--check")[0] == 3
    initialised.values["endpoint"] = endpoint


def test_a_missing_file_is_not_converted_and_init_is_named(initialised: Environment, capsys):
    initialised.file("app").unlink()
    code, _, err = run(initialised, capsys, "--format", "json")
    assert code == 3
    assert f"`python -m infra init {initialised.name}` writes it without Pulumi, with a new access key" in err


def _with_state(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, app: Settings, key_ids: set[str]
) -> None:
    """Have the state of a stack hold these settings of `app`, and access keys with these IDs."""
    viewer = files.load(environment.file("viewer"), environment.name)
    stack = Stack({"app": app, "viewer": viewer}, None)
    monkeypatch.setattr("infra.env.deployed.engine.find_with_state", object)
    monkeypatch.setattr("infra.env.deployed.stack.find", lambda *_: stack)
    monkeypatch.setattr("infra.env.deployed.state_keys.key_ids", lambda *_: dict(enumerate(key_ids)))


def test_a_key_of_the_state_that_the_store_refuses_is_not_written(initialised: Environment, capsys, monkeypatch):
    """`init` has replaced the access key in the state of the stack."""
    app = replace(files.load(initialised.file("app"), initialised.name), access_key_id="AKIAREPLACED")
    _with_state(initialised, monkeypatch, app, {"AKIAREPLACED"})
    before = initialised.file("app").read_bytes()
    code, out, _ = run(initialised, capsys, "--check", "--json")
    results = json.loads(out)
    assert (code, [result["reasons"] for result in results]) == (1, [["refused", "rotated"], []])
    assert results[0]["next"] == f"`python -m infra up {initialised.name}` deploys it"
    code, out, err = run(initialised, capsys, "--write")
    assert (code, out) == (1, f"env file {initialised.name}.viewer.env: written\n")
    assert "the env file of app was not written: the store refuses the access key in the state" in err
    assert initialised.file("app").read_bytes() == before


@pytest.mark.parametrize("is_known", [False, True])
def test_a_key_that_works_is_replaced_only_by_another_slot_of_the_state(
    initialised: Environment, capsys, monkeypatch, is_known
):
    """`init` made the key in the env file, or a rotation on another machine replaced it."""
    user = f"mpr-{initialised.name}-app"
    key = initialised.server.manager.create_key(initialised.store, user)
    written = files.load(initialised.file("app"), initialised.name)
    app = replace(written, access_key_id=key.access_key_id, secret_access_key=key.secret_access_key)
    wait_until(lambda: is_accepted(initialised.store, key), 10)
    _with_state(initialised, monkeypatch, app, {written.access_key_id or "" if is_known else key.access_key_id})
    code, out, _ = run(initialised, capsys, "--check", "--json")
    assert (code, json.loads(out)[0]["reasons"]) == (1, ["rotated"] if is_known else ["unknown", "rotated"])
    code, _, err = run(initialised, capsys, "--write")
    assert code == (0 if is_known else 1)
    assert ("its access key works, and the state has another one" in err) is not is_known
    after = files.access_key(initialised.file("app"))
    assert after
    assert (after.access_key_id == key.access_key_id) is is_known
