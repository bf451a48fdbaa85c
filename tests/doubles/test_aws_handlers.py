"""Each resource type of the double of AWS: create, read, update and delete, as the engine asks for them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doubles.aws import DOUBLE
from tests.doubles.aws_iam import ses_password
from tests.doubles.changes import DEFAULTS
from tests.doubles.fixtures import Account, AwsServer
from tests.doubles.handler import Props, Refused
from tests.doubles.resources import Resources


@dataclass
class Engine:
    """What an engine does with one resource after the other."""

    resources: Resources
    inputs: dict[str, Props] = field(default_factory=dict)

    def check(self, token: str, inputs: Props, name: str = "thing") -> Props:
        checked, wrong = self.resources.check(token, name, inputs, self.inputs.get(token, {}))
        assert wrong == []
        self.inputs[token] = checked
        return checked

    def create(self, token: str, inputs: Props) -> tuple[str, Props]:
        """Create, and hold that what was made is what was asked for, also when it is read again."""
        checked = self.check(token, inputs)
        identifier, outputs = self.resources.create(token, checked)
        self.same(token, identifier, outputs, checked)
        return identifier, outputs

    def update(self, token: str, identifier: str, olds: Props, inputs: Props) -> Props:
        checked = self.check(token, inputs)
        changes = self.resources.diff(token, olds, checked)
        assert changes
        assert not changes.replaces
        outputs = self.resources.update(token, identifier, olds, checked)
        self.same(token, identifier, outputs, checked)
        return outputs

    def same(self, token: str, identifier: str, outputs: Props, inputs: Props) -> None:
        assert self.resources.diff(token, outputs, inputs).paths == {}
        found = self.resources.read(token, identifier, outputs, inputs)
        assert found is not None
        assert found[0] == outputs
        assert found[1] == inputs

    def imported(self, token: str, identifier: str) -> Props:
        found = self.resources.read(token, identifier, {}, None)
        assert found is not None
        return found[1]

    def delete(self, token: str, identifier: str, outputs: Props) -> None:
        self.resources.delete(token, identifier, outputs)
        assert self.resources.read(token, identifier, outputs, {}) is None
        self.resources.delete(token, identifier, outputs)  # what is gone already is no error


@pytest.fixture
def engine(aws: Account, monkeypatch: pytest.MonkeyPatch) -> Engine:
    aws.use(monkeypatch)
    return Engine(Resources(DOUBLE, {"region": aws.region}))


@pytest.fixture
def bucket(engine: Engine) -> str:
    return engine.create(BUCKET, {})[0]


BUCKET = "aws:s3/bucket:Bucket"
USER = "aws:iam/user:User"
ROLE = "aws:iam/role:Role"
USER_POLICY = "aws:iam/userPolicy:UserPolicy"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ACCESS_KEY = "aws:iam/accessKey:AccessKey"
KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"


def document(*actions: str, resource: str = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# --- buckets ------------------------------------------------------------------------------------------------


def test_a_bucket_is_created_read_updated_and_deleted(engine: Engine, aws: Account):
    name, outputs = engine.create(BUCKET, {"tags": {"a": "b"}})
    assert name == outputs["bucket"]
    assert outputs["arn"] == f"arn:aws:s3:::{name}"
    assert outputs["tagsAll"] == {"a": "b"}
    assert engine.inputs[BUCKET][DEFAULTS] == ["bucket", "forceDestroy"]
    assert engine.imported(BUCKET, name) == {
        "bucket": name,
        "region": "eu-west-1",
        "tags": {"a": "b"},
        DEFAULTS: [],
    }
    outputs = engine.update(BUCKET, name, outputs, {"tags": {"c": "d"}})
    outputs = engine.update(BUCKET, name, outputs, {"forceDestroy": True})
    assert outputs["bucket"] == name
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        aws.s3.get_bucket_tagging(Bucket=name)
    engine.delete(BUCKET, name, outputs)


def test_a_bucket_gets_the_given_name_or_a_name_with_the_given_prefix(engine: Engine):
    name = f"given-{secrets.token_hex(6)}"
    assert engine.create(BUCKET, {"bucket": name})[0] == name
    changes = engine.resources.diff(BUCKET, {"bucket": name}, {"bucket": "other"})
    assert changes.replaces == ["bucket"]
    engine.inputs.clear()
    assert engine.create(BUCKET, {"bucketPrefix": "pre-"})[0].startswith("pre-")


@pytest.mark.parametrize("name", ["UPPER-case", "under_score", "bücket"])
def test_an_illegal_bucket_name_is_refused(engine: Engine, name: str):
    with pytest.raises(Refused, match=rf"validating S3 Bucket \({name}\) name"):
        engine.resources.create(BUCKET, engine.check(BUCKET, {"bucket": name}))


def test_a_bucket_with_objects_is_deleted_only_with_force_destroy(engine: Engine, aws: Account):
    name, outputs = engine.create(BUCKET, {})
    aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        aws.s3.put_object(Bucket=name, Key="k", Body=b"")
    aws.s3.delete_object(Bucket=name, Key="k")
    refusal = rf"deleting S3 Bucket \({name}\): operation error S3: DeleteBucket, .*409.* BucketNotEmpty: "
    with pytest.raises(Refused, match=refusal):
        engine.resources.delete(BUCKET, name, outputs)
    engine.delete(BUCKET, name, outputs | {"forceDestroy": True})


def test_creating_a_bucket_whose_name_is_taken_is_refused(
    engine: Engine, aws: Account, aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch
):
    name, _ = engine.create(BUCKET, {})
    inputs = {"bucket": name, "forceDestroy": False}
    with pytest.raises(Refused, match=r"StatusCode: 409, RequestID: \w*, HostID: , BucketAlreadyOwnedByYou: "):
        engine.resources.create(BUCKET, inputs)
    other = aws_server.account()
    other.use(monkeypatch)
    with pytest.raises(Refused, match=r"StatusCode: 409, .*, BucketAlreadyExists: "):
        Resources(DOUBLE, {"region": "eu-west-1"}).create(BUCKET, inputs)


def test_in_us_east_1_a_second_creation_of_an_own_bucket_is_refused(
    aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch
):
    aws_server.account("us-east-1").use(monkeypatch)
    engine = Engine(Resources(DOUBLE, {"region": "us-east-1"}))
    name, _ = engine.create(BUCKET, {"tags": {"a": "b"}})
    with pytest.raises(Refused, match=rf"^creating S3 Bucket \({name}\): BucketAlreadyExists$"):
        engine.resources.create(BUCKET, {"bucket": name})


@pytest.mark.flow
@pytest.mark.parametrize("right", ["s3:ListTagsForResource", "s3:GetBucketTagging"])
def test_bucket_tags_are_read_with_either_of_two_rights(
    engine: Engine, aws: Account, bucket: str, monkeypatch: pytest.MonkeyPatch, right: str
):
    aws.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    others = [f"s3:GetBucket{one}" for one in _READS] + [f"s3:Get{one}Configuration" for one in _CONFIGURATIONS]
    granted = {"Effect": "Allow", "Action": ["s3:ListBucket", *others, right], "Resource": "*"}
    aws.user("u", granted).use(monkeypatch)
    resources = Resources(DOUBLE, {"region": aws.region})
    found = resources.read(BUCKET, bucket, {}, None)
    assert found is not None
    assert found[0]["tags"] == {"a": "b"}


_READS = (
    *("Policy", "Acl", "CORS", "Website", "Versioning", "RequestPayment", "Logging"),
    "ObjectLockConfiguration",
)
_CONFIGURATIONS = ("Accelerate", "Lifecycle", "Replication", "Encryption")


@pytest.mark.flow
@pytest.mark.parametrize(
    "missing",
    [*(f"s3:GetBucket{one}" for one in _READS), *(f"s3:Get{one}Configuration" for one in _CONFIGURATIONS)],
)
def test_reading_a_bucket_without_one_of_the_read_rights_is_refused(
    aws: Account, engine: Engine, bucket: str, monkeypatch: pytest.MonkeyPatch, missing: str
):
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    aws.user("u", everything, {"Effect": "Deny", "Action": missing, "Resource": "*"}).use(monkeypatch)
    resources = Resources(DOUBLE, {"region": aws.region})
    refusal = (
        rf"reading S3 Bucket \({bucket}\) .*StatusCode: 403, .*, api error AccessDenied: User: .*{missing} on"
    )
    with pytest.raises(Refused, match=refusal):
        resources.read(BUCKET, bucket, {}, None)


BESIDE: dict[str, tuple[Props, Props]] = {
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        {"blockPublicAcls": True, "blockPublicPolicy": True},
        {"blockPublicAcls": True, "ignorePublicAcls": True, "restrictPublicBuckets": True},
    ),
    "aws:s3/bucketPolicy:BucketPolicy": (
        {"policy": document("s3:GetObject", resource="arn:aws:s3:::BUCKET/*", Principal="*")},
        {"policy": document("s3:GetObject", "s3:PutObject", resource="arn:aws:s3:::BUCKET/*", Principal="*")},
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        {
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                    "blockedEncryptionTypes": ["SSE-C"],
                }
            ]
        },
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}, "bucketKeyEnabled": True}]},
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        {
            "rules": [
                {"id": "e", "status": "Enabled", "filter": {"prefix": "cache/"}, "expiration": {"days": 3}},
                {
                    "id": "m",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                },
            ]
        },
        {"rules": [{"id": "e", "status": "Enabled", "filter": {"prefix": "other/"}, "expiration": {"days": 4}}]},
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": (
        {
            "corsRules": [
                {
                    "allowedMethods": ["PUT", "GET"],
                    "allowedOrigins": ["https://example.org"],
                    "allowedHeaders": ["*"],
                    "exposeHeaders": ["ETag"],
                    "maxAgeSeconds": 3600,
                }
            ]
        },
        {"corsRules": [{"allowedMethods": ["GET"], "allowedOrigins": ["*"]}]},
    ),
}


@pytest.mark.parametrize("token", BESIDE)
def test_each_setting_of_a_bucket_is_created_read_updated_and_deleted(engine: Engine, bucket: str, token: str):
    first, second = json.loads(json.dumps(BESIDE[token]).replace("BUCKET", bucket))
    assert engine.resources.read(token, bucket, {}, None) is None
    identifier, outputs = engine.create(token, {"bucket": bucket, **first})
    assert identifier == bucket
    assert engine.resources.diff(token, outputs, engine.inputs[token] | {"bucket": "b"}).replaces == ["bucket"]
    outputs = engine.update(token, bucket, outputs, {"bucket": bucket, **second})
    imported = engine.imported(token, bucket)
    assert engine.resources.diff(token, outputs, imported).paths == {}
    engine.delete(token, bucket, outputs)


def test_a_lifecycle_rule_that_was_changed_by_hand_is_a_difference(engine: Engine, aws: Account, bucket: str):
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    identifier, outputs = engine.create(token, {"bucket": bucket, **BESIDE[token][0]})
    rules: Any = aws.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    rules[0]["Expiration"]["Days"] = 99
    aws.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    found = engine.resources.read(token, identifier, outputs, engine.inputs[token])
    assert found is not None
    assert engine.resources.diff(token, found[0], engine.inputs[token]).paths == {
        "rules[0].expiration.days": "update"
    }


def test_deleting_the_versioning_resource_suspends_versioning(engine: Engine, aws: Account, bucket: str):
    token = "aws:s3/bucketVersioning:BucketVersioning"
    inputs = {"bucket": bucket, "versioningConfiguration": {"status": "Enabled"}}
    _, outputs = engine.create(token, inputs)
    suspended = {"bucket": bucket, "versioningConfiguration": {"status": "Suspended"}}
    outputs = engine.update(token, bucket, outputs, suspended)
    outputs = engine.update(token, bucket, outputs, inputs)
    engine.resources.delete(token, bucket, outputs)
    assert aws.s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"


def test_equal_bucket_policies_in_another_notation_are_no_difference(engine: Engine, bucket: str):
    token = "aws:s3/bucketPolicy:BucketPolicy"
    one = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{bucket}/*"}
    _, outputs = engine.create(token, {"bucket": bucket, "policy": json.dumps({"Statement": [one]})})
    same = {"Statement": one | {"Action": "s3:GetObject"}}
    assert not engine.resources.diff(token, outputs, {"bucket": bucket, "policy": json.dumps(same, indent=1)})


# --- IAM ----------------------------------------------------------------------------------------------------


def test_a_user_is_created_read_updated_and_deleted(engine: Engine, aws: Account):
    boundary = aws.iam.create_policy(PolicyName="b", PolicyDocument=document("s3:*"))["Policy"]["Arn"]
    name, outputs = engine.create(USER, {"tags": {"a": "b"}, "permissionsBoundary": boundary})
    assert name.startswith("thing-")
    assert outputs["arn"] == f"arn:aws:iam::{aws.id}:user/{name}"
    outputs = engine.update(USER, name, outputs, {"tags": {"a": "c", "d": "e"}, "forceDestroy": True})
    assert "permissionsBoundary" not in outputs
    assert engine.imported(USER, name)["tags"] == {"a": "c", "d": "e"}
    aws.iam.create_access_key(UserName=name)
    aws.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document("s3:*"))
    with pytest.raises(Refused, match=rf"deleting IAM User \({name}\): .*409.*DeleteConflict: .*access keys"):
        engine.resources.delete(USER, name, outputs | {"forceDestroy": False})
    engine.delete(USER, name, outputs)


def test_creating_a_user_that_exists_is_refused(engine: Engine):
    engine.create(USER, {"name": "u"})
    exists = (
        r"creating IAM User \(u\): operation error IAM: CreateUser, .*StatusCode: 409, .*EntityAlreadyExists: "
    )
    with pytest.raises(Refused, match=exists):
        engine.resources.create(USER, engine.inputs[USER])


@pytest.mark.parametrize(("token", "kind"), [(USER_POLICY, "user"), (ROLE_POLICY, "role")])
def test_a_policy_of_a_user_or_role_is_created_read_updated_and_deleted(engine: Engine, token: str, kind: str):
    trust = {"assumeRolePolicy": trusting("*")}
    holder, _ = engine.create({"user": USER, "role": ROLE}[kind], trust if kind == "role" else {})
    identifier, outputs = engine.create(token, {kind: holder, "name": "p", "policy": document("s3:GetObject")})
    assert identifier == f"{holder}:p"
    outputs = engine.update(
        token, identifier, outputs, {kind: holder, "name": "p", "policy": document("s3:PutObject")}
    )
    assert engine.imported(token, identifier)[kind] == holder
    engine.delete(token, identifier, outputs)


def trusting(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_an_access_key_is_created_read_and_deleted(engine: Engine, aws: Account):
    user, _ = engine.create(USER, {})
    identifier, outputs = engine.create(ACCESS_KEY, {"user": user})
    assert outputs["status"] == "Active"
    assert outputs["sesSmtpPasswordV4"] == ses_password(outputs["secret"], "eu-west-1")
    assert engine.resources.secrets(ACCESS_KEY) == {"secret", "sesSmtpPasswordV4"}
    outputs = engine.update(ACCESS_KEY, identifier, outputs, {"user": user, "status": "Inactive"})
    assert outputs["secret"]
    assert engine.imported(ACCESS_KEY, identifier) == {"user": user, "status": "Inactive", DEFAULTS: []}
    aws.iam.create_access_key(UserName=user)
    with pytest.raises(
        Refused, match=r"StatusCode: 409.*LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2"
    ):
        engine.resources.create(ACCESS_KEY, engine.inputs[ACCESS_KEY])
    engine.delete(ACCESS_KEY, identifier, outputs)


def test_the_smtp_password_has_44_characters_and_depends_on_the_region():
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    password = ses_password(secret, "us-east-1")
    assert len(password) == 44
    assert password != ses_password(secret, "eu-west-1")
    assert password.startswith("B")


def test_a_role_is_created_read_updated_and_deleted(engine: Engine, aws: Account):
    name, outputs = engine.create(ROLE, {"assumeRolePolicy": trusting("*"), "tags": {"a": "b"}})
    other = trusting(f"arn:aws:iam::{aws.id}:root")
    wanted = {"assumeRolePolicy": other, "maxSessionDuration": 7200, "description": "d", "tags": {"c": "d"}}
    outputs = engine.update(ROLE, name, outputs, wanted)
    assert outputs["arn"] == f"arn:aws:iam::{aws.id}:role/{name}"
    aws.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document("s3:*"))
    with pytest.raises(Refused, match=r"deleting IAM Role .*DeleteConflict"):
        engine.resources.delete(ROLE, name, outputs)
    engine.delete(ROLE, name, outputs | {"forceDetachPolicies": True})


# --- KMS ----------------------------------------------------------------------------------------------------


def test_a_kms_key_and_its_alias_are_created_updated_and_deleted(engine: Engine):
    identifier, outputs = engine.create(KEY, {"description": "d", "enableKeyRotation": True, "tags": {"a": "b"}})
    assert outputs["arn"].endswith(f":key/{identifier}")
    outputs = engine.update(KEY, identifier, outputs, {"description": "e", "tags": {"c": "d"}})
    for target in (identifier, outputs["arn"]):
        engine.inputs.clear()
        alias, made = engine.create(ALIAS, {"name": f"alias/a{len(target)}", "targetKeyId": target})
        assert made["targetKeyArn"] == outputs["arn"]
    other, _ = engine.create(KEY, {})
    made = engine.update(ALIAS, alias, made, {"name": alias, "targetKeyId": other})
    engine.delete(ALIAS, alias, made)
    engine.delete(KEY, identifier, outputs)


# --- functions, and the provider itself -----------------------------------------------------------------------


def test_the_functions_of_aws_return_the_account_region_and_partition(engine: Engine, aws: Account):
    caller = engine.resources.call("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert (caller["accountId"], caller["arn"]) == (aws.id, f"arn:aws:iam::{aws.id}:user/admin")
    partition = engine.resources.call("aws:index/getPartition:getPartition", {})
    assert (partition["partition"], partition["dnsSuffix"]) == ("aws", "amazonaws.com")
    with pytest.raises(Refused, match="does not know getPolicyDocument"):
        engine.resources.call("aws:iam/getPolicyDocument:getPolicyDocument", {})
    with pytest.raises(Refused, match="has no aws:index/getRegions:getRegions"):
        engine.resources.call("aws:index/getRegions:getRegions", {})


def test_arns_and_domains_have_the_partition_of_the_account(
    aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch
):
    aws_server.account("cn-north-1", "aws-cn").use(monkeypatch)
    engine = Engine(Resources(DOUBLE, {"region": "cn-north-1"}))
    name, outputs = engine.create(BUCKET, {})
    assert outputs["arn"] == f"arn:aws-cn:s3:::{name}"
    assert outputs["bucketRegionalDomainName"] == f"{name}.s3.cn-north-1.amazonaws.com.cn"


def test_a_provider_configuration_that_the_double_does_not_support_is_refused(
    aws: Account, monkeypatch: pytest.MonkeyPatch
):
    aws.use(monkeypatch)
    with pytest.raises(Refused, match="does not know the configuration defaultTags"):
        Resources(DOUBLE, {"region": "eu-west-1", "defaultTags": "{}"})
    with pytest.raises(Refused, match='The AWS profile "nobody" was not found'):
        Resources(DOUBLE, {"region": "eu-west-1", "profile": "nobody"})
    keys = {"accessKey": aws.keys.access_key_id, "secretKey": "wrong"}
    with pytest.raises(Refused, match="AWS credentials are invalid or have expired"):
        Resources(DOUBLE, {"region": "eu-west-1", **keys})
