from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config_reader import Reader
from infra.trust import Trust, read_trust, trust_policy

ACCOUNT = "123456789012"
EKS = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
ROLE = "arn:aws:iam::123456789012:role/batch"


def trusted(**section: object) -> Trust | None:
    read = Reader({"trust": section})
    found = read_trust(read)
    assert read.problems == []
    return found


def problems(section: object) -> list[str]:
    read = Reader({"trust": section})
    read_trust(read)
    return read.problems


def test_a_configuration_without_trust_gives_none():
    assert read_trust(Reader({})) is None
    assert read_trust(Reader({"trust": None})) is None


def test_github_eks_and_principals_are_read():
    found = trusted(
        github=["acme/media:environment:production", "acme@12/media@34:ref:refs/heads/main"],
        eks={"provider": EKS, "serviceAccounts": ["media/worker", "media/loader.v2"]},
        principals=[ROLE, "arn:aws:iam::210987654321:root"],
    )
    assert found == Trust(
        github=("acme/media:environment:production", "acme@12/media@34:ref:refs/heads/main"),
        eks_provider=EKS,
        eks_service_accounts=("media/worker", "media/loader.v2"),
        principals=(ROLE, "arn:aws:iam::210987654321:root"),
    )


def statements(trust: Trust, partition: str = "aws") -> list[dict[str, Any]]:
    document = trust_policy(trust, ACCOUNT, partition)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = document["Statement"]
    return found


def test_the_trust_policy_for_github():
    trust = Trust(github=("acme/media:ref:refs/heads/main", "acme/media:environment:production"))
    assert statements(trust) == [
        {
            "Effect": "Allow",
            "Principal": {
                "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
            },
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                    "token.actions.githubusercontent.com:sub": [
                        "repo:acme/media:environment:production",
                        "repo:acme/media:ref:refs/heads/main",
                    ],
                }
            },
        }
    ]


def test_the_trust_policy_for_eks_in_china():
    provider = "oidc.eks.cn-north-1.amazonaws.com.cn/id/0123456789ABCDEF"
    trust = trusted(eks={"provider": provider, "serviceAccounts": ["media/worker"]})
    assert trust is not None
    # The audience is a word and no endpoint: it has no .cn (eksctl-io/eksctl#1910).
    assert statements(trust, "aws-cn") == [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws-cn:iam::123456789012:oidc-provider/{provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{provider}:aud": "sts.amazonaws.com",
                    f"{provider}:sub": ["system:serviceaccount:media:worker"],
                }
            },
        }
    ]


def test_the_trust_policy_for_principals():
    trust = Trust(principals=("arn:aws:iam::210987654321:root", ROLE))
    assert statements(trust) == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": [ROLE, "arn:aws:iam::210987654321:root"]},
            "Action": "sts:AssumeRole",
        }
    ]


def test_github_eks_and_principals_have_a_statement_each():
    trust = Trust(
        github=("acme/media:pull_request",),
        eks_provider=EKS,
        eks_service_accounts=("media/worker",),
        principals=(ROLE,),
    )
    alone = [
        Trust(principals=trust.principals),
        Trust(github=trust.github),
        Trust(eks_provider=EKS, eks_service_accounts=trust.eks_service_accounts),
    ]
    assert statements(trust) == [one for single in alone for one in statements(single)]


def test_the_order_in_which_it_is_written_changes_nothing():
    one, two = "acme/media:environment:a", "acme/media:environment:b"
    assert statements(Trust(github=(one, two))) == statements(Trust(github=(two, one)))


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({}, "trust: must name github, eks or principals"),
        ("github", "trust: must be a mapping, got github"),
        ({"gitub": []}, "trust.gitub: unknown key, did you mean github?"),
        ({"github": "acme/media:x"}, "trust.github: must be a list, got acme/media:x"),
        ({"github": ["acme/media"]}, "trust.github[0]: must be an exact owner/repository:subject"),
        ({"eks": {"provider": EKS}}, "trust.eks.serviceAccounts: goes together with provider"),
        ({"eks": {"serviceAccounts": ["a/b"]}}, "trust.eks.provider: is required"),
        (
            {"eks": {"provider": f"https://{EKS}"}},
            "trust.eks.provider: must be oidc.eks.<region>.amazonaws.com/id/<id>",
        ),
        (
            {"eks": {"provider": "evil.example/id/1", "serviceAccounts": ["a/b"]}},
            "trust.eks.provider: must be oidc.eks.",
        ),
        (
            {"eks": {"provider": EKS, "serviceAccounts": ["worker"]}},
            "trust.eks.serviceAccounts[0]: must be namespace/",
        ),
        (
            {"eks": {"provider": EKS, "serviceAccounts": ["a/b/c"]}},
            "trust.eks.serviceAccounts[0]: must be namespace/",
        ),
        ({"eks": {"provider": EKS, "serviceaccounts": []}}, "trust.eks.serviceaccounts: unknown key"),
        (
            {"principals": ["123456789012"]},
            "trust.principals[0]: must be the ARN of a role, a user or an account's root",
        ),
        ({"principals": ["arn:aws:iam::123456789012:group/x"]}, "trust.principals[0]: must be the ARN"),
        ({"principals": ["arn:aws:iam::12345678901:root"]}, "trust.principals[0]: must be the ARN"),
        ({"principals": ["arn:aws:iam::١٢٣٤٥٦٧٨٩٠١٢:root"]}, "trust.principals[0]: must be the ARN"),
        ({"principals": [ROLE, ROLE]}, f"trust.principals[1]: {ROLE} is listed twice"),
    ],
)
def test_a_mistake_is_named_with_its_path(section, problem):
    assert any(one.startswith(problem) for one in problems(section)), problems(section)


@pytest.mark.parametrize(
    ("section", "path"),
    [
        *(
            ({"github": [one]}, "trust.github[0]")
            for one in (
                *("acme/media:*", "acme/*:environment:x", "*/media:ref:x", "*", "acme/media:ref:refs/heads/*"),
                *(
                    "acme/media:ref:refs/heads/v?",
                    "acme/media:${x}",
                    "acme/media:a b",
                    "acme/media:",
                    "acme/media:a\n",
                ),
            )
        ),
        *(
            ({"eks": {"provider": EKS, "serviceAccounts": [one]}}, "trust.eks.serviceAccounts[0]")
            for one in ("media/*", "*/worker", "*", "media/w?", "media/${x}")
        ),
        ({"eks": {"provider": "oidc.eks.*.amazonaws.com/id/1", "serviceAccounts": ["a/b"]}}, "trust.eks.provider"),
        *(
            ({"principals": [one]}, "trust.principals[0]")
            for one in (
                *("*", "arn:aws:iam::*:root", "arn:aws:iam::123456789012:role/*", "arn:aws:iam::123456789012:*"),
                *("arn:*:iam::123456789012:root", "arn:aws:iam::123456789012:role/b?tch"),
                *("arn:aws:sts::123456789012:assumed-role/x/y", "arn:aws:iam::123456789012:user/${aws:username}"),
            )
        ),
    ],
)
def test_a_wildcard_in_trust_is_a_problem(section, path):
    assert path in {one.partition(": ")[0] for one in problems(section)}


@given(st.text(max_size=30), st.text(max_size=30))
def test_accepted_trust_holds_no_wildcard(subject, principal):
    section = {"github": [f"acme/media:{subject}"], "principals": [principal, ROLE]}
    if not problems(section):
        found = trusted(**section)
        assert found is not None
        assert not set("*?$") & set("".join([*found.github, *found.principals]))
