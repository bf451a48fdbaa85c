from __future__ import annotations

import json
import secrets
import signal
import stat
from contextlib import suppress

import pytest

from core.storage import upload_file
from core.storage.settings import Settings, read_env_file
from infra import cli, plan
from infra import init as module
from infra.env import files
from infra.errors import InfraError, UnreachableError, UsageError
from infra.init import initialise
from infra.outcome import Outcome
from infra.stores import buckets, iam
from infra.stores import keys as making
from infra.stores.access_key import AccessKey
from infra.stores.buckets import Ensured
from infra.stores.keys import is_accepted
from infra.stores.store import Store
from tests.infra.conftest import ALL, Environment, Server, admin_variables, environment_on


def snapshot(environment: Environment) -> dict[str, tuple[int, bytes]]:
    return {file.name: (file.stat().st_ino, file.read_bytes()) for file in environment.folder.iterdir()}


def test_an_environment_is_made_and_a_second_run_changes_nothing_and_says_so(environment):
    name = environment.name
    who = list(ALL) if environment.server.credentials == "iam" else ["app", "viewer"]
    environment.values["identities"] = who
    first = environment.initialise()
    assert [first[f"bucket {name}-{role}"] for role in ("in", "out")] == ["created", "created"]
    for identity in who:
        file = environment.file(identity)
        assert first[f"env file {file.name}"] == "written"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        keys = files.access_key(file)
        assert keys
        assert first[f"identity mpr-{name}-{identity}"] == f"key {keys.masked} created"
        assert is_accepted(environment.store, keys)
    before = snapshot(environment)
    again = environment.initialise()
    assert again.keys() == first.keys()
    assert all(outcome.endswith("unchanged") for subject, outcome in again.items() if subject != "notice")
    assert snapshot(environment) == before
    assert ("notice" in first) is (environment.server.credentials == "minio")


def test_the_env_file_is_all_that_a_client_needs(seaweed_environment):
    seaweed_environment.values["publicEndpoint"] = "https://media.example.com"
    seaweed_environment.initialise()
    found = Settings.from_env(read_env_file(seaweed_environment.file("ingest")))
    assert found.bucket("in") == f"{seaweed_environment.name}-in"
    assert found.bucket_out is None
    assert found.public_endpoint_url == "https://media.example.com"
    assert found.endpoint_url == seaweed_environment.store.endpoint


def test_no_report_holds_a_secret(seaweed_environment):
    said = json.dumps(seaweed_environment.initialise())
    for identity in ALL:
        keys = files.access_key(seaweed_environment.file(identity))
        assert keys
        assert keys.secret_access_key not in said
        assert keys.access_key_id not in said


def test_a_changed_setting_is_reported(seaweed_environment):
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.initialise()
    seaweed_environment.values["buckets"]["out"] |= {"versioning": True, "corsOrigins": ["http://localhost:3000"]}
    told = seaweed_environment.initialise()
    assert told[f"bucket {seaweed_environment.name}-out"] == "changed versioning, corsOrigins"
    assert told[f"bucket {seaweed_environment.name}-in"] == "unchanged"


@pytest.mark.parametrize("disposable", [True, False])
def test_a_lost_env_file_gets_a_new_key(seaweed_environment, disposable):
    seaweed_environment.values.update(identities=["app"], disposable=disposable)
    seaweed_environment.initialise()
    old = files.access_key(seaweed_environment.file("app"))
    assert old
    seaweed_environment.file("app").unlink()
    told = seaweed_environment.initialise()
    assert told[f"identity mpr-{seaweed_environment.name}-app"].endswith("created")
    assert files.access_key(seaweed_environment.file("app")) != old
    assert is_accepted(seaweed_environment.store, old) is not disposable


def test_a_run_after_an_interruption_keeps_the_key_and_writes_the_missing_files(seaweed_environment, monkeypatch):
    seaweed_environment.values["identities"] = ["app", "viewer"]
    written = files.write

    def interrupted(file, text):
        if "viewer" in file.name:
            raise KeyboardInterrupt
        return written(file, text)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            seaweed_environment.initialise()
    first = files.access_key(seaweed_environment.file("app"))
    told = seaweed_environment.initialise()
    assert told[f"env file {seaweed_environment.name}.env"] == "unchanged"
    assert told[f"env file {seaweed_environment.name}.viewer.env"] == "written"
    assert files.access_key(seaweed_environment.file("app")) == first


