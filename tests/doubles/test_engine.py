"""The tiny program through the real engine, on the tests' AWS. Its doubles stand on PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import REPO
from tests.doubles.fixtures import Account, Keys

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(300),  # ten runs of the engine, on a machine that may be busy
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the `pulumi` command on PATH"),
]

_MAIN = """\
import sys
sys.path.insert(0, {repo!r})
import pulumi
from tests.doubles import tiny
getattr(tiny, pulumi.Config("tiny").get("program") or "main")()
"""
_PROJECT = "{name: tiny, runtime: {name: python, options: {virtualenv: .venv}}}\n"


@dataclass(frozen=True)
class Stack:
    """A stack of the tiny program, in a folder of its own."""

    folder: Path
    plugins: Path
    account: Account

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("TMPDIR", "LANG") if name in os.environ}
        environment = {
            **kept,
            "PATH": f"{self.plugins}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "of this test alone",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.account.environ,
            **variables,
        }
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never", "--stack", "test"],
            cwd=self.folder / "project",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def do(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str, **variables: str) -> str:
        done = self.run(*arguments, **variables)
        assert done.returncode != 0
        return done.stdout + done.stderr

    def configure(self, **config: str) -> None:
        content = {"config": {f"tiny:{name}": value for name, value in config.items()}}
        file = self.folder / "project" / "Pulumi.test.yaml"
        kept = [one for one in file.read_text().splitlines() if one.startswith("encryptionsalt")]
        file.write_text("\n".join([*kept, f"config: {json.dumps(content['config'])}\n"]))

    def up(self) -> str:
        return self.do("up", "--yes", "--skip-preview")

    def outputs(self) -> Any:
        return json.loads(self.do("stack", "output", "--json", "--show-secrets"))


@pytest.fixture
def stack(tmp_path: Path, plugins: Path, aws: Account) -> Stack:
    project = tmp_path / "project"
    for folder in (project, tmp_path / "state"):
        folder.mkdir()
    (project / "Pulumi.yaml").write_text(_PROJECT)
    (project / "__main__.py").write_text(_MAIN.format(repo=str(REPO)))
    (project / ".venv").symlink_to(sys.prefix)
    made = Stack(tmp_path, plugins, aws)
    created = subprocess.run(
        ["pulumi", "stack", "init", "test", "--non-interactive"],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PULUMI_HOME": str(tmp_path / "home"),
            "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "of this test alone",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert created.returncode == 0, created.stdout + created.stderr
    return made


def test_a_program_is_previewed_deployed_repaired_and_destroyed_by_the_engine(stack: Stack, aws: Account):
    preview = stack.do("preview")
    assert "7 to create" in preview  # with the stack and the provider
    assert aws.s3.list_buckets()["Buckets"] == []
    assert "7 created" in stack.up()

    outputs = stack.outputs()
    bucket, key = outputs["bucket"], outputs["key"]
    assert outputs["account"] == aws.id
    assert outputs["domain"] == f"{bucket}.s3.eu-west-1.amazonaws.com"
    user = aws.seen_by(Keys(key["id"], key["secret"]))
    user.s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError, match="AccessDenied"):
        user.s3.put_object(Bucket=bucket, Key="x", Body=b"")

    assert key["secret"] not in stack.do("stack", "export")
    written = [one for one in (stack.folder / "state").rglob("*") if one.is_file()]
    assert written
    assert not [one for one in written if key["secret"] in one.read_text(errors="replace")]

    stack.do("preview", "--refresh", "--expect-no-changes")

    aws.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    aws.iam.delete_access_key(UserName="tiny", AccessKeyId=key["id"])
    seen = stack.do("refresh", "--yes", "--skip-preview", "--diff")
    assert '~ status: "Enabled" => "Suspended"' in seen
    assert "1 deleted" in seen
    repaired = stack.up()
    assert "1 created" in repaired
    assert "1 updated" in repaired
    assert aws.s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert stack.outputs()["key"]["id"] != key["id"]

    assert "7 deleted" in stack.do("destroy", "--yes", "--skip-preview")
    assert aws.s3.list_buckets()["Buckets"] == []
