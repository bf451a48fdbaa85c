"""The policy that the deployment of a program's resources needs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.config.environment import EnvironmentConfig
from infra.deployer.actions import ACTIONS, BOUNDED, CREATE_KEY, EMPTY_BUCKET, SET_BOUNDARY, Actions
from infra.errors import InfraError
from infra.policies import Policy, allow
from infra.targets.aws.partition import partition_of
from infra.targets.aws.rules import RANDOM_SUFFIX

#: What Pulumi adds to a name that is not configured: a hyphen and seven digits. In a policy, ``?`` is one
#: character, so that mpr-prod-in-??????? does not match mpr-prod-in-in-1a2b3c4, a bucket of environment `prod-in`.
GENERATED = "-" + "?" * (RANDOM_SUFFIX - 1)


@dataclass(frozen=True)
class Resource:
    """A resource of the program."""

    type: str
    name: str
    inputs: Mapping[str, Any]


def policy(config: EnvironmentConfig, resources: Iterable[Resource], account: str = "*") -> Policy:
    """Return the least-privilege policy to preview, deploy, refresh and destroy these resources.

    Args:
        config: the environment.
        resources: the resources of its program.
        account: the ID of the account, for exact ARNs; ``*`` for any.

    Raises:
        InfraError: a resource type has no row in `infra.deployer.actions`.
    """
    resources = [resource for resource in resources if not resource.type.startswith(("pulumi:", "mpr-storage:"))]
    rows = {resource.type: _row(resource.type) for resource in resources}
    arns = _arns(config, resources, account)
    statements = []
    for kind, kind_arns in arns.items():
        names = _actions(config, [row for row in rows.values() if row.on == kind])
        if kind in SET_BOUNDARY and config.permissions_boundary:
            bounded = sorted([*(BOUNDED & names), SET_BOUNDARY[kind]])
            condition = {"StringEquals": {"iam:PermissionsBoundary": config.permissions_boundary}}
            statements.append(allow(bounded, kind_arns) | {"Condition": condition})
            names -= BOUNDED
        statements.append(allow(sorted(names), kind_arns))
    if "bucket" in arns and config.disposable:
        statements.append(allow([*EMPTY_BUCKET], [f"{arn}/*" for arn in arns["bucket"]]))
    if "key" in arns:
        statements.append(allow([CREATE_KEY], ["*"]))
    return {"Version": "2012-10-17", "Statement": statements}


def _row(resource_type: str) -> Actions:
    if resource_type not in ACTIONS:
        raise InfraError(f"the actions of {resource_type} are not known: add its row to infra/deployer/actions.py")
    return ACTIONS[resource_type]


def _actions(config: EnvironmentConfig, rows: Iterable[Actions]) -> set[str]:
    names: set[str] = set()
    for row in rows:
        names |= set(row.deploy)
        if row.on in {"user", "role"} or config.disposable:
            names |= set(row.delete)
        if config.tags:
            names |= set(row.tags)
    return names


def _arns(config: EnvironmentConfig, resources: Iterable[Resource], account: str) -> dict[str, list[str]]:
    """Return the ARNs of each kind of resource, as exact as their names are known."""
    partition = partition_of(config.region)
    # By type: the kind, the start of the ARN, and the property that has the rest of it.
    formats = {
        "aws:s3/bucket:Bucket": ("bucket", f"arn:{partition}:s3:::", "bucket"),
        "aws:iam/user:User": ("user", f"arn:{partition}:iam::{account}:user/", "name"),
        "aws:iam/role:Role": ("role", f"arn:{partition}:iam::{account}:role/", "name"),
        "aws:kms/key:Key": ("key", f"arn:{partition}:kms:{config.region}:{account}:key/*", ""),
    }
    arns: dict[str, list[str]] = {}
    for resource in resources:
        if resource.type in formats:
            kind, start, property_ = formats[resource.type]
            end = resource.inputs.get(property_) or f"{resource.name}{GENERATED}" if property_ else ""
            arns.setdefault(kind, []).append(f"{start}{end}")
    return {kind: sorted(kind_arns) for kind, kind_arns in arns.items()}
