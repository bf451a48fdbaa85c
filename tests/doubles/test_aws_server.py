"""Signatures, permissions and errors of the tests' AWS, through boto3."""

from __future__ import annotations

import base64
import json
import secrets
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.doubles.fixtures import NO_TLS, OLD_TLS, TLS, Account, AwsServer, Keys

REGION: Any = {"LocationConstraint": "eu-west-1"}
Call = Callable[[], object]


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refused(call: Call) -> str:
    """The code with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def bucket(aws: Account) -> str:
    name = f"b-{secrets.token_hex(6)}"
    aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration=REGION)
    aws.s3.put_object(Bucket=name, Key="a/x", Body=b"content")
    return name


# --- who --------------------------------------------------------------------------------------------------


def test_unknown_access_keys_and_wrong_secrets_are_refused(aws: Account, bucket: str):
    forged = aws.seen_by(replace(aws.keys, secret_access_key="x"))
    unknown = aws.seen_by(replace(aws.keys, access_key_id="AKIAUNKNOWN"))
    assert refused(forged.s3.list_buckets) == "SignatureDoesNotMatch"
    assert refused(unknown.s3.list_buckets) == "InvalidAccessKeyId"
    assert refused(forged.client("sts").get_caller_identity) == "SignatureDoesNotMatch"
    assert refused(unknown.client("sts").get_caller_identity) == "InvalidClientTokenId"
    assert refused(unknown.client("kms").list_keys) == "UnrecognizedClientException"
    assert aws.s3.list_buckets()["Buckets"][0]["Name"] == bucket


def test_inactive_and_deleted_access_keys_are_refused_at_once(aws: Account):
    user = aws.user("u", allow("s3:*"))
    key: Any = {"UserName": "u", "AccessKeyId": user.keys.access_key_id}
    user.s3.list_buckets()
    aws.iam.update_access_key(**key, Status="Inactive")
    assert refused(user.s3.list_buckets) == "InvalidAccessKeyId"
    aws.iam.update_access_key(**key, Status="Active")
    user.s3.list_buckets()
    aws.iam.delete_access_key(**key)
    assert refused(user.s3.list_buckets) == "InvalidAccessKeyId"


def test_expired_temporary_credentials_are_refused(aws: Account):
    expired = aws.expired()
    assert refused(expired.s3.list_buckets) == "ExpiredToken"
    assert refused(expired.client("sts").get_caller_identity) == "ExpiredToken"


def test_accounts_do_not_see_the_buckets_of_others_but_share_the_bucket_names(
    aws_server: AwsServer, aws: Account, bucket: str
):
    other = aws_server.account()
    assert other.id != aws.id
    assert other.s3.list_buckets()["Buckets"] == []
    assert refused(lambda: other.s3.get_object(Bucket=bucket, Key="a/x")) == "AccessDenied"
    create: Any = {"Bucket": bucket, "CreateBucketConfiguration": REGION}
    assert refused(lambda: other.s3.create_bucket(**create)) == "BucketAlreadyExists"
    assert refused(lambda: aws.s3.create_bucket(**create)) == "BucketAlreadyOwnedByYou"


def test_arns_in_another_partition_name_that_partition(aws_server: AwsServer):
    china = aws_server.account("cn-north-1", "aws-cn")
    arn = china.client("sts").get_caller_identity()["Arn"]
    assert arn == f"arn:aws-cn:iam::{china.id}:user/admin"
    name = f"b-{secrets.token_hex(6)}"
    china.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "cn-north-1"})
    reader = china.user("r", allow("s3:ListBucket", f"arn:aws-cn:s3:::{name}"))
    reader.s3.list_objects_v2(Bucket=name)
    wrong = china.user("w", allow("s3:ListBucket", f"arn:aws:s3:::{name}"))
    assert refused(lambda: wrong.s3.list_objects_v2(Bucket=name)) == "AccessDenied"


def test_a_request_with_another_expected_bucket_owner_is_refused(aws: Account, bucket: str):
    get: Any = {"Bucket": bucket, "Key": "a/x"}
    aws.s3.get_object(**get, ExpectedBucketOwner=aws.id)
    assert refused(lambda: aws.s3.get_object(**get, ExpectedBucketOwner="999999999999")) == "AccessDenied"


# --- what -------------------------------------------------------------------------------------------------


def test_a_listing_outside_of_the_prefix_of_a_policy_is_refused(aws: Account, bucket: str):
    only_a = {"StringLike": {"s3:prefix": ["a/*"]}}
    user = aws.user("u", allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition=only_a))
    assert user.s3.list_objects_v2(Bucket=bucket, Prefix="a/")["KeyCount"] == 1
    assert refused(lambda: user.s3.list_objects_v2(Bucket=bucket, Prefix="b/")) == "AccessDenied"
    assert refused(lambda: user.s3.list_objects_v2(Bucket=bucket)) == "AccessDenied"


def test_a_missing_object_is_access_denied_without_the_right_to_list(aws: Account, bucket: str):
    get = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    blind = aws.user("blind", get)
    assert refused(lambda: blind.s3.get_object(Bucket=bucket, Key="none")) == "AccessDenied"
    assert refused(lambda: blind.s3.head_object(Bucket=bucket, Key="none")) == "403"
    seeing = aws.user("seeing", get, allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    assert refused(lambda: seeing.s3.get_object(Bucket=bucket, Key="none")) == "NoSuchKey"


@pytest.mark.flow
@pytest.mark.parametrize(
    "operation",
    [
        *("get_bucket_policy", "get_bucket_acl", "get_bucket_cors", "get_bucket_website", "get_bucket_versioning"),
        *("get_bucket_accelerate_configuration", "get_bucket_request_payment", "get_bucket_logging"),
        *("get_bucket_lifecycle_configuration", "get_bucket_replication", "get_bucket_encryption"),
        *("get_object_lock_configuration", "get_bucket_tagging", "get_public_access_block"),
        *("get_bucket_ownership_controls", "list_multipart_uploads", "list_object_versions"),
    ],
)
def test_each_read_of_a_bucket_needs_more_than_the_rights_to_list_and_to_use_objects(
    aws: Account, bucket: str, operation: str
):
    user = aws.user("u", allow(["s3:ListBucket", "s3:*Object"]))
    assert refused(lambda: getattr(user.s3, operation)(Bucket=bucket)) == "AccessDenied"


def test_delete_objects_needs_the_right_on_every_object(aws: Account, bucket: str):
    user = aws.user("u", allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/a/*"))
    user.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/x"}, {"Key": "a/y"}]})
    many: Any = {"Objects": [{"Key": "a/x"}, {"Key": "b"}]}
    assert refused(lambda: user.s3.delete_objects(Bucket=bucket, Delete=many)) == "AccessDenied"


def test_copying_an_object_needs_the_right_to_read_the_source(aws: Account, bucket: str):
    user = aws.user("u", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    copy: Any = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "a/x"}}
    assert refused(lambda: user.s3.copy_object(**copy)) == "AccessDenied"


def test_multipart_uploads_need_put_object_but_listing_and_aborting_need_more(aws: Account, bucket: str):
    user = aws.user("u", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    upload = user.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named: Any = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    user.s3.upload_part(**named, PartNumber=1, Body=b"x")
    assert refused(lambda: user.s3.list_parts(**named)) == "AccessDenied"
    assert refused(lambda: user.s3.abort_multipart_upload(**named)) == "AccessDenied"


def test_a_bucket_policy_allows_what_it_grants_to_a_user(aws: Account, bucket: str):
    user = aws.user("u", allow("sts:*"))
    arn = f"arn:aws:iam::{aws.id}:user/u"
    granted = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal={"AWS": arn})
    aws.s3.put_bucket_policy(Bucket=bucket, Policy=document(granted))
    user.s3.get_object(Bucket=bucket, Key="a/x")
    assert refused(lambda: user.s3.put_object(Bucket=bucket, Key="a/x", Body=b"")) == "AccessDenied"


@pytest.mark.parametrize(("connection", "allowed"), [(TLS, True), (OLD_TLS, False), (NO_TLS, False)])
def test_bucket_policies_deny_connections_without_tls_or_with_an_old_version(
    aws: Account, bucket: str, connection: str, *, allowed: bool
):
    on = {"Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"], "Principal": "*", "Action": "s3:*"}
    plain = {"Effect": "Deny", **on, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    old = {"Effect": "Deny", **on, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}
    aws.s3.put_bucket_policy(Bucket=bucket, Policy=document(plain, old))
    s3 = aws.client("s3", connection)
    calls: list[Call] = [
        lambda: s3.get_object(Bucket=bucket, Key="a/x"),
        lambda: s3.list_objects_v2(Bucket=bucket),
    ]
    for call in calls:
        if allowed:
            call()
        else:
            assert refused(call) == "AccessDenied"


def test_objects_under_a_kms_key_need_rights_on_the_key(aws: Account, bucket: str):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    aws.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    everything = allow("s3:*")
    without = aws.user("without", everything)
    writer = aws.user("writer", everything, allow("kms:GenerateDataKey", key))
    both = aws.user("both", everything, allow(["kms:GenerateDataKey", "kms:Decrypt"], key))
    put: Any = {"Bucket": bucket, "Key": "k", "Body": b""}
    assert refused(lambda: without.s3.put_object(**put)) == "AccessDenied"
    writer.s3.put_object(**put)
    assert refused(lambda: writer.s3.get_object(Bucket=bucket, Key="k")) == "AccessDenied"
    both.s3.get_object(Bucket=bucket, Key="k")
    upload = writer.s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part: Any = {"Bucket": bucket, "Key": "m", "UploadId": upload, "PartNumber": 1, "Body": b"x"}
    assert refused(lambda: writer.s3.upload_part(**part)) == "AccessDenied"


def test_rights_on_a_kms_key_for_requests_of_s3_allow_no_direct_request(aws: Account, bucket: str):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    aws.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    on_key = ["kms:GenerateDataKey", "kms:Decrypt"]

    def through(service: str) -> Account:
        condition = {"StringEquals": {"kms:ViaService": service}}
        return aws.user(service.partition(".")[0], allow("s3:*"), allow(on_key, key, Condition=condition))

    s3_only, other = through("s3.eu-west-1.amazonaws.com"), through("ebs.eu-west-1.amazonaws.com")
    s3_only.s3.put_object(Bucket=bucket, Key="k", Body=b"")
    s3_only.s3.get_object(Bucket=bucket, Key="k")
    assert refused(lambda: other.s3.get_object(Bucket=bucket, Key="k")) == "AccessDenied"
    direct = s3_only.client("kms")
    assert refused(lambda: direct.generate_data_key(KeyId=key, KeySpec="AES_256")) == "AccessDeniedException"
    sealed = aws.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refused(lambda: direct.decrypt(KeyId=key, CiphertextBlob=sealed)) == "AccessDeniedException"


# --- IAM, STS, KMS ------------------------------------------------------------------------------------------


def test_iam_rights_hold_for_the_named_resources_alone(aws: Account):
    user = aws.user("u", allow("iam:*", f"arn:aws:iam::{aws.id}:user/mpr-*"))
    user.iam.create_user(UserName="mpr-a")
    user.iam.create_access_key(UserName="mpr-a")
    assert refused(lambda: user.iam.create_user(UserName="other")) == "AccessDenied"
    assert refused(lambda: user.iam.create_role(RoleName="mpr-a", AssumeRolePolicyDocument="{}")) == "AccessDenied"
    assert refused(user.iam.list_users) == "AccessDenied"


def test_a_permissions_boundary_limits_the_rights_of_a_user(aws: Account, bucket: str):
    boundary = aws.iam.create_policy(PolicyName="b", PolicyDocument=document(allow("s3:ListBucket")))["Policy"][
        "Arn"
    ]
    user = aws.user("u", allow("s3:*"), boundary=boundary)
    assert aws.iam.get_user(UserName="u")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    user.s3.list_objects_v2(Bucket=bucket)
    assert refused(lambda: user.s3.get_object(Bucket=bucket, Key="a/x")) == "AccessDenied"
    aws.iam.delete_user_permissions_boundary(UserName="u")
    user.s3.get_object(Bucket=bucket, Key="a/x")
    aws.iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=boundary)
    assert refused(lambda: user.s3.get_object(Bucket=bucket, Key="a/x")) == "AccessDenied"


def test_creating_users_can_be_allowed_only_with_a_permissions_boundary(aws: Account):
    arn = f"arn:aws:iam::{aws.id}:policy/b"
    bound = {"StringEquals": {"iam:PermissionsBoundary": arn}}
    aws.iam.create_policy(PolicyName="b", PolicyDocument=document(allow("s3:*")))
    user = aws.user("u", allow("iam:CreateUser", Condition=bound))
    assert refused(lambda: user.iam.create_user(UserName="x")) == "AccessDenied"
    user.iam.create_user(UserName="x", PermissionsBoundary=arn)


def test_deleting_a_user_with_access_keys_is_refused(aws: Account):
    user = aws.user("u", allow("s3:*"))
    aws.iam.delete_user_policy(UserName="u", PolicyName="test")
    assert refused(lambda: aws.iam.delete_user(UserName="u")) == "DeleteConflict"
    aws.iam.delete_access_key(UserName="u", AccessKeyId=user.keys.access_key_id)
    aws.iam.delete_user(UserName="u")


def trusting(principal: Any, action: str = "sts:AssumeRole", **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def role(aws: Account, trust: str, bucket: str) -> str:
    arn = aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    rights = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    aws.iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=rights)
    return arn


def session(aws: Account, response: Any) -> Account:
    found = response["Credentials"]
    return aws.seen_by(Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]))


def test_only_a_trusted_principal_can_assume_a_role(aws: Account, bucket: str):
    arn = role(aws, trusting({"AWS": f"arn:aws:iam::{aws.id}:user/admin"}), bucket)
    unrelated = aws.user("unrelated", allow("sts:*"))
    asked: Any = {"RoleArn": arn, "RoleSessionName": "test"}
    assert refused(lambda: unrelated.client("sts").assume_role(**asked)) == "AccessDenied"
    taken = session(aws, aws.client("sts").assume_role(**asked))
    taken.s3.get_object(Bucket=bucket, Key="a/x")
    assert refused(lambda: taken.s3.put_object(Bucket=bucket, Key="a/x", Body=b"")) == "AccessDenied"
    assert refused(taken.iam.list_users) == "AccessDenied"


def test_a_web_identity_token_assumes_a_role_only_with_the_trusted_subject(aws: Account, bucket: str):
    issuer = "token.actions.githubusercontent.com"
    provider = f"arn:aws:iam::{aws.id}:oidc-provider/{issuer}"
    right = {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": "repo:acme/media:ref:main"}}
    trust = trusting({"Federated": provider}, "sts:AssumeRoleWithWebIdentity", Condition=right)
    arn = role(aws, trust, bucket)
    sts = boto3.session.Session().client("sts", endpoint_url=aws.endpoint, region_name=aws.region)

    def ask(subject: str) -> Any:
        claims = {"iss": f"https://{issuer}", "aud": "sts.amazonaws.com", "sub": subject}
        token = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return sts.assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="test", WebIdentityToken=f"x.{token}.x"
        )

    assert refused(lambda: ask("repo:acme/media:ref:main")) == "InvalidIdentityToken"
    aws.iam.create_open_id_connect_provider(Url=f"https://{issuer}", ThumbprintList=[])
    session(aws, ask("repo:acme/media:ref:main")).s3.get_object(Bucket=bucket, Key="a/x")
    assert refused(lambda: ask("repo:acme/media:ref:other")) == "AccessDenied"


def test_a_kms_key_policy_decides_who_may_use_the_key(aws: Account):
    kms, user = aws.client("kms"), aws.user("u", allow("kms:*"))
    open_key = kms.create_key()["KeyMetadata"]["Arn"]
    closed = document(allow("kms:*", Principal={"AWS": f"arn:aws:iam::{aws.id}:user/admin"}))
    closed_key = kms.create_key(Policy=closed)["KeyMetadata"]["Arn"]
    user.client("kms").encrypt(KeyId=open_key, Plaintext=b"x")
    kms.encrypt(KeyId=closed_key, Plaintext=b"x")
    assert refused(lambda: user.client("kms").encrypt(KeyId=closed_key, Plaintext=b"x")) == "AccessDeniedException"


# --- presigned URLs, and what there is not ------------------------------------------------------------------


def presigned(account: Account, operation: str, **parameters: Any) -> str:
    s3 = boto3.session.Session().client(
        "s3",
        endpoint_url=account.endpoint,
        region_name=account.region,
        aws_access_key_id=account.keys.access_key_id,
        aws_secret_access_key=account.keys.secret_access_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    expires = parameters.pop("expires", 60)
    return s3.generate_presigned_url(operation, Params=parameters, ExpiresIn=expires)


def test_presigned_urls_have_the_rights_of_the_signer(aws: Account, bucket: str):
    key = "a/ü b+c&d"
    put = urllib.request.Request(presigned(aws, "put_object", Bucket=bucket, Key=key), data=b"x", method="PUT")
    urllib.request.urlopen(put).close()
    with urllib.request.urlopen(presigned(aws, "get_object", Bucket=bucket, Key=key)) as response:
        assert response.read() == b"x"
    user = aws.user("u", allow("s3:PutObject"))
    for url in (
        presigned(user, "get_object", Bucket=bucket, Key="a/x"),
        presigned(aws, "get_object", Bucket=bucket, Key="a/y").replace("/y", "/x"),
        presigned(aws, "get_object", Bucket=bucket, Key="a/x", expires=-1),
        f"{aws.endpoint}/{bucket}/a/x",
    ):
        with pytest.raises(HTTPError, match="403"):
            urllib.request.urlopen(url)


def test_a_request_to_an_unsupported_service_gets_status_501(aws: Account):
    with pytest.raises(ClientError, match="501"):
        aws.client("sqs").list_queues()
