from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import cli
from infra.config.load import parse
from infra.deployer.policy import Resource, policy
from infra.errors import InfraError

AWS = {"target": "aws", "region": "cn-north-1", "identities": ["app", "viewer"]}


def run(
    environments: Path, capsys: pytest.CaptureFixture[str], *options: str, **changes: Any
) -> tuple[int, str, str]:
    content = {"config": {f"mpr-storage:{name}": value for name, value in (AWS | changes).items()}}
    (environments / "Pulumi.prod.yaml").write_text(yaml.safe_dump(content))
    code = cli.run(["deployer", "prod", *options])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def resources_of(text: str) -> set[str]:
    return {one for statement in json.loads(text)["Statement"] for one in statement["Resource"]}


def test_the_policy_names_the_buckets_and_users_of_the_environment_alone(environments, capsys):
    code, out, err = run(environments, capsys, "--account", "123456789012")
    assert code == 0
    assert "prod has no permissionsBoundary: " in err
    assert "`python -m infra deployer prod --boundary`" in err
    assert resources_of(out) == {
        "arn:aws-cn:s3:::mpr-prod-in-???????",
        "arn:aws-cn:s3:::mpr-prod-out-???????",
        "arn:aws-cn:iam::123456789012:user/mpr-prod-app",
        "arn:aws-cn:iam::123456789012:user/mpr-prod-viewer",
    }


@pytest.mark.parametrize("account", ["12345", "*2", "", "123456789012 ", "\u0661" * 12])
def test_what_is_not_an_account_is_refused(environments, capsys, account):
    code, out, err = run(environments, capsys, "--account", account)
    assert (code, out) == (2, "")
    assert "must be an AWS account ID of 12 digits" in err


def test_the_policy_names_a_bucket_by_its_configured_name(environments, capsys):
    _, out, _ = run(environments, capsys, buckets={"in": {"name": "studio-in"}}, identities=["app"])
    assert resources_of(out) == {
        "arn:aws-cn:s3:::studio-in",
        "arn:aws-cn:s3:::mpr-prod-out-???????",
        "arn:aws-cn:iam::*:user/mpr-prod-app",
    }


def test_the_boundary_is_what_app_may_do_whichever_identities_there_are(environments, capsys):
    code, out, err = run(environments, capsys, "--boundary", "--account", "123456789012", encryption="kms")
    assert (code, err) == (0, "")
    assert resources_of(out) == {
        *(f"arn:aws-cn:s3:::mpr-prod-{role}-???????{end}" for role in ("in", "out") for end in ("", "/*")),
        "arn:aws-cn:kms:cn-north-1:123456789012:key/*",
    }
    assert (
        run(environments, capsys, "--boundary", identities=["viewer"])[1:]
        == run(environments, capsys, "--boundary", identities=["app"])[1:]
    )


def test_with_a_boundary_in_the_configuration_there_is_no_warning(environments, capsys):
    arn = "arn:aws-cn:iam::123456789012:policy/boundary"
    code, out, err = run(environments, capsys, permissionsBoundary=arn)
    assert (code, err) == (0, "")
    assert arn in out


@pytest.mark.parametrize("target", ["gcp", "r2", "s3-compatible"])
def test_for_another_target_the_error_names_the_documentation(target, environments, capsys):
    of_target: dict[str, dict[str, Any]] = {
        "gcp": {"project": "acme-media", "location": "EU"},
        "r2": {"account": "0" * 32},
        "s3-compatible": {
            "endpoint": "http://127.0.0.1:1",
            "buckets": {role: {"name": f"media-{role}"} for role in ("in", "out")},
        },
    }
    content = {"mpr-storage:target": target} | {f"mpr-storage:{k}": v for k, v in of_target[target].items()}
    (environments / "Pulumi.other.yaml").write_text(yaml.safe_dump({"config": content}))
    assert cli.run(["deployer", "other"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "docs/how-to/deployers.md" in err


def test_without_the_sdk_of_aws_the_error_names_what_to_install(environments, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pulumi_aws", None)
    monkeypatch.delitem(sys.modules, "infra.targets.aws.program", raising=False)
    code, out, err = run(environments, capsys)
    assert (code, out) == (2, "")
    assert "make .venv/aws" in err


def test_a_policy_that_is_longer_than_aws_allows_is_printed_with_a_warning(environments, capsys):
    many = [{"name": f"identity{index:07}", "rights": "viewer"} for index in range(120)]
    code, out, err = run(environments, capsys, identities=many)
    assert code == 0
    assert json.loads(out)
    assert "split it in two" in err


def test_a_resource_type_without_a_row_of_actions_is_an_error():
    config = parse("prod", AWS, "test")
    with pytest.raises(
        InfraError, match=r"aws:s3/other:Other are not known: add its row to infra/deployer/actions\.py"
    ):
        policy(config, [Resource("aws:s3/other:Other", "mpr-prod-in", {})])
