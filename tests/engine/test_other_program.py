"""A program of another project that uses the component resource `Storage` beside resources of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.doubles.fixtures import Account
from tests.engine.support import Project, Ran

_PROGRAM = """
import pulumi
import pulumi_aws as aws

provider = aws.Provider("aws", region="eu-west-1")
user = aws.iam.User("app", opts=pulumi.ResourceOptions(provider=provider))
pulumi.export("user", user.name)
if pulumi.Config().get_bool("storage"):
    from infra.components import Storage

    args = {"target": "aws", "region": "eu-west-1", "disposable": True}
    storage = Storage("prod", args, opts=pulumi.ResourceOptions(providers=[provider]))
    pulumi.export("bucket", storage.in_bucket)
    pulumi.export("variables", storage.identities["app"])
"""
_PROJECT = {"name": "studio", "runtime": {"name": "python", "options": {"virtualenv": ".venv"}}}


class Studio:
    """The other project, with one stack."""

    def __init__(self, folder: Path, project: Project, plugins: Path, account: Account) -> None:
        self.folder = folder
        self._project = project
        self._variables = {"PATH": f"{plugins}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(REPO)}
        self._variables |= account.environ
        (folder / "Pulumi.yaml").write_text(json.dumps(_PROJECT))
        (folder / "__main__.py").write_text(_PROGRAM)
        (folder / ".venv").symlink_to(sys.prefix)
        self.do("stack", "init", "production")

    def do(self, *arguments: str) -> Ran:
        command = ["pulumi", *arguments, "--non-interactive", "--cwd", str(self.folder)]
        done = self._project.run(command, self._variables)
        assert done.ok, done.output
        return done

    def outputs(self) -> dict[str, object]:
        outputs: dict[str, object] = json.loads(self.do("stack", "output", "--json").stdout)
        return outputs


@pytest.fixture
def studio(tmp_path: Path, project: Project, plugins: Path, account: Account) -> Studio:
    return Studio(tmp_path, project, plugins, account)


def test_storage_is_added_to_a_program_whose_resources_have_its_former_names(studio: Studio, account: Account):
    """A provider called `aws` and a user called `app` stay: the aliases of the component are for this project."""
    studio.do("up", "--yes", "--skip-preview")
    user = studio.outputs()["user"]
    studio.do("config", "set", "storage", "true")
    studio.do("up", "--yes", "--skip-preview")
    outputs = studio.outputs()
    assert outputs["user"] == user
    assert outputs["variables"] == "[secret]"
    users = {found["UserName"] for found in account.iam.list_users()["Users"]}
    assert {user, "mpr-prod-app"} <= users
    studio.do("preview", "--expect-no-changes")
    studio.do("destroy", "--yes", "--skip-preview")
    assert account.s3.list_buckets()["Buckets"] == []