def test_an_edited_file_is_refused_and_nothing_is_changed(seaweed_environment):
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.initialise()
    file = seaweed_environment.file("app")
    file.write_text(file.read_text() + "MINE=1\n")
    edited = file.read_bytes()
    seaweed_environment.values["buckets"]["out"]["versioning"] = True
    with pytest.raises(UsageError, match="was edited by hand"):
        seaweed_environment.initialise()
    assert file.read_bytes() == edited
    out = buckets.read(seaweed_environment.store, f"{seaweed_environment.name}-out")
    assert out
    assert out.versioning is False


def test_during_a_rotation_the_env_file_of_the_slot_is_examined_before_anything_is_changed(seaweed_environment):
    seaweed_environment.values.update(identities=["app"], slots={"app": {"current": "a", "step": "start"}})
    files.slot_file(seaweed_environment.file("app"), "b").write_text("MINE=1\n")
    with pytest.raises(UsageError, match=r"\.b\.env was not written by mpr-storage"):
        seaweed_environment.initialise()
    assert buckets.read(seaweed_environment.store, f"{seaweed_environment.name}-in") is None


def test_externally_managed_keys_are_written_to_the_env_file(seaweed_environment):
    seaweed_environment.values["identities"] = ["viewer"]
    seaweed_environment.initialise()
    file = seaweed_environment.file("viewer")
    keys = files.access_key(file)
    assert keys
    file.unlink()
    seaweed_environment.values.update(
        credentials="static",
        keys={"viewer": {"accessKeyId": keys.access_key_id, "secretAccessKey": keys.secret_access_key}},
    )
    told = seaweed_environment.initialise()
    assert told[f"identity mpr-{seaweed_environment.name}-viewer"].startswith("key ")
    assert files.access_key(file) == keys
    assert seaweed_environment.initialise()[f"env file {file.name}"] == "unchanged"
    seaweed_environment.values["identities"] = ["viewer", "app"]
    with pytest.raises(UsageError, match="no access key for identity app: set MPR_APP_ACCESS_KEY_ID"):
        seaweed_environment.initialise()
    seaweed_environment.values.update(credentials="iam", identities=["viewer"])


def test_externally_managed_keys_need_no_admin_keys_if_the_buckets_exist(seaweed_environment, monkeypatch):
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.initialise()
    keys = files.access_key(seaweed_environment.file("app"))
    assert keys
    monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
    monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
    monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", keys.access_key_id)
    monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", keys.secret_access_key)
    monkeypatch.setitem(seaweed_environment.values, "credentials", "static")
    told = seaweed_environment.initialise()
    assert told[f"env file {seaweed_environment.name}.env"] == "unchanged"


@pytest.mark.versitygw
def test_externally_managed_keys_work_on_versitygw(versitygw, environments, monkeypatch, tmp_path):
    given = AccessKey(versitygw.access_key_id, versitygw.secret_access_key)
    store = Store(versitygw.endpoint, versitygw.region, given)
    keys = {"app": {"accessKeyId": given.access_key_id, "secretAccessKey": given.secret_access_key}}
    made = environment_on(Server(store, "static"), environments, identities=["app"], keys=keys)
    made.values["buckets"]["in"] |= {"versioning": True, "expire": [{"prefix": "cache/", "days": 1}]}
    for name, value in admin_variables(store).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"buckets\.in\.expire: not supported by Versity S3 Gateway; it has no"):
        made.initialise()
    made.values["buckets"]["in"] |= {"expire": [], "corsOrigins": ["https://media.example"]}
    told = made.initialise()
    assert told[f"bucket {made.name}-in"] == "created"
    assert made.initialise()[f"bucket {made.name}-in"] == "unchanged"
    monkeypatch.setenv("S3_ENV_FILE", str(made.file("app")))
    source = tmp_path / "a.mp4"
    source.write_bytes(b"video")
    assert upload_file(source, f"{made.name}-in", "chunks/a.mp4").verified_by == "md5"
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", "unknown-access-key")
    with pytest.raises(UsageError, match=r"does not accept the admin key \.\.\.-key \(XAdminUserNotFound\)"):
        made.initialise()


