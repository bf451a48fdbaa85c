"""What the doubles of clouds with an S3 API of their own stand on: a real SeaweedFS, as its administrator.

Buckets, objects, keys and what they may do are SeaweedFS' own. What it has no place for (a location, a label) is
kept in a bucket of the double's, with a record of every name that belongs to another account.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from infra.stores.empty import delete_everything
from tests.doubles.handler import Props

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

ENDPOINT, KEY_ID, SECRET = "DOUBLE_ENDPOINT", "DOUBLE_ACCESS_KEY_ID", "DOUBLE_SECRET_ACCESS_KEY"
_REGION = "us-east-1"
_POLICY = "double"
_ABSENT = {"NoSuchBucket", "NoSuchKey", "NoSuchEntity", "404", "NoSuchCORSConfiguration"}
_ABSENT |= {"NoSuchLifecycleConfiguration"}
#: Read-only rights on a bucket and on its objects, and what writing adds, in SeaweedFS' words.
READ = {"bucket": ["s3:ListBucket"], "object": ["s3:GetObject"]}
WRITE = {
    "bucket": [*READ["bucket"], "s3:ListMultipartUploads"],
    "object": [
        *READ["object"],
        *("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListParts"),
    ],
}


class Seaweed:
    """The store, and the notes about what it cannot hold."""

    def __init__(self, notes: str) -> None:
        self._credentials = Credentials(os.environ[KEY_ID], os.environ[SECRET])
        self.endpoint = os.environ[ENDPOINT]
        self.s3: S3Client = self._client("s3")
        self.iam: IAMClient = self._client("iam")
        self._notes = notes
        if not self.bucket_exists(notes):
            with suppress(self.s3.exceptions.BucketAlreadyOwnedByYou):  # by another process of the tests
                self.s3.create_bucket(Bucket=notes)

    def _client(self, service: str) -> Any:
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=_REGION,
            aws_access_key_id=self._credentials.access_key,
            aws_secret_access_key=self._credentials.secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                parameter_validation=service == "s3",  # it knows AWS' access key IDs only
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    # --- notes -----------------------------------------------------------------------------------------------

    def note(self, kind: str, name: str, value: Props) -> None:
        self.s3.put_object(Bucket=self._notes, Key=f"{kind}/{name}", Body=json.dumps(value).encode())

    def noted(self, kind: str, name: str) -> Props | None:
        try:
            body = self.s3.get_object(Bucket=self._notes, Key=f"{kind}/{name}")["Body"].read()
        except ClientError as error:
            if code(error) in _ABSENT:
                return None
            raise
        found: Props = json.loads(body)
        return found

    def all_noted(self, kind: str) -> Iterator[Props]:
        listed = self.s3.list_objects_v2(Bucket=self._notes, Prefix=f"{kind}/")
        for one in listed.get("Contents", []):
            found = self.noted(kind, one["Key"].removeprefix(f"{kind}/"))
            if found is not None:
                yield found

    def forget(self, kind: str, name: str) -> None:
        self.s3.delete_object(Bucket=self._notes, Key=f"{kind}/{name}")

    # --- buckets ---------------------------------------------------------------------------------------------

    def bucket_exists(self, name: str) -> bool:
        try:
            self.s3.head_bucket(Bucket=name)
        except ClientError as error:
            if code(error) in _ABSENT:
                return False
            raise
        return True

    def is_empty(self, name: str) -> bool:
        versions = self.s3.list_object_versions(Bucket=name, MaxKeys=1)
        return not (versions.get("Versions") or versions.get("DeleteMarkers"))

    def delete_bucket(self, name: str) -> None:
        delete_everything(self.s3, name)
        self.s3.delete_bucket(Bucket=name)

    def put_lifecycle(self, name: str, rules: list[Any]) -> None:
        if rules:
            self.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
        else:
            self.s3.delete_bucket_lifecycle(Bucket=name)

    def lifecycle(self, name: str) -> list[Any]:
        try:
            return list(self.s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"])
        except ClientError as error:
            if code(error) in _ABSENT:
                return []
            raise

    def put_cors(self, name: str, rules: list[Any]) -> None:
        if rules:
            self.s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
        else:
            self.s3.delete_bucket_cors(Bucket=name)

    def cors(self, name: str) -> list[Any]:
        try:
            return list(self.s3.get_bucket_cors(Bucket=name)["CORSRules"])
        except ClientError as error:
            if code(error) in _ABSENT:
                return []
            raise

    # --- identities ------------------------------------------------------------------------------------------

    def user_exists(self, user: str) -> bool:
        try:
            self.iam.get_user(UserName=user)
        except ClientError as error:
            if code(error) in _ABSENT:
                return False
            raise
        return True

    def allow(self, user: str, rights: Mapping[str, Mapping[str, list[str]]]) -> None:
        """Give the user exactly these rights (`READ`, `WRITE`) by bucket."""
        statements = []
        for bucket, actions in sorted(rights.items()):
            arn = f"arn:aws:s3:::{bucket}"
            statements += [_statement(actions["bucket"], arn), _statement(actions["object"], f"{arn}/*")]
        if not statements:
            self.iam.delete_user_policy(UserName=user, PolicyName=_POLICY)
            return
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.iam.put_user_policy(UserName=user, PolicyName=_POLICY, PolicyDocument=document)

    def create_key(self, user: str, key_id: str, secret: str) -> None:
        """Make a key of this id and secret: SeaweedFS takes them, where AWS chooses them itself."""
        body = urlencode(
            {
                "Action": "CreateAccessKey",
                "Version": "2010-05-08",
                "UserName": user,
                "AccessKeyId": key_id,
                "SecretAccessKey": secret,
            }
        )
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{self.endpoint}/", data=body, headers=kind)
        SigV4Auth(self._credentials, "iam", _REGION).add_auth(request)
        sent = urllib.request.Request(str(request.url), body.encode(), dict(request.headers))
        with urllib.request.urlopen(sent, timeout=20) as response:  # the store of the tests
            assert key_id in response.read().decode()

    def keys(self, user: str) -> dict[str, str]:
        """The user's keys: their ids and states."""
        try:
            listed = self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        except ClientError as error:
            if code(error) in _ABSENT:
                return {}
            raise
        return {one["AccessKeyId"]: one.get("Status", "Active") for one in listed}

    def delete_user(self, user: str) -> None:
        for key in self.keys(user):
            self.iam.delete_access_key(UserName=user, AccessKeyId=key)
        self.allow(user, {})
        self.iam.delete_user(UserName=user)


def code(error: ClientError) -> str:
    response: Any = error.response
    return str(response.get("Error", response).get("Code", ""))


def _statement(actions: list[str], resource: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": [resource]}
