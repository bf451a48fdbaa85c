"""The component package in programs of other languages, and the programs of docs/how-to/components.md."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.storage import get_s3_client
from core.storage.settings import Settings
from infra.config.definitions import CONFIGURATION, SECRETS
from tests.conftest import REPO
from tests.docs._blocks import blocks
from tests.doubles.fixtures import Account
from tests.engine.support import Project, Ran

CLONE = "/path/to/mpr-storage"  # in docs/how-to/components.md
PAGE = (REPO / "docs" / "how-to" / "components.md").read_text(encoding="utf-8")
IN_YAML, IN_PYTHON = blocks(PAGE, "yaml")
needs_yaml = pytest.mark.skipif(
    shutil.which("pulumi-language-yaml") is None, reason="needs `pulumi-language-yaml` on PATH"
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the package needs of a clone, with the Python environments that its user made."""
    root = tmp_path / "clone"
    shutil.copytree(REPO / "component", root / "component", ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    for name in ("core", "infra"):
        (root / name).symlink_to(REPO / name)
    for folder in (root, root / "component"):
        (folder / ".venv").symlink_to(sys.prefix)
    return root


@dataclass(frozen=True)
class Program:
    """A Pulumi program with one stack, and what its runs have in their environment."""

    project: Project
    folder: Path
    environ: dict[str, str]

    def run(self, *arguments: str, **variables: str) -> Ran:
        command = ["pulumi", "-C", str(self.folder), *arguments, "--non-interactive", "--color", "never"]
        return self.project.run(command, self.environ | variables)

    def do(self, *arguments: str, **variables: str) -> Ran:
        """Run a command that must succeed."""
        done = self.run(*arguments, **variables)
        assert done.ok, done.output
        return done

    def outputs(self) -> dict[str, Any]:
        command = ["pulumi", "-C", str(self.folder), "stack", "output", "--json", "--show-secrets"]
        shown = self.project.run(command, self.environ, shows_secrets=True)
        outputs: dict[str, Any] = json.loads(shown.stdout)
        self.project.secrets.add(outputs["app"]["AWS_SECRET_ACCESS_KEY"])
        return outputs


New = Callable[[dict[str, str]], Program]


@pytest.fixture
def new(project: Project, plugins: Path, account: Account, clone: Path, tmp_path: Path) -> New:
    """Creates a program from the content of its files, with a stack in an account of the double of AWS."""

    def create(files: dict[str, str]) -> Program:
        folder = tmp_path / "program"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content.replace(CLONE, str(clone)), encoding="utf-8")
        project.secrets.add(account.keys.secret_access_key)
        path = f"{plugins}{os.pathsep}{os.environ['PATH']}"
        program = Program(project, folder, account.environ | {"PATH": path})
        program.do("stack", "init", "test")
        return program

    return create


def in_yaml(**properties: object) -> str:
    """The YAML program of the page with other properties."""
    content = yaml.safe_load(IN_YAML)
    content["resources"]["prod"]["properties"] |= properties
    return yaml.safe_dump(content)


def is_deployed(outputs: dict[str, Any], account: Account) -> None:
    """Whether both buckets exist, with the rules of the page, and the keys of `app` are of use."""
    assert outputs["inBucket"].startswith("mpr-prod-in-")
    account.s3.head_bucket(Bucket=outputs["inBucket"])
    rules = account.s3.get_bucket_lifecycle_configuration(Bucket=outputs["outBucket"])["Rules"]
    assert [(rule["ID"], rule["Expiration"]["Days"]) for rule in rules if "Expiration" in rule] == [
        ("mpr-expire-cache/", 30)
    ]
    settings = Settings.from_env(outputs["app"])
    assert (settings.bucket_in, settings.bucket_out) == (outputs["inBucket"], outputs["outBucket"])
    client = get_s3_client(replace(settings, endpoint_url=account.endpoint))
    client.put_object(Bucket=outputs["inBucket"], Key="a.mp4", Body=b"x")
    users = {user["UserName"] for user in account.iam.list_users()["Users"]}
    assert {"mpr-prod-app", "mpr-prod-web"} <= users


@needs_yaml
def test_the_yaml_program_of_the_page_is_deployed_unchanged_by_a_preview_and_destroyed(new: New, account):
    program = new({"Pulumi.yaml": in_yaml(disposable=True)})
    shown = program.do("up", "--yes", "--skip-preview")
    assert "app      : [secret]" in shown.stdout
    for kind in ("Storage", "Bucket", "Identity"):
        assert f"mpr-storage:index:{kind} " in shown.stdout
    is_deployed(program.outputs(), account)
    program.do("preview", "--expect-no-changes")
    program.do("destroy", "--yes")
    assert account.s3.list_buckets()["Buckets"] == []


