"""From the resources of a program to the policy that deploying them takes. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.config import EnvironmentConfig
from infra.deployer.actions import ACTIONS, BOUNDED, CREATE_KEY, EMPTY_BUCKET, SET_BOUNDARY, Actions
from infra.errors import InfraError
from infra.policies import Policy, partition_of


@dataclass(frozen=True)
class Resource:
    """One resource of the program."""

    type: str
    name: str
    inputs: Mapping[str, Any]


def policy(config: EnvironmentConfig, resources: Iterable[Resource], account: str = "*") -> Policy:
    """The smallest policy with which these resources can be previewed, deployed, refreshed and destroyed.

    Args:
        config: the environment.
        resources: what its program consists of.
        account: the id of the account, to name users, roles and keys exactly; ``*`` for any.
    """
    made = [one for one in resources if not one.type.startswith("pulumi:")]
    rows = {one.type: _row(one.type) for one in made}
    arns = _arns(config, made, account)
    statements = []
    for kind, places in arns.items():
        names = _actions(config, [row for row in rows.values() if row.on == kind])
        if kind in SET_BOUNDARY and config.permissions_boundary:
            bounded = [*sorted(BOUNDED & names), SET_BOUNDARY[kind]]
            within = {"StringEquals": {"iam:PermissionsBoundary": config.permissions_boundary}}
            statements.append(_allow(bounded, places) | {"Condition": within})
            names -= BOUNDED
        statements.append(_allow(names, places))
    if "bucket" in arns and config.disposable:
        statements.append(_allow(EMPTY_BUCKET, [f"{arn}/*" for arn in arns["bucket"]]))
    if "key" in arns:
        statements.append(_allow([CREATE_KEY], ["*"]))
    return {"Version": "2012-10-17", "Statement": statements}


def _row(token: str) -> Actions:
    if token not in ACTIONS:
        raise InfraError(f"nothing is known of what {token} takes: add its row to infra/deployer/actions.py")
    return ACTIONS[token]


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
    """The ARNs of each kind, as tight as names allow."""
    partition = partition_of(config.region)
    shapes = {
        "aws:s3/bucket:Bucket": ("bucket", f"arn:{partition}:s3:::", "bucket"),
        "aws:iam/user:User": ("user", f"arn:{partition}:iam::{account}:user/", "name"),
        "aws:iam/role:Role": ("role", f"arn:{partition}:iam::{account}:role/", "name"),
        "aws:kms/key:Key": ("key", f"arn:{partition}:kms:{config.region}:{account}:key/*", ""),
    }
    found: dict[str, list[str]] = {}
    for one in resources:
        if one.type in shapes:
            kind, start, named = shapes[one.type]
            # A name that Pulumi generates is the resource's own, a hyphen and seven digits.
            end = one.inputs.get(named) or f"{one.name}-*" if named else ""
            found.setdefault(kind, []).append(f"{start}{end}")
    return {kind: sorted(arns) for kind, arns in found.items()}


def _allow(actions: Iterable[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resources}
