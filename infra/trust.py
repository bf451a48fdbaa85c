"""Who may assume the role of an identity, where identities are roles without keys (`credentials: role`).

::

    trust:
      github: ["acme/media:environment:production"]      # or acme@12/media@34:ref:refs/heads/main
      eks: {provider: oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF, serviceAccounts: [media/worker]}
      principals: ["arn:aws:iam::123456789012:role/batch"]

A subject is always exact: whoever may name a branch must not thereby get into the buckets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from infra.config_reader import Reader

#: https://docs.github.com/actions/reference/security/oidc
_GITHUB = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"

_SUBJECT = re.compile(r"[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?:[^*?$\s]+")
_PROVIDER = re.compile(r"oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/[A-Za-z0-9]+")
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9-]+/[a-z0-9.-]+")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(root|(role|user)/[\w+=,.@/-]+)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Who may assume a role."""

    #: ``<owner>/<repository>:<what>``, the end of the subject in GitHub's tokens.
    github: tuple[str, ...] = ()
    #: The OIDC provider of an EKS cluster, without ``https://``.
    eks_provider: str | None = None
    #: ``<namespace>/<service account>`` there.
    eks_service_accounts: tuple[str, ...] = ()
    #: ARNs of roles, users or (``:root``) accounts.
    principals: tuple[str, ...] = ()


def read_trust(read: Reader) -> Trust | None:
    """The trust under the key `trust`; None when there is none."""
    if read.values.get("trust") is None:
        return None
    trust = read.section("trust")
    trust.only("github", "eks", "principals")
    eks = trust.section("eks")
    eks.only("provider", "serviceAccounts")
    found = Trust(
        github=trust.texts("github", like=_SUBJECT, shape="an exact owner/repository:subject, without wildcards"),
        eks_provider=eks.text("provider", required=bool(eks.values)),
        eks_service_accounts=eks.texts(
            "serviceAccounts", like=_SERVICE_ACCOUNT, shape="namespace/service-account"
        ),
        principals=trust.texts(
            "principals", like=_PRINCIPAL, shape="the ARN of a role, a user or an account's root"
        ),
    )
    if found.eks_provider and not _PROVIDER.fullmatch(found.eks_provider):
        eks.note("provider", f"must be oidc.eks.<region>.amazonaws.com/id/<id>, got {found.eks_provider}")
    if bool(found.eks_provider) != bool(found.eks_service_accounts):
        eks.note("serviceAccounts", "goes together with provider")
    if not (found.github or found.eks_provider or found.principals):
        read.note("trust", "must name github, eks or principals")
    return found


def trust_policy(trust: Trust, account: str, partition: str) -> dict[str, Any]:
    """The assume-role policy document of a role that trusts exactly these."""
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