def test_an_externally_managed_key_that_the_store_refuses_is_reported(seaweed_environment, monkeypatch):
    monkeypatch.setattr(making, "_USABLE_WITHIN", 0)
    given = {"app": {"accessKeyId": "AKIANOBODY", "secretAccessKey": "hush"}}
    seaweed_environment.values.update(credentials="static", identities=["app"], keys=given)
    with pytest.raises(InfraError, match=r"key \.\.\.BODY is not accepted by http") as caught:
        seaweed_environment.initialise()
    assert "hush" not in str(caught.value)
    assert not seaweed_environment.file("app").exists()
    seaweed_environment.values.update(credentials="iam")


def test_the_outcome_of_a_bucket_is_created_changed_or_unchanged():
    changed = Ensured(created=False, changed=("versioning", "expire"))
    assert module._outcome(Ensured(created=True, changed=("versioning",))) == Outcome("created", is_change=True)
    assert module._outcome(changed) == Outcome("changed versioning, expire", is_change=True)
    assert module._outcome(Ensured(created=False, changed=())) == Outcome("unchanged")


def test_a_store_that_comes_up_later_is_waited_for(seaweed_environment, monkeypatch, capsys):
    make, tries = plan.for_update, iter([UnreachableError("down"), UnreachableError("down"), None])

    def at_the_third_try(config):
        if error := next(tries):
            raise error
        return make(config)

    monkeypatch.setattr(plan, "for_update", at_the_third_try)
    monkeypatch.setattr(module, "_PAUSE", 0)
    done: dict[str, Outcome] = {}
    initialise(seaweed_environment.config, done.__setitem__, wait=60)
    assert done[f"bucket {seaweed_environment.name}-in"] == Outcome("created", is_change=True)
    said = f"waiting for the store at {seaweed_environment.store.endpoint} (60 s at most)\n"
    assert capsys.readouterr() == ("", said)


def test_the_wait_for_a_store_that_does_not_respond_ends(seaweed_environment, refusing, monkeypatch):
    seaweed_environment.values["endpoint"] = refusing
    monkeypatch.setattr(module, "_PAUSE", 0.2)
    with pytest.raises(UnreachableError, match="cannot reach the store"):
        initialise(seaweed_environment.config, lambda *_: None, wait=1)


def test_a_wrong_key_is_not_waited_for(seaweed_environment, monkeypatch, capsys):
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(UsageError, match="does not accept the admin key"):
        initialise(seaweed_environment.config, lambda *_: None, wait=600)
    assert capsys.readouterr().err == ""


