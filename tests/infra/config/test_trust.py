from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config.reader import Reader
from infra.config.trust import TRUST, Trust

EKS = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
ROLE = "arn:aws:iam::123456789012:role/batch"


def read(section: object) -> tuple[Trust | None, list[str]]:
    reader = Reader({})
    return TRUST.read(reader, "trust", section), reader.problems


def trusted(**section: object) -> Trust | None:
    found, said = read(section)
    assert said == []
    return found


def problems(section: object) -> list[str]:
    return read(section)[1]


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


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({}, "trust: must name github, eks or principals"),
        ("github", "trust: must be a mapping, got github"),
        ({"gitub": []}, "trust.gitub: unknown key, did you mean github?"),
        ({"github": "acme/media:x"}, "trust.github: must be a list, got acme/media:x"),
        ({"github": ["acme/media"]}, "trust.github[0]: must be an exact owner/repository:subject"),
        ({"eks": {"provider": EKS}}, "trust.eks.serviceAccounts: is required"),
        (
            {"eks": {"provider": EKS, "serviceAccounts": []}},
            "trust.eks.serviceAccounts: must name a service account",
        ),
        ({"eks": {}}, "trust.eks.provider: is required"),
        ({"github": None}, "trust.github: has no value: write one, or remove it"),
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
