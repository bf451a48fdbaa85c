"""The assume-role policy of an identity that is a role."""

from __future__ import annotations

from typing import Any

from infra.config.trust import Trust

#: https://docs.github.com/actions/reference/security/oidc
_GITHUB = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"


def trust_policy(trust: Trust, account: str, partition: str) -> dict[str, Any]:
    """Return the assume-role policy document of a role that trusts exactly these."""
    statements: list[dict[str, Any]] = []
    if trust.principals:
        principals = {"AWS": sorted(trust.principals)}
        statements.append({"Effect": "Allow", "Principal": principals, "Action": "sts:AssumeRole"})
    if trust.github:
        subjects = [f"repo:{one}" for one in trust.github]
        statements.append(_federated(_GITHUB, subjects, account, partition))
    if trust.eks_provider:
        accounts = [f"system:serviceaccount:{one.replace('/', ':')}" for one in trust.eks_service_accounts]
        statements.append(_federated(trust.eks_provider, accounts, account, partition))
    return {"Version": "2012-10-17", "Statement": statements}


def _federated(provider: str, subjects: list[str], account: str, partition: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:{partition}:iam::{account}:oidc-provider/{provider}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{provider}:aud": _AUDIENCE, f"{provider}:sub": sorted(subjects)}},
    }
