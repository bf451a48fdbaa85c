"""What `./mpr new` writes for each cloud deploys as it is, and with every setting that it suggests."""

from __future__ import annotations

import pytest

from infra import cli
from infra.config import stack_files, stack_yaml
from tests.infra._templates import options, with_suggestions
from tests.infra.targets.conftest import Cloud


@pytest.fixture
def written(cloud: Cloud) -> Cloud:
    """The cloud with what the file of its environment says, and nothing else."""
    assert cli.run(["new", cloud.environment, *options(cloud.target)]) == 0
    return configured(cloud)


def configured(cloud: Cloud) -> Cloud:
    cloud.values = dict(stack_yaml.read(cloud.environment).values)
    return cloud


def deploys(cloud: Cloud) -> None:
    cloud.up()
    findings = cloud.check()
    assert findings
    assert [str(finding) for finding in findings if finding.failed] == []


def test_it_deploys_as_it_is(written: Cloud) -> None:
    deploys(written)


def test_it_deploys_with_every_setting_that_it_suggests(written: Cloud) -> None:
    file = stack_files.path(written.environment)
    text = with_suggestions(file.read_text())
    # Roles are taken on by whom `trust` names alone, and the test is not one of them.
    credentials = ("  mpr-storage:credentials: role\n", "  mpr-storage:trust: ")
    file.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith(credentials)))
    deploys(configured(written))
