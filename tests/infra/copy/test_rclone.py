"""The configuration that rclone gets, and how it gets it."""

from __future__ import annotations

import json
import subprocess
from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TextColumn

from core.storage.settings import Settings
from infra.copy import rclone
from infra.copy.progress import Bar, Lines, Progress, shown
from infra.copy.side import Side
from tests.infra.env.support import SHAPES

MIB = 1024 * 1024
STORE = SHAPES["temporary"]


def environ(source: Settings = STORE, *, kms: bool = False, part_size: int | None = None) -> dict[str, str]:
    return rclone.environ(Side("a", source, kms=kms), Side("b", STORE), part_size)


class TestEnviron:
    def test_access_keys_are_in_the_environment_and_not_on_the_command_line(self):
        found = environ()
        for name in ("FROM", "TO"):
            assert found[f"RCLONE_CONFIG_{name}_SECRET_ACCESS_KEY"] == STORE.secret_access_key
            assert found[f"RCLONE_CONFIG_{name}_SESSION_TOKEN"] == STORE.session_token
        line = " ".join(
            [
                *rclone.copy_arguments("rclone", "a", "b", None, replace=True),
                *rclone.check_arguments("r", "a", "b"),
            ]
        )
        assert not [
            one for one in (STORE.access_key_id, STORE.secret_access_key, STORE.session_token) if str(one) in line
        ]

    @pytest.mark.parametrize("shape", ["aws", "gcp", "r2", "store"])
    def test_rclone_knows_every_option(self, shape):
        (s3,) = (
            one
            for one in json.loads(subprocess.check_output([rclone.find(), "config", "providers", "--config="]))
            if one["Name"] == "s3"
        )
        known = {one["Name"].upper() for one in s3["Options"]} | {"TYPE"}
        for part_size in (None, 16 * MIB):
            found = environ(SHAPES[shape], kms=True, part_size=part_size)
            assert {name.split("_", 3)[3] for name in found if name.startswith("RCLONE_CONFIG_")} <= known

    def test_only_proxy_and_certificate_variables_of_this_process_reach_rclone(self, monkeypatch):
        for name in ("RCLONE_LOG_LEVEL", "RCLONE_CONFIG_TO_ENDPOINT", "AWS_PROFILE", "HOME"):
            monkeypatch.setenv(name, "stray")
        monkeypatch.setenv("https_proxy", "http://proxy:1")
        monkeypatch.setenv("AWS_CA_BUNDLE", "/ca.pem")
        found = environ()
        assert "stray" not in found.values()
        assert (found["https_proxy"], found["RCLONE_CA_CERT"]) == ("http://proxy:1", "/ca.pem")

    def test_etags_of_objects_encrypted_with_kms_are_not_used_as_md5(self):
        name = "RCLONE_CONFIG_{}_SERVER_SIDE_ENCRYPTION"
        assert environ(kms=True)[name.format("FROM")] == "aws:kms"
        assert name.format("FROM") not in environ()
        assert name.format("TO") not in environ(kms=True), "it would choose a key in place of the bucket's own"

    def test_the_parts_in_flight_use_at_most_256_mib(self):
        for size in (5 * MIB, 16 * MIB, 100 * MIB, 256 * MIB):
            at_once = int(environ(part_size=size)["RCLONE_CONFIG_TO_UPLOAD_CONCURRENCY"])
            arguments = rclone.copy_arguments("rclone", "a", "b", size, replace=False)
            (transfers,) = (int(one.partition("=")[2]) for one in arguments if one.startswith("--transfers="))
            assert size * at_once * transfers <= 256 * MIB


class TestProgress:
    def test_progress_without_a_terminal_is_a_line_from_time_to_time(self, capsys, monkeypatch):
        now = [100.0]
        monkeypatch.setattr("infra.copy.progress.time.monotonic", lambda: now[0])
        with shown(as_json=False) as progress:
            assert isinstance(progress, Lines)
            progress.begin("copying in", 2000, 3_000_000)
            progress.at(1, 1)
            now[0] += 11
            progress.at(1000, 1_500_000)
            progress.next_run()
            now[0] += 11
            progress.at(5000, 9_000_000)
        assert capsys.readouterr().out.splitlines() == [
            "copying in: 0 of 2,000 objects, 0 bytes of 3.0 MB",
            "copying in: 1,000 of 2,000 objects, 1.5 MB of 3.0 MB",
            "copying in: 2,000 of 2,000 objects, 3.0 MB of 3.0 MB",
        ]

    def test_the_progress_bar_adds_up_several_runs_of_rclone(self):
        out = StringIO()
        objects = TextColumn("{task.description} {task.completed} {task.fields[objects]}")
        with Bars(objects, console=Console(file=out)) as bars:
            progress = Bar(bars)
            progress.begin("copying in", 3, 30)
            progress.at(1, 10)
            progress.next_run()
            progress.at(1, 10)
        assert "copying in 20 2/3" in out.getvalue()

    def test_progress_is_a_bar_on_a_terminal_and_absent_with_json(self, monkeypatch):
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        with shown(as_json=False) as progress:
            assert isinstance(progress, Bar)
        with shown(as_json=True) as progress:
            assert type(progress) is Progress
