"""A new target is a folder with two modules and a word in the registry: all else follows from its spec."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from core.storage.settings import Settings
from infra.env import files
from tests.infra.conftest import Project

_SPEC = '''
"""What is known of target `acme`."""

from infra.targets.spec import Explanation, NameRule, TagRule, TargetSpec

SPEC = TargetSpec(
    name="acme",
    credentials=("token",),
    region="acme-1",
    group="acme",
    package="acmecloud",
    required=("account",),
    refused={"project": "use `account`", "buckets.versioning": "Acme keeps no versions"},
    bucket_names=(NameRule("acme-", "must not start with acme-"),),
    tags=TagRule("[a-z]+", "[a-z]+", "lower-case letters"),
    identity_length=20,
    settles_within=45,
    rclone_provider="Acme",
    hosts=(".acme.example",),
    explanations=(Explanation("E-1234", "the account has no credit left: top it up"),),
)
'''

_PROGRAM = '''
"""Target `acme`: a bucket pair, and a token for each identity."""

import pulumi

from core.storage.settings import Settings
from infra.config import naming
from infra.targets.program import Access, BucketResources, Key


class Resource(pulumi.CustomResource):
    secret: pulumi.Output[str]

    def __init__(self, kind, name, opts):
        super().__init__(f"acmecloud:index:{kind}", name, {"bucket": name, "secret": None}, opts)


class Program:
    def __init__(self, config, options):
        self._config = config

    def bucket(self, role, options):
        name = naming.bucket(self._config.environment, role)
        return BucketResources(name, [Resource("Bucket", name, options.kept(role))])

    def identity(self, identity, buckets, options):
        name = naming.identity(self._config.environment, identity.name)
        token = Resource("Token", f"{name}-a", options.plain(f"{identity.name}-a"))
        settings = Settings(endpoint_url="https://s3.acme.example", region=self._config.region)
        return Access(settings, [token], keys={"a": Key(token.id, token.secret, token.id)}).after(buckets)
'''

ACCOUNT = "0123456789abcdef0123456789abcdef"
VALUES: dict[str, Any] = {"target": "acme", "account": ACCOUNT}


@pytest.fixture
def project(project: Project) -> Project:
    """A copy of the project with the target `acme`."""
    folder = project.root / "infra/targets/acme"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Target `acme`."""\n')
    (folder / "spec.py").write_text(_SPEC)
    (folder / "program.py").write_text(_PROGRAM)
    registry = project.root / "infra/targets/registry.py"
    registry.write_text(registry.read_text().replace('"r2")', '"r2", "acme")'))
    return project


def run(project: Project, code: str) -> Any:
    """Run code in the copy of the project, with `values` and `parse`; return the JSON that it prints."""
    start = f"import json, sys\nfrom infra.config.load import parse\nvalues = {VALUES!r}\n"
    command = [sys.executable, "-c", start + code]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_configuration_accepts_and_refuses_what_the_specification_says(project: Project):
    wrong = {
        "target": "acme",
        "project": "acme-media",
        "credentials": "user",
        "tags": {"Team": "media"},
        "buckets": {"in": {"name": "acme-in"}, "out": {"versioning": True}},
        "identities": ["app", {"name": "subscriptions", "rights": "viewer"}],
    }
    found = run(
        project,
        f"""
from infra.config.environment import ConfigError
config = parse("studio", values | {{"tags": {{"team": "media"}}}}, "here.yaml")
try:
    parse("studio", {wrong!r}, "here.yaml")
except ConfigError as error:
    print(json.dumps([config.credentials, config.region, error.problems]))
""",
    )
    assert found[:2] == ["token", "acme-1"]
    assert set(found[2]) == {
        "account: is required",
        "project: not supported by target acme: use `account`",
        "credentials: must be one of token, got user",
        "tags: must be lower-case letters, got Team: media",
        "buckets.in.name: must not start with acme- (acme-in)",
        "buckets.out.versioning: not supported by target acme: Acme keeps no versions",
        "environment: is too long for the names of identities and buckets by 4 characters",
    }


def test_the_table_of_the_readme_has_a_column_for_it(project: Project):
    rows = run(
        project, "from infra.targets.capabilities import markdown\nprint(json.dumps(markdown().splitlines()))"
    )
    cells = {row.strip("|").split("|")[0].strip(): row.strip("|").split("|")[-1].strip() for row in rows}
    assert cells["setting"] == "acme"
    assert (cells["`account`"], cells["`project`"], cells["`adopt`"]) == ("required", "no", "yes")
    assert cells["how keys are made"] == "`token`"


def test_the_schema_for_editors_knows_its_settings(project: Project):
    schema = run(project, "from infra.config.schema import text\nprint(text())")
    config = schema["properties"]["config"]
    assert "acme" in config["properties"]["mpr-storage:target"]["enum"]
    targets = [restriction["if"]["properties"]["mpr-storage:target"]["const"] for restriction in config["allOf"]]
    assert targets[-1] == "acme"
    assert {"required": ["mpr-storage:account"]} in config["allOf"][-1]["then"]["allOf"]


def test_rclone_gets_its_provider_by_the_host_of_the_endpoint(project: Project):
    settings = Settings(
        endpoint_url="https://s3.acme.example",
        region="acme-1",
        bucket_in="media-in",
        bucket_out="media-out",
        access_key_id="AKIAACME",
        secret_access_key="hush",
    )
    config = {f"mpr-storage:{name}": value for name, value in VALUES.items()} | {"acmecloud:debug": "true"}
    (project.environments / "Pulumi.studio.yaml").write_text(yaml.safe_dump({"config": config}))
    file = project.environments / "studio.env"
    file.write_text(files.render(settings, "studio", "app"))
    file.chmod(0o600)
    done = project.run("env", "studio", "--format", "rclone")
    assert done.returncode == 0, done.stderr
    assert "provider = Acme\n" in done.stdout


def test_the_access_check_waits_as_long_as_the_specification_says(project: Project):
    printed = run(
        project,
        """
import click
from core.storage.settings import Settings
from infra.check import settle
responses = iter([False, True])
settle._is_known = lambda *_: next(responses)
lines = []
click.echo = lambda line, **_: lines.append(line)
settle.wait_until_known("acme", parse("studio", values, "here.yaml").identities[0], Settings(region="acme-1"))
print(json.dumps(lines))
""",
    )
    assert printed == ["waiting until acme knows the key of app everywhere (45 s at most)"]


def test_an_error_of_its_provider_is_explained(project: Project):
    sentence = run(
        project,
        """
from infra.targets.registry import TARGETS
print(json.dumps(TARGETS["acme"].next_step("mpr-studio-in", "HTTP 402: e-1234")))
""",
    )
    assert sentence == "mpr-studio-in: the account has no credit left: top it up"


def test_its_program_is_loaded_by_its_name_and_creates_the_resources(project: Project):
    resources = run(
        project,
        """
from infra.deployer.record import resources
found = resources(parse("studio", values, "here.yaml"))
print(json.dumps(sorted([one.type, one.name] for one in found)))
""",
    )
    assert resources == [
        ["acmecloud:index:Bucket", "mpr-studio-in"],
        ["acmecloud:index:Bucket", "mpr-studio-out"],
        ["acmecloud:index:Token", "mpr-studio-app-a"],
        ["mpr-storage:index:Bucket", "mpr-studio-in"],
        ["mpr-storage:index:Bucket", "mpr-studio-out"],
        ["mpr-storage:index:Identity", "mpr-studio-app"],
        ["mpr-storage:index:Storage", "studio"],
    ]
