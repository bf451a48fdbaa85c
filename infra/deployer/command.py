"""`python -m infra deployer`: the permissions that the deployment of an environment on AWS needs."""

from __future__ import annotations

import json
from importlib import import_module

import click

from core.storage._internal import account_problem
from infra.command_name import COMMAND
from infra.config.environment import EnvironmentConfig
from infra.config.load import load_environment
from infra.deployer.boundary import boundary as boundary_policy
from infra.deployer.policy import policy
from infra.environment_argument import ENVIRONMENT
from infra.errors import UsageError
from infra.policies import Policy, length
from infra.targets.registry import TARGETS

#: The characters that a managed policy of AWS may have, without white space
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
_MAXIMUM = 6144
_UNBOUNDED = (
    "{environment} has no permissionsBoundary: a deployer with this policy can give its identities any "
    "permission, and so become administrator of the account. `{command} deployer {environment} --boundary` "
    "prints a permissions boundary; docs/how-to/deployers.md says how to set it"
)


def _valid_account(_ctx: click.Context, _param: click.Parameter, account: str) -> str:
    if account != "*" and (problem := account_problem(account)):
        raise click.BadParameter(f"{problem}, got {account}")
    return account


@click.command()
@click.argument("environment", type=ENVIRONMENT)
@click.option(
    "--account",
    default="*",
    callback=_valid_account,
    help="The ID of the AWS account; by default, the policy is valid in any account.",
)
@click.option(
    "--boundary", is_flag=True, help="Print the permissions boundary for the environment's identities instead."
)
def deployer(environment: str, account: str, *, boundary: bool) -> None:
    """Print the least-privilege AWS policy for the deployment of the environment.

    Generated from the environment's own program, which is run without AWS. For the other clouds, see
    docs/how-to/deployers.md.
    """
    config = load_environment(environment)
    if not TARGETS[config.target].has_aws_iam:
        raise UsageError(
            f"{environment} is on target {config.target}: its permissions are in docs/how-to/deployers.md"
        )
    document = boundary_policy(config, account) if boundary else _deployment_policy(config, account)
    click.echo(json.dumps(document, indent=2))
    if (characters := length(document)) > _MAXIMUM:
        click.echo(
            f"this policy has {characters} characters, and a managed policy may have {_MAXIMUM}: split it in two",
            err=True,
        )
    if not (boundary or config.permissions_boundary):
        click.echo(_UNBOUNDED.format(command=COMMAND, environment=environment), err=True)


def _deployment_policy(config: EnvironmentConfig, account: str) -> Policy:
    # Imported here, because no other command needs Pulumi and its AWS provider.
    resources = import_module("infra.deployer.record").resources(config)
    return policy(config, resources, account)
