"""What no double proves of AWS: partitions, the policy of a bucket and the trust policy of a role."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import create_loader

from infra.config.trust import Trust
from infra.targets.aws.bucket import _tls_only
from infra.targets.aws.partition import partition_of
from infra.targets.aws.trust_policy import trust_policy
from tests.infra._evaluate import Request, allowed, denied

ACCOUNT = "123456789012"
EKS = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
ROLE = "arn:aws:iam::123456789012:role/batch"


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
@pytest.mark.parametrize("end", ["", "/x", "/a/b"])
@pytest.mark.parametrize(
    ("context", "refused"),
    [
        ({"aws:SecureTransport": "false"}, True),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.0"}, True),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}, True),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.2"}, False),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}, False),
    ],
)
def test_the_policy_of_a_bucket_denies_connections_below_tls_1_2(partition, end, context, refused):
    document = _tls_only("media-in", partition)
    for action in ("s3:GetObject", "s3:ListBucket", "s3:PutBucketPolicy"):
        one = Request(action, f"arn:{partition}:s3:::media-in{end}", context)
        assert denied(document, one) is refused
        assert not allowed(document, one)
    assert not denied(document, Request("s3:GetObject", f"arn:{partition}:s3:::media-in-2{end}", context))


def test_the_policy_of_a_bucket_allows_nothing():
    assert {one["Effect"] for one in _tls_only("media-in", "aws")["Statement"]} == {"Deny"}


def partitions() -> list[tuple[str, str]]:
    """Every region that botocore knows, with its partition."""
    known = create_loader().load_data("partitions")["partitions"]
    return [(region, one["id"]) for one in known for region in one["regions"] if not region.endswith("-global")]


@pytest.mark.parametrize(("region", "partition"), partitions())
def test_a_region_belongs_to_one_partition(region, partition):
    assert partition_of(region) == partition


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
    trust = Trust(eks_provider=provider, eks_service_accounts=("media/worker",))
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