def test_the_python_program_of_the_page_is_deployed(new: New, account, clone):
    code = blocks(PAGE, "python")[0]
    program = new({"Pulumi.yaml": IN_PYTHON, "__main__.py": code})
    program.do("up", "--yes", "--skip-preview", PYTHONPATH=str(clone))
    is_deployed(program.outputs(), account)


@needs_yaml
def test_a_mistake_is_a_sentence_without_a_traceback(new: New, account):
    program = new({"Pulumi.yaml": in_yaml(region="eu west", buckets={"out": {"abortMultipartDays": 0}})})
    refused = program.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "problem: component prod:\n      region: must hold only letters, digits and hyphens, got eu west\n" in (
        refused.stdout
    )
    assert "buckets.out.abortMultipartDays: must be at least 1, got 0\n" in refused.stdout
    assert "File " not in refused.output
    assert account.s3.list_buckets()["Buckets"] == []


@needs_yaml
def test_an_output_and_a_secret_are_refused_as_settings(new: New):
    content = yaml.safe_load(in_yaml(region={"fn::secret": "eu-west-1"}))
    content["resources"]["first"] = {
        "type": "mpr-storage:index:Storage",
        "properties": {"target": "aws", "region": "eu-west-1"},
    }
    content["resources"]["prod"]["properties"]["buckets"] = {"out": {"name": "${first.outBucket}"}}
    refused = new({"Pulumi.yaml": yaml.safe_dump(content)}).run("preview")
    assert not refused.ok
    for setting in ("region", "buckets.out.name"):
        assert f" {setting}: is an output, and must be known before the update: write its value" in refused.stdout
    assert "File " not in refused.output


@needs_yaml
def test_a_store_needs_two_variables_that_its_refusal_names(new: New, project: Project, clone):
    content = yaml.safe_load(IN_YAML)
    names = {role: f"component-{role}" for role in ("in", "out")}
    content["resources"]["prod"]["properties"] = {
        "target": "s3-compatible",
        "endpoint": project.store.endpoint,
        "disposable": True,
        "buckets": {role: {"name": name} for role, name in names.items()},
    }
    program = new({"Pulumi.yaml": yaml.safe_dump(content)})
    refused = program.run("up", "--yes", "--skip-preview", **project.admin)
    assert not refused.ok
    python = clone / "component" / ".venv" / "bin" / "python"
    assert f" PULUMI_PYTHON_CMD={python} and PYTHONPATH={clone} for every pulumi command" in refused.stdout
    variables = {"PULUMI_PYTHON_CMD": str(python), "PYTHONPATH": str(clone), **project.admin}
    program.do("up", "--yes", "--skip-preview", **variables)
    settings = Settings.from_env(program.outputs()["app"])
    get_s3_client(settings).put_object(Bucket=names["in"], Key="a.mp4", Body=b"x")
    program.do("preview", "--expect-no-changes", **variables)
    program.do("destroy", "--yes", **variables)
    assert not set(names.values()) & project.buckets()


def test_pulumi_installs_the_package_and_gets_its_schema(project: Project, clone, tmp_path):
    """The installation is real but for `venv` and `pip`, which would need a network."""
    (clone / "component" / ".venv").unlink()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1 $2" = "-m venv" ] && exec ln -s {sys.prefix} "$3"\n')
    python.chmod(0o755)
    pip, installed = tmp_path / "fake" / "pip", tmp_path / "installed"
    pip.mkdir(parents=True)
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(
        "import sys\n"
        f"open({str(installed)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "if sys.argv[1] == 'list':\n    print('[]')\n"  # for Pulumi, which downloads the plugins of what it finds
    )
    variables = {"PULUMI_PYTHON_CMD": str(python), "PYTHONPATH": str(pip.parent)}
    done = project.run(["pulumi", "package", "get-schema", str(clone / "component")], variables)
    assert done.ok, done.output
    assert "install -r requirements.txt" in installed.read_text().splitlines()
    schema = json.loads(done.stdout)
    storage = schema["resources"]["mpr-storage:index:Storage"]
    assert storage["isComponent"]
    assert storage["requiredInputs"] == ["target"]
    inputs = storage["inputProperties"]
    assert inputs.keys() == CONFIGURATION.keys.keys() - SECRETS
    for name, setting in inputs.items():
        assert setting["description"].startswith(CONFIGURATION.keys[name].description)
        assert setting["plain"], f"SDKs accept an output for {name}"
    outputs = {name: output["type"] for name, output in storage["properties"].items()}
    assert outputs == {"inBucket": "string", "outBucket": "string", "identities": "object"}
    assert set(storage["required"]) == set(outputs)
