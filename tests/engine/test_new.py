"""From `./mpr new` to a deployed environment with the real engine, on the doubles of the clouds."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from infra.check import runner, settle
from infra.config import stack_files
from infra.config.load import load_environment
from tests.engine.clouds import TARGETS, Clouds
from tests.infra._templates import options

#: What `./mpr up` does before it checks the access, which it would do at the endpoint of the real cloud.
DEPLOY = """
import sys
from infra.config.load import load_environment
from infra.local.up import deploy

deploy(load_environment(sys.argv[1]), print)
"""


@pytest.mark.parametrize("target", TARGETS)
def test_up_creates_the_stack_of_a_new_environment_in_the_backend_of_the_user(clouds: Clouds, target, monkeypatch):
    stack = clouds.planned(target, f"{target}-new")
    new = stack.project.run([sys.executable, "-m", "infra", "new", stack.name, *options(target)], stack.admin)
    assert new.ok, new.output
    comments = re.findall(r"# .*", stack.file.read_text())

    deployed = stack.project.run([sys.executable, "-c", DEPLOY, stack.name], stack.admin)
    assert deployed.ok, deployed.output
    assert f"deploying {stack.name} with Pulumi" in deployed.output
    assert stack.name in stack.project.run(["pulumi", "stack", "ls"], {}).output
    assert re.findall(r"# .*", stack.file.read_text()) == comments, "Pulumi keeps them when it writes its salt"

    monkeypatch.setattr(settle, "_PAUSE", 0.01)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", stack.project.environments)
    monkeypatch.setattr(runner, "with_keys", lambda settings, _: replace(settings, endpoint_url=stack.endpoint))
    findings = list(runner.run(load_environment(stack.name)))
    assert findings
    assert [str(finding) for finding in findings if finding.failed] == []
