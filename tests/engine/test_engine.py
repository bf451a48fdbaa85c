"""The project under the real Pulumi engine, on a real store. One run of the engine takes 2 to 4 seconds.

Failures and refusals are proven on the provider process (tests/infra/resources) and on the program under mocks
(tests/infra/test_program.py). Here is one of each kind.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from core.storage import get_s3_client, list_objects, upload_file
from core.storage.settings import Settings
from infra.stores.empty import delete_everything
from tests.engine.support import EXPIRE, Life, Project, Stack, readable

# --- the first update -----------------------------------------------------------------------------------


def test_a_preview_announces_everything_and_does_nothing(life: Life):
    assert "15 to create" in life.preview.output
    assert life.after_preview == set()


def test_up_makes_buckets_identities_and_env_files(life: Life):
    assert "15 created" in life.up.output
    assert life.stack.left() == {
        *("engine-life-in", "engine-life-out"),
        *("mpr-life-app", "mpr-life-ingest", "mpr-life-viewer"),
        *("life.env", "life.ingest.env", "life.viewer.env"),
    }
    assert life.stack.expiry() == {"cache/": 30}


def test_the_env_files_are_private_and_the_library_works_from_them(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for identity in ("app", "ingest", "viewer"):
        assert life.stack.env_file(identity).stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("S3_ENV_FILE", str(life.stack.env_file()))
    source = tmp_path / "video.mp4"
    source.write_bytes(b"frames")
    upload_file(source, "engine-life-in", "chunks/video.mp4")
    assert [one.key for one in list_objects("engine-life-in")] == ["chunks/video.mp4"]
    viewer = get_s3_client(Settings.from_env(life.stack.env("viewer")))
    assert viewer.get_object(Bucket="engine-life-in", Key="chunks/video.mp4")["Body"].read() == b"frames"
    with pytest.raises(ClientError, match="AccessDenied"):
        viewer.put_object(Bucket="engine-life-in", Key="x", Body=b"")


def test_the_exports_equal_the_env_files(life: Life):
    outputs = life.stack.outputs()
    assert outputs.pop("identities") == {name: life.stack.env(name) for name in ("app", "ingest", "viewer")}
    for identity in ("ingest", "viewer"):
        assert outputs.pop(identity) == life.stack.env(identity)
    assert {name: one["slot"] for name, one in outputs.pop("keySlots").items()} == dict.fromkeys(
        ("app", "ingest", "viewer"), "a"
    )
    assert outputs == life.stack.env("app")


def test_no_secret_is_in_the_state_or_in_what_is_shown(life: Life, project: Project):
    exported = life.stack.do("stack", "export").stdout
    shown = life.stack.do("stack", "output", "--json").stdout
    assert json.loads(shown)["AWS_SECRET_ACCESS_KEY"] == "[secret]"
    assert json.loads(shown)["viewer"] == "[secret]" or (
        json.loads(shown)["viewer"]["AWS_SECRET_ACCESS_KEY"] == "[secret]"
    )
    assert "Key" in exported
    files = 0
    for file, text in readable(project.folder.parent):
        if file.suffix != ".env" and ".venv" not in file.parts:
            project.hold_no_secret(text, str(file))
            files += 1
    assert any("life" in file.name for file, _ in readable(project.state))
    assert files > 10
    assert len(project.secrets) >= 4  # the administrator's and three identities'


# --- nothing to do --------------------------------------------------------------------------------------


def test_a_second_up_leaves_every_resource_and_env_file_unchanged(life: Life):
    before = {one: life.stack.env_file(one).stat().st_mtime_ns for one in ("app", "viewer")}
    assert "15 unchanged" in life.stack.up().output
    assert {one: life.stack.env_file(one).stat().st_mtime_ns for one in ("app", "viewer")} == before


def test_a_preview_and_a_refresh_of_what_is_deployed_find_no_difference(life: Life):
    assert "15 unchanged" in life.stack.do("refresh", "--yes", "--skip-preview", "--expect-no-changes").output
    life.stack.do("preview", "--expect-no-changes")


def test_a_missing_env_file_is_written_again_although_nothing_changed(life: Life):
    before = life.stack.env_file("viewer").read_bytes()
    life.stack.env_file("viewer").unlink()
    assert "15 unchanged" in life.stack.up().output
    assert life.stack.env_file("viewer").read_bytes() == before
    assert life.stack.env_file("viewer").stat().st_mode & 0o777 == 0o600


def test_a_changed_setting_shows_as_an_update_of_its_name(life: Life):
    before = life.stack.config
    out = {"name": "engine-life-out", "expire": [EXPIRE | {"days": 8}]}
    life.stack.configure(buckets=before["buckets"] | {"out": out})
    try:
        said = life.stack.do("preview", "--diff").output
    finally:
        life.stack.config = before
        life.stack.configure()
    assert "~ pulumi-python:dynamic/storage:Bucket: (update)" in said
    assert "~ expire" in said
    assert "30 => 8" in said
    assert "- corsOrigins" in said
    assert "1 to update" in said
    assert "replace" not in said
    assert life.stack.expiry() == {"cache/": 30}


# --- adoption and drift ---------------------------------------------------------------------------------


def test_up_adopts_what_the_initialiser_made(project: Project):
    stack = project.stack("adopt", {"disposable": True})
    done = project.run([sys.executable, "-m", "infra", "init", "adopt"], project.admin)
    assert done.ok, done.output
    before = stack.env_file().read_bytes()
    project.s3.put_object(Bucket=stack.bucket("in"), Key="precious.mp4", Body=b"x")
    assert "9 created" in stack.up().output
    assert stack.env_file().read_bytes() == before
    assert stack.key_ids() == [stack.env()["AWS_ACCESS_KEY_ID"]]
    assert project.s3.get_object(Bucket=stack.bucket("in"), Key="precious.mp4")["Body"].read() == b"x"
    stack.do("destroy", "--yes", "--skip-preview")
    assert stack.left() == set(), "the initialiser created the buckets for this environment"


def test_drift_is_seen_by_refresh_and_repaired_by_up(project: Project):
    buckets = {"in": {"name": "engine-drift-in"}, "out": {"name": "engine-drift-out", "expire": [EXPIRE]}}
    stack = project.stack("drift", {"disposable": True, "buckets": buckets})
    stack.up()
    key = stack.env()["AWS_ACCESS_KEY_ID"]
    project.s3.delete_bucket_lifecycle(Bucket=stack.bucket("out"))
    project.iam.delete_user_policy(UserName=stack.user(), PolicyName="mpr-storage")
    project.iam.delete_access_key(UserName=stack.user(), AccessKeyId=key)

    seen = stack.refresh().output
    assert "2 updated" in seen  # bucket and identity
    assert "1 deleted" in seen  # the key
    assert "expire" in seen

    repaired = stack.up().output
    assert "1 created" in repaired
    assert stack.expiry() == {"cache/": 30}
    (new,) = stack.key_ids()
    assert new != key
    assert stack.env()["AWS_ACCESS_KEY_ID"] == new
    assert (
        get_s3_client(Settings.from_env(stack.env())).list_objects_v2(Bucket=stack.bucket("out"))["KeyCount"] == 0
    )
    assert stack.variables() == stack.env()


# --- replacing and deleting -----------------------------------------------------------------------------


def test_a_disposable_environment_is_renamed_shrunk_and_destroyed_and_a_renamed_bucket_stays(project: Project):
    """With the admin keys as secrets of the stack, which `destroy` gets at without running the program."""
    stack = project.stack("gone", {"disposable": True, "identities": ["app", "viewer"]})
    stack.keep_admin_keys()
    stack.up()
    project.s3.put_object(Bucket=stack.bucket("in"), Key="video.mp4", Body=b"x")

    names = {"in": {"name": "engine-gone-new"}, "out": {"name": stack.bucket("out")}}
    stack.configure(buckets=names, identities=["app"])
    said = stack.up().output
    assert f"bucket {stack.bucket('in')} stays with its objects: this environment uses engine-gone-new" in said
    assert "replaced" not in said
    assert "3 deleted" in said  # the component of the identity that is no longer asked for, its user and its key
    assert not {stack.user("viewer"), "gone.viewer.env"} & stack.left()
    assert {"engine-gone-new", stack.bucket("in"), stack.bucket("out")} <= stack.left()
    assert stack.env()["S3_BUCKET_IN"] == "engine-gone-new"
    app = get_s3_client(Settings.from_env(stack.env()))
    app.put_object(Bucket="engine-gone-new", Key="video.mp4", Body=b"x")  # the policy followed

    stack.do("preview", "--expect-no-changes")
    stack.do("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    stack.do("destroy", "--yes", "--skip-preview")
    assert stack.left() == {stack.bucket("in")}
    assert project.s3.get_object(Bucket=stack.bucket("in"), Key="video.mp4")["Body"].read() == b"x"
    assert json.loads(stack.do("stack", "export").stdout)["deployment"].get("resources", []) == []
    delete_everything(project.s3, stack.bucket("in"))
    project.s3.delete_bucket(Bucket=stack.bucket("in"))


def test_destroying_a_disposable_environment_keeps_a_bucket_that_existed_before(project: Project):
    stack = project.stack("before", {"disposable": True})
    existing = stack.bucket("in")
    project.s3.create_bucket(Bucket=existing)
    project.s3.put_object(Bucket=existing, Key="precious.mp4", Body=b"x")
    stack.up()
    stack.configure(buckets={"in": {"name": existing, "expire": [EXPIRE]}, "out": {"name": stack.bucket("out")}})
    stack.up("--refresh")  # neither an update nor a refresh makes it the environment's own

    said = stack.do("destroy", "--yes", "--skip-preview").output
    assert f"bucket {existing} existed before this environment and holds 1 object (1 byte): it stays" in said
    assert stack.left() == {existing}
    assert project.s3.get_object(Bucket=existing, Key="precious.mp4")["Body"].read() == b"x"
    delete_everything(project.s3, existing)
    project.s3.delete_bucket(Bucket=existing)


def test_an_environment_that_is_not_disposable_keeps_its_data(project: Project):
    stack = project.stack("kept", {})
    stack.up()
    everything = stack.left()
    assert len(everything) == 4
    project.s3.put_object(Bucket=stack.bucket("in"), Key="precious.mp4", Body=b"x")

    assert "protect" in refusal(stack, "destroy", "--yes")
    assert stack.left() == everything
    assert whole(stack)

    stack.do("state", "unprotect", "--all", "--yes")
    stack.do("destroy", "--yes", "--skip-preview")
    assert stack.left() == {stack.bucket("in"), stack.bucket("out")}
    assert project.s3.get_object(Bucket=stack.bucket("in"), Key="precious.mp4")["Body"].read() == b"x"


def test_an_environment_that_is_made_disposable_can_be_destroyed(project: Project):
    stack = project.stack("released", {})
    stack.up()
    project.s3.put_object(Bucket=stack.bucket("in"), Key="video.mp4", Body=b"x")
    stack.configure(disposable=True)
    assert "updated" in stack.up().output
    stack.do("destroy", "--yes")
    assert stack.left() == set()


# --- failures -------------------------------------------------------------------------------------------


def refusal(stack: Stack, *arguments: str) -> str:
    done = stack.run(*(arguments or ("preview",)))
    assert not done.ok
    assert "Traceback" not in done.output
    assert 'File "' not in done.output
    return done.output


def test_a_misspelt_key_of_the_configuration_ends_the_preview_with_a_sentence(project: Project):
    stack = project.stack("never", {"publicEndpont": "x", "identities": ["viwer"]})
    said = refusal(stack)
    assert "environments/Pulumi.never.yaml:" in said
    assert "publicEndpont: unknown key, did you mean publicEndpoint?" in said
    assert "identities[0]: must be one of app, pipeline, ingest, viewer, got viwer" in said
    assert stack.left() == set()


def test_a_failure_in_the_provider_is_a_sentence_and_the_next_run_completes_the_update(project: Project):
    stack = project.stack("full", {})
    project.iam.create_user(UserName=stack.user())
    taken = [project.iam.create_access_key(UserName=stack.user())["AccessKey"]["AccessKeyId"] for _ in range(2)]
    said = refusal(stack, "up", "--yes", "--skip-preview")
    assert f"{stack.user()} has 2 access keys, the most that it may have" in said
    assert not any(one in said for one in taken)
    project.iam.delete_access_key(UserName=stack.user(), AccessKeyId=taken[0])
    stack.up()
    assert set(stack.key_ids()) == {taken[1], stack.env()["AWS_ACCESS_KEY_ID"]}


# --- interruptions --------------------------------------------------------------------------------------


def whole(stack: Stack) -> bool:
    """Whether the environment is complete: one key that works, and no other."""
    client = get_s3_client(Settings.from_env(stack.env()))
    client.put_object(Bucket=stack.bucket("in"), Key="x", Body=b"")
    return stack.key_ids() == [stack.env()["AWS_ACCESS_KEY_ID"]]


def test_an_interrupted_up_is_completed_by_the_next(project: Project):
    stack = project.stack("interrupted", {"disposable": True})
    said = stack.interrupt(signal.SIGINT, "storage:Bucket", "creating")
    assert "Traceback" not in said
    stack.up()
    assert whole(stack)
    stack.do("preview", "--expect-no-changes")


def test_a_killed_up_is_completed_by_cancel_and_the_next(project: Project):
    stack = project.stack("killed", {"disposable": True})
    stack.interrupt(signal.SIGKILL, "storage:Bucket", "creating")
    stack.project.run(["pulumi", "cancel", "--yes", "killed"], {})
    stack.up("--refresh")
    assert whole(stack)
    assert stack.env() == stack.variables()
