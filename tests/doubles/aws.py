"""The double of pulumi-aws 7: its resource types over boto3, against the tests' AWS (`aws_server.py`)."""

from __future__ import annotations

from tests.doubles import aws_iam, aws_kms, aws_s3
from tests.doubles.aws_cloud import Aws
from tests.doubles.handler import Double, Function, Props, Refused


class GetCallerIdentity(Function):
    token = "aws:index/getCallerIdentity:getCallerIdentity"
    cloud: Aws

    def call(self, args: Props) -> Props:
        del args
        caller = self.cloud.sts.get_caller_identity()
        account = caller["Account"]
        return {"id": account, "accountId": account, "arn": caller["Arn"], "userId": caller["UserId"]}


class GetPartition(Function):
    token = "aws:index/getPartition:getPartition"
    cloud: Aws

    def call(self, args: Props) -> Props:
        del args
        domain = self.cloud.domain
        reverse = ".".join(reversed(domain.split(".")))
        partition = self.cloud.partition
        return {"id": partition, "partition": partition, "dnsSuffix": domain, "reverseDnsPrefix": reverse}


class GetPolicyDocument(Function):
    """Refused: programs build their documents themselves, as data that tests can read."""

    token = "aws:iam/getPolicyDocument:getPolicyDocument"

    def call(self, args: Props) -> Props:
        del args
        raise Refused("the double of aws does not know getPolicyDocument: write the document as a mapping")


DOUBLE = Double(
    "aws",
    Aws,
    (*aws_s3.HANDLERS, *aws_iam.HANDLERS, *aws_kms.HANDLERS),
    (GetCallerIdentity, GetPartition, GetPolicyDocument),
    replaces=frozenset({"region"}),
)