def test_the_command_uses_the_endpoint_option_and_checks_what_it_made(seaweed_environment, refusing, capsys):
    where = seaweed_environment.values["endpoint"]
    seaweed_environment.values.update(endpoint=refusing, publicEndpoint=refusing, identities=["app"])
    seaweed_environment.save()
    assert cli.run(["init", seaweed_environment.name]) == 3
    assert cli.run(["init", seaweed_environment.name, "--endpoint", where, "--check"]) == 0
    assert "20 access checks passed" in capsys.readouterr().out
    found = Settings.from_env(read_env_file(seaweed_environment.file("app")))
    assert (found.endpoint_url, found.public_endpoint_url) == (where, None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--check", "--json"], "--json cannot be used with --check"),
        (["--wait", "601"], "601 is not in the range"),
        (["--endpoint", "minio:9000"], "with --endpoint"),
    ],
)
def test_an_invalid_option_exits_with_code_2(seaweed_environment, capsys, words, says):
    seaweed_environment.save()
    assert cli.run(["init", seaweed_environment.name, *words]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.minio
def test_the_json_report_holds_every_notice(minio_environment, capsys):
    minio_environment.values["identities"] = ["app"]
    minio_environment.save()
    assert cli.run(["init", minio_environment.name, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "corsOrigins" in told["notice"]
    assert "abortMultipartDays" in told["notice"]


def given(monkeypatch, identity="APP"):
    keys = AccessKey(secrets.token_hex(8), secrets.token_hex(20))
    monkeypatch.setenv(f"MPR_{identity}_ACCESS_KEY_ID", keys.access_key_id)
    monkeypatch.setenv(f"MPR_{identity}_SECRET_ACCESS_KEY", keys.secret_access_key)
    return keys


@pytest.mark.minio
def test_minio_gets_the_access_key_of_the_environment_variables(minio_environment, monkeypatch):
    minio_environment.values["identities"] = ["app", "viewer"]
    keys = given(monkeypatch)
    told = minio_environment.initialise()
    assert files.access_key(minio_environment.file("app")) == keys
    assert files.access_key(minio_environment.file("viewer")) != keys
    assert told[f"identity mpr-{minio_environment.name}-app"] == f"key {keys.masked} unchanged"


@pytest.mark.minio
def test_the_access_key_in_an_env_file_is_not_replaced_by_that_of_the_environment(minio_environment, monkeypatch):
    minio_environment.values["identities"] = ["app"]
    minio_environment.initialise()
    before = files.access_key(minio_environment.file("app"))
    given(monkeypatch)
    minio_environment.initialise()
    assert files.access_key(minio_environment.file("app")) == before
    manager, name = minio_environment.server.manager, f"mpr-{minio_environment.name}-app"
    assert len(manager.access_keys(minio_environment.store, name)) == 1


@pytest.mark.minio
def test_in_a_rotation_the_environment_variables_give_only_the_current_key(minio_environment, monkeypatch):
    minio_environment.values.update(identities=["app"], slots={"app": {"current": "b", "step": "switch"}})
    keys = given(monkeypatch)
    minio_environment.initialise()
    assert files.access_key(minio_environment.file("app")) == keys
    manager, name = minio_environment.server.manager, f"mpr-{minio_environment.name}-app"
    assert manager.access_keys(minio_environment.store, name) == {keys.access_key_id: True}


def test_a_store_that_generates_access_keys_takes_none_from_the_environment(seaweed_environment, monkeypatch):
    seaweed_environment.values["identities"] = ["app"]
    keys = given(monkeypatch)
    seaweed_environment.initialise()
    assert files.access_key(seaweed_environment.file("app")) != keys


def _key_ids(environment: Environment) -> set[str]:
    return set(environment.server.manager.access_keys(environment.store, f"mpr-{environment.name}-app"))


def _key_id(environment: Environment) -> str:
    key = files.access_key(environment.file("app"))
    assert key
    return key.access_key_id


@pytest.mark.parametrize("reports", range(6))
def test_no_access_key_is_lost_if_nothing_reads_the_output_any_more(seaweed_environment, reports):
    seaweed_environment.values.update(identities=["app"], disposable=False)

    def report(*_: object) -> None:
        nonlocal reports
        reports -= 1
        if reports < 0:
            raise BrokenPipeError

    with suppress(BrokenPipeError):
        initialise(seaweed_environment.config, report)
    written = {_key_id(seaweed_environment)} if seaweed_environment.file("app").exists() else set()
    assert _key_ids(seaweed_environment) == written
    seaweed_environment.initialise()
    assert _key_ids(seaweed_environment) == {_key_id(seaweed_environment)}
    assert not written - {_key_id(seaweed_environment)}


def test_no_access_key_is_lost_on_a_full_disk(seaweed_environment, monkeypatch):
    seaweed_environment.values.update(identities=["app"], disposable=False)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("infra.private_file.write", full)
        for _ in range(3):
            with pytest.raises(UsageError, match="No space left on device"):
                seaweed_environment.initialise()
            assert _key_ids(seaweed_environment) == set()
    seaweed_environment.initialise()
    assert _key_ids(seaweed_environment) == {_key_id(seaweed_environment)}


def test_a_host_that_an_env_file_cannot_hold_is_refused_before_anything_is_created(seaweed_environment):
    seaweed_environment.values["publicEndpoint"] = "https://m\u00e9dias.example"
    with pytest.raises(UsageError, match=r"publicEndpoint: has a character in the host name .*xn--"):
        seaweed_environment.initialise()
    del seaweed_environment.values["publicEndpoint"]


def test_a_key_whose_creation_has_no_response_is_deleted(seaweed_environment, monkeypatch):
    """As if the connection broke after the store had created it."""
    seaweed_environment.values.update(identities=["app"], disposable=False)
    create = iam.create_key

    def lost(store: Store, identity: str) -> AccessKey:
        create(store, identity)
        raise UnreachableError("no response")

    with monkeypatch.context() as patched:
        patched.setattr(iam, "create_key", lost)
        for _ in range(3):
            with pytest.raises(UnreachableError, match=r"^no response$"):
                seaweed_environment.initialise()
            assert _key_ids(seaweed_environment) == set()
    seaweed_environment.initialise()


def test_an_interruption_while_a_key_is_created_leaves_none(seaweed_environment, monkeypatch):
    seaweed_environment.values.update(identities=["app"], disposable=False)
    create = iam.create_key

    def interrupted(store: Store, identity: str) -> AccessKey:
        signal.raise_signal(signal.SIGINT)
        return create(store, identity)

    with monkeypatch.context() as patched:
        patched.setattr(iam, "create_key", interrupted)
        with pytest.raises(KeyboardInterrupt):
            seaweed_environment.initialise()
    assert _key_ids(seaweed_environment) == set()


ROTATED = {"app": {"current": "b"}}


def _rotated(environment: Environment, *, disposable: bool) -> AccessKey:
    """Return the access key of an environment that was rotated, and whose `slots` were then removed."""
    environment.values.update(identities=["app"], disposable=disposable, slots=ROTATED)
    environment.initialise()
    key = files.access_key(environment.file("app"))
    assert key
    del environment.values["slots"]
    return key


def test_the_key_in_use_is_not_deleted_because_its_entry_in_slots_is_gone(seaweed_environment):
    key = _rotated(seaweed_environment, disposable=False)
    said = r"app.*|\.env holds the access key of slot b, .* write `mpr-storage:slots: {app: {current: b}}` into"
    for dry_run in (True, False):
        with pytest.raises(UsageError, match=said):
            initialise(seaweed_environment.config, lambda *_: None, dry_run=dry_run)
    assert is_accepted(seaweed_environment.store, key)
    seaweed_environment.values["slots"] = ROTATED
    assert "unchanged" in seaweed_environment.initialise()[f"identity mpr-{seaweed_environment.name}-app"]


def test_a_key_is_deleted_only_after_the_new_one_is_written(seaweed_environment, monkeypatch):
    key = _rotated(seaweed_environment, disposable=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("infra.private_file.write", full)
        with pytest.raises(UsageError, match="No space left"):
            seaweed_environment.initialise()
    assert is_accepted(seaweed_environment.store, key)
    seaweed_environment.initialise()
    assert not is_accepted(seaweed_environment.store, key)
    assert _key_ids(seaweed_environment) == {_key_id(seaweed_environment)}


def test_the_other_key_of_a_rotation_is_kept_if_the_primary_one_is_lost(seaweed_environment):
    seaweed_environment.values.update(identities=["app"], disposable=True)
    seaweed_environment.initialise()
    seaweed_environment.values["slots"] = {"app": {"current": "b", "step": "switch"}}
    seaweed_environment.initialise()
    old = files.access_key(files.slot_file(seaweed_environment.file("app"), "a"))
    assert old
    seaweed_environment.file("app").unlink()
    seaweed_environment.initialise()
    assert is_accepted(seaweed_environment.store, old)
    assert _key_ids(seaweed_environment) == {old.access_key_id, _key_id(seaweed_environment)}


def test_no_key_is_created_that_the_state_of_pulumi_does_not_know(seaweed_environment, monkeypatch, tmp_path):
    seaweed_environment.values["identities"] = ["app"]
    state = tmp_path / "state.json"
    state.touch()
    monkeypatch.setattr("infra.identity_setup.own_state.state_file", lambda _: state)
    with pytest.raises(
        UsageError, match=r"needs a new access key, and Pulumi deployed this environment: run `.* up"
    ):
        seaweed_environment.initialise()
    assert _key_ids(seaweed_environment) == set()
    state.unlink()
    seaweed_environment.initialise()
    state.touch()
    seaweed_environment.initialise()  # it needs none
