"""Who may assume the role of an identity, where identities are roles without keys (`credentials: role`).

::

    trust:
      github: ["acme/media:environment:production"]      # or acme@12/media@34:ref:refs/heads/main
      eks: {provider: oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF, serviceAccounts: [media/worker]}
      principals: ["arn:aws:iam::123456789012:role/batch"]

A subject is always exact: a user who may only create a branch must not get access to the buckets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.config.reader import Reader
from infra.config.setting import List, Section, Text


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


def _check(reader: Reader, _values: dict[str, Any]) -> None:
    if not any(reader.values.values()):
        reader.note("", "must name github, eks or principals")


def _build(values: dict[str, Any]) -> Trust:
    eks = values.get("eks", {})
    return Trust(
        github=values.get("github", ()),
        eks_provider=eks.get("provider"),
        eks_service_accounts=eks.get("serviceAccounts", ()),
        principals=values.get("principals", ()),
    )


TRUST = Section(
    description="Who may assume the roles of the identities, with `credentials: role`.",
    check=_check,
    build=_build,
    keys={
        "github": List(
            description="Workflows of GitHub Actions: the `sub` of their tokens, after `repo:`.",
            of=Text(
                pattern=r"[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?:[^*?$\s]+",
                words="an exact owner/repository:subject, without wildcards",
            ),
        ),
        "eks": Section(
            description="Service accounts of an EKS cluster.",
            keys={
                "provider": Text(
                    description="The OIDC provider of the cluster, without https://.",
                    required=True,
                    pattern=r"oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/[A-Za-z0-9]+",
                    words="oidc.eks.<region>.amazonaws.com/id/<id>",
                ),
                "serviceAccounts": List(
                    description="Its service accounts.",
                    required=True,
                    empty="must name a service account",
                    of=Text(pattern="[a-z0-9-]+/[a-z0-9.-]+", words="namespace/service-account"),
                ),
            },
        ),
        "principals": List(
            description="Roles, users and accounts (`:root`) of AWS, by their ARNs.",
            of=Text(
                pattern="arn:aws[a-z-]*:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9_+=,.@/-]+)",
                words="the ARN of a role, a user or an account's root",
            ),
        ),
    },
)
