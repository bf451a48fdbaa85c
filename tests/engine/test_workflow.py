"""The steps of the workflow `storage`, one after the other as a runner would, by the real engine on a real store.

What the runner and other people's actions do is played here: the values of `${{ }}`, the file `$GITHUB_ENV`, the
deployer's login, and `gh`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values

from core.storage import get_s3_client
from core.storage.settings import Settings
from tests.conftest import REPO
from tests.engine.support import Project, Ran, Stack

JOBS = yaml.safe_load((REPO / ".github" / "workflows" / "storage.yml").read_text())["jobs"]
GH = '#!/bin/sh\necho "$@" > "$RUNNER_TEMP/gh-arguments"\ncp "$6" "$RUNNER_TEMP/gh-file"\n'
#: What the login to AWS leaves in a job, and must not stay in it.
DEPLOYER = {
    "AWS_ACCESS_KEY_ID": "ASIADEPLOYER",
    "AWS_SECRET_ACCESS_KEY": "of-the-deployer",
    "AWS_SESSION_TOKEN": "token-of-the-deployer",
    "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/deployer.json",
}


@dataclass
class Runner:
    """One job of the workflow."""

    project: Project
    stack: Stack
    job: Any
    folder: Path
    #: The environment of the steps, which each of them may change for those that follow.
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        gh = self.folder / "gh"
        gh.write_text(GH)
        gh.chmod(0o700)
        path = f"{self.folder}:{self.project.environ({})['PATH']}"
        files = {"GITHUB_ENV": str(self.github_env), "RUNNER_TEMP": str(self.folder), "PATH": path}
        self.environ |= files | DEPLOYER | self._values(self.job.get("env", {}))

    @property
    def github_env(self) -> Path:
        return self.folder / "github-env"

    def step(self, name: str) -> Ran:
        """Run the step of this name, and take over what it leaves in `$GITHUB_ENV`."""
        step = next(one for one in self.job["steps"] if one.get("name") == name)
        extra = self.environ | self._values(step.get("env", {}))
        self.github_env.write_text("")
        done = self.project.run(["bash", "-e", "-c", step["run"]], extra, shows_secrets=True)
        assert done.ok, done.output
        self.environ |= read_github_env(self.github_env.read_text())
        return done

    def _values(self, env: dict[str, str]) -> dict[str, str]:
        given = {
            "matrix.environment": self.stack.name,
            "vars.PULUMI_BACKEND_URL": f"file://{self.project.state}",
            "vars.STORAGE_SECRETS_ENVIRONMENT": "studio-app",
            "secrets.PULUMI_CONFIG_PASSPHRASE": "of this test alone",
            **{f"secrets.{name}": value for name, value in self.stack.admin.items()},
        }

        def given_value(found: re.Match[str]) -> str:
            return given.get(found[1], "")

        return {name: re.sub(r"\$\{\{ ([\w.]+) \}\}", given_value, value) for name, value in env.items()}


def read_github_env(text: str) -> dict[str, str]:
    """The variables in the file, in both of the forms that GitHub documents."""
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        if match := re.fullmatch(r"(\w+)<<(.+)", line):
            value = []
            while (part := next(lines)) != match[2]:
                value.append(part)
            found[match[1]] = "\n".join(value)
        else:
            name, equals, one = line.partition("=")
            assert equals, line
            found[name] = one
    return found


def hidden(done: Ran) -> str:
    """What the log shows: everything that a line before asked to be masked is gone."""
    shown, masked = [], []
    for line in done.output.splitlines():
        if line.startswith("::add-mask::"):
            masked.append(line.removeprefix("::add-mask::"))
        else:
            for secret in masked:
                line = line.replace(secret, "***")  # noqa: PLW2901  # as the runner does
            shown.append(line)
    return "\n".join(shown)


def test_the_jobs_preview_deploy_and_pass_on_the_env_file_without_showing_a_secret(project, tmp_path):
    stack = project.stack("workflow", {"disposable": True})
    preview = Runner(project, stack, JOBS["preview"], tmp_path / "preview").step("Preview")
    assert "to create" in preview.output
    assert stack.left() == set()
    assert stack.admin["MPR_ADMIN_SECRET_ACCESS_KEY"] not in preview.output

    job = Runner(project, stack, JOBS["deploy"], tmp_path / "deploy")
    deployed = job.step("Deploy, and prove what the keys may do")
    assert "access checks passed" in deployed.output
    env = stack.env()
    assert env["AWS_SECRET_ACCESS_KEY"] not in deployed.output

    quiet = job.step("Env to the secrets of a GitHub environment")
    assert env["AWS_SECRET_ACCESS_KEY"] not in quiet.output
    file = job.folder / "gh-file"
    assert dotenv_values(file, interpolate=False) == env
    assert "secret set --env studio-app --env-file" in (job.folder / "gh-arguments").read_text()

    handed = job.step("Env to the steps that follow")
    assert env["AWS_SECRET_ACCESS_KEY"] not in hidden(handed)
    assert {name: job.environ[name] for name in env} == env
    assert not set(DEPLOYER.values()) & set(job.environ.values())

    shown = job.step("Your own steps, such as this one")
    assert "bucket_in='engine-workflow-in'" in shown.output
    assert env["AWS_SECRET_ACCESS_KEY"] not in shown.output
    client = get_s3_client(Settings.from_env(job.environ))
    assert client.list_objects_v2(Bucket=env["S3_BUCKET_IN"])["KeyCount"] == 0
