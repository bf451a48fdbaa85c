"""`python -m infra deployer`: what the credentials of a deployment to AWS must be allowed."""

from __future__ import annotations

import json
from importlib import import_module

import click

from infra import config as configuration
from infra.deployer.policy import policy
from infra.errors import UsageError
from infra.policies import length

#: Characters that AWS takes in a managed policy, white space not counted
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
_MOST = 6144


@click.command()
@click.argument("environment")
@click.option("--account", default="*", help="The id of the AWS account; without it, names count in any account.")
def deployer(environment: str, account: str) -> None:
    """Print the smallest AWS policy with which the environment can be deployed.

    Generated from the environment's own program, which is run here without any cloud. For the other clouds,
    docs/deployers.md says it.
    """
    config = configuration.load(environment)
    if config.target != "aws":
        raise UsageError(
            f"{environment} is on target {config.target}: docs/deployers.md says what its deployment takes"
        )
    # Loaded here: this needs Pulumi and its SDK of AWS, which the other commands do not.
    resources = import_module("infra.targets._record").resources(config)
    document = policy(config, resources, account)
    click.echo(json.dumps(document, indent=2))
    if (long := length(document)) > _MOST:
        click.echo(f"this has {long} characters, and a managed policy may have {_MOST}: split it in two", err=True)
