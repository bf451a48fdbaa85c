"""Buckets of Amazon S3, and the resources beside them that hold their settings.

Each reads what the real provider reads (terraform-provider-aws v6, internal/service/s3), so that a deployer
without the right to read is refused here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from secrets import token_hex
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from tests.doubles.aws_cloud import AwsHandler, absent, code, from_aws, saying, tag_list, tag_map, to_aws
from tests.doubles.handler import Props, Refused, Unfinished, autoname

_GONE = frozenset({"404", "NoSuchBucket", "NotFound"})
_FIRST_REGION = "us-east-1"
#: What the provider reads of a bucket besides its tags: the operation, and what AWS says if there is none.
_READS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("get_bucket_policy", ("NoSuchBucketPolicy",)),
    ("get_bucket_acl", ()),
    ("get_bucket_cors", ("NoSuchCORSConfiguration",)),
    ("get_bucket_website", ("NoSuchWebsiteConfiguration",)),
    ("get_bucket_versioning", ()),
    ("get_bucket_accelerate_configuration", ()),
    ("get_bucket_request_payment", ()),
    ("get_bucket_logging", ()),
    ("get_bucket_lifecycle_configuration", ("NoSuchLifecycleConfiguration",)),
    ("get_bucket_replication", ("ReplicationConfigurationNotFoundError",)),
    ("get_bucket_encryption", ("ServerSideEncryptionConfigurationNotFoundError",)),
    ("get_object_lock_configuration", ("ObjectLockConfigurationNotFoundError",)),
)


class Bucket(AwsHandler):
    token = "aws:s3/bucket:Bucket"
    takes = frozenset({"bucket", "bucketPrefix", "forceDestroy", "tags", "region"})
    defaults: ClassVar = {"forceDestroy": False}
    replaces = frozenset({"bucket", "bucketPrefix", "region"})
    computed = frozenset({"bucket", "bucketPrefix", "region"})
    named = "bucket"

    def named_by(self, name: str, inputs: Props) -> Props:
        return {} if {"bucket", "bucketPrefix"} & inputs.keys() else {"bucket": autoname(name)}

    def create(self, inputs: Props) -> tuple[str, Props]:
        name = inputs.get("bucket") or inputs["bucketPrefix"] + token_hex(13)
        _require_legal(name)
        if self.cloud.region == _FIRST_REGION and self._exists(name):
            # There AWS returns success for a bucket that the account owns, so the provider looks it up first.
            raise Refused(f"creating S3 Bucket ({name}): BucketAlreadyExists")
        tagged = self._make(name, inputs.get("tags") or {})
        outputs = self._outputs(name, {}) | inputs
        try:
            if inputs.get("tags") and not tagged:
                with saying("S3", f"setting S3 Bucket ({name}) tags"):
                    self._tag(name, inputs["tags"])
            return name, self._read(name, inputs)
        except Refused as error:
            raise Unfinished(str(error), name, outputs) from error

    def _make(self, name: str, tags: dict[str, str]) -> bool:
        """Create the bucket, with its tags if the deployer may: whether it has them."""
        first = self.cloud.region == _FIRST_REGION
        where: dict[str, Any] = {} if first else {"LocationConstraint": self.cloud.region}
        with saying("S3", f"creating S3 Bucket ({name})"):
            try:
                self._create(name, where | ({"Tags": tag_list(tags)} if tags else {}))
            except ClientError as error:
                if not tags or code(error) != "AccessDenied":
                    raise
                self._create(name, where)
                return False
        return bool(tags)

    def _create(self, name: str, configuration: dict[str, Any]) -> None:
        given: dict[str, Any] = {"CreateBucketConfiguration": configuration} if configuration else {}
        self.cloud.s3.create_bucket(Bucket=name, ACL="private", **given)

    def _exists(self, name: str) -> bool:
        try:
            self.cloud.s3.head_bucket(Bucket=name)
        except ClientError:
            return False
        return True

    def _tag(self, name: str, tags: dict[str, str]) -> None:
        """All tags at once, as the older API has it."""
        if tags:
            self.cloud.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})
        else:
            self.cloud.s3.delete_bucket_tagging(Bucket=name)

    def _retag(self, name: str, olds: dict[str, str], news: dict[str, str]) -> None:
        about = {"AccountId": self.cloud.account, "ResourceArn": self._arn(name)}
        gone = sorted(olds.keys() - news.keys())
        try:
            if gone:
                self.cloud.control.untag_resource(**about, TagKeys=gone)
            if news:
                self.cloud.control.tag_resource(**about, Tags=tag_list(news))
        except ClientError as error:
            if code(error) != "AccessDenied":
                raise
            self._tag(name, news)

    def _tags(self, name: str) -> dict[str, str]:
        """By the newer API if the deployer may, otherwise by the older one."""
        about = {"AccountId": self.cloud.account, "ResourceArn": self._arn(name)}
        with saying("S3", f"listing tags for S3 Bucket ({name})"):
            try:
                return tag_map(self.cloud.control.list_tags_for_resource(**about)["Tags"])
            except ClientError as error:
                if code(error) != "AccessDenied":
                    raise
            found: Any = []
            with absent("NoSuchTagSet"):
                found = self.cloud.s3.get_bucket_tagging(Bucket=name)["TagSet"]
            return tag_map(found)

    def read(self, identifier: str, outputs: Props) -> Props | None:
        try:
            self.cloud.s3.head_bucket(Bucket=identifier)
        except ClientError as error:
            if code(error) in _GONE:
                return None
            with saying("S3", f"reading S3 Bucket ({identifier})"):
                raise
        return self._read(identifier, outputs)

    def _read(self, name: str, known: Props) -> Props:
        with saying("S3", f"reading S3 Bucket ({name})"):
            self.cloud.s3.head_bucket(Bucket=name)
        for operation, nothing in _READS:
            subject = operation.removeprefix("get_bucket_").removeprefix("get_").replace("_", " ")
            with saying("S3", f"reading S3 Bucket ({name}) {subject}"), absent(*nothing):
                getattr(self.cloud.s3, operation)(Bucket=name)
        return self._outputs(name, self._tags(name)) | {
            one: known.get(one) for one in ("forceDestroy", "bucketPrefix")
        }

    def _arn(self, name: str) -> str:
        return f"arn:{self.cloud.partition}:s3:::{name}"

    def _outputs(self, name: str, tags: dict[str, str]) -> Props:
        return {
            "arn": self._arn(name),
            "bucket": name,
            "bucketDomainName": f"{name}.s3.{self.cloud.domain}",
            "bucketRegionalDomainName": f"{name}.s3.{self.cloud.region}.{self.cloud.domain}",
            "region": self.cloud.region,
            "tags": tags or None,
            "tagsAll": tags,
        }

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        if olds.get("tags", {}) != news.get("tags", {}):
            with saying("S3", f"updating tags for S3 Bucket ({identifier})"):
                self._retag(identifier, olds.get("tags") or {}, news.get("tags") or {})
        return self._read(identifier, news)

    def delete(self, identifier: str, outputs: Props) -> None:
        try:
            self.cloud.s3.delete_bucket(Bucket=identifier)
        except ClientError as error:
            if code(error) == "NoSuchBucket":
                return
            if code(error) == "BucketNotEmpty" and outputs.get("forceDestroy"):
                self._empty(identifier)
                self.delete(identifier, outputs)
                return
            with saying("S3", f"deleting S3 Bucket ({identifier})"):
                raise

    def _empty(self, name: str) -> None:
        with saying("S3", f"emptying S3 Bucket ({name})"):
            for page in self.cloud.s3.get_paginator("list_object_versions").paginate(Bucket=name):
                found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                keys: list[Any] = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
                if keys:
                    self.cloud.s3.delete_objects(Bucket=name, Delete={"Objects": keys})


def _require_legal(name: str) -> None:
    legal = name.replace(".", "").replace("-", "")
    if name != name.lower() or not legal.isalnum() or not legal.isascii():
        wrong = f'only lowercase alphanumeric characters and hyphens allowed in "{name}"'
        raise Refused(f"validating S3 Bucket ({name}) name: {wrong}")


class _Beside(AwsHandler):
    """A setting of a bucket as a resource of its own. Its id is the bucket's name."""

    replaces = frozenset({"bucket", "region"})
    computed = frozenset({"region"})
    #: What the provider calls it.
    subject: ClassVar[str]
    #: What AWS says where there is none.
    nothing: ClassVar[frozenset[str]] = frozenset()

    def put(self, bucket: str, inputs: Props) -> None:
        raise NotImplementedError

    def get(self, bucket: str, known: Props) -> Props | None:
        raise NotImplementedError

    def remove(self, bucket: str, outputs: Props) -> None:
        raise NotImplementedError

    def create(self, inputs: Props) -> tuple[str, Props]:
        bucket = inputs["bucket"]
        with saying("S3", f"creating S3 Bucket ({bucket}) {self.subject}"):
            self.put(bucket, inputs)
        found = self.read(bucket, inputs)
        if found is None:
            raise Refused(f"waiting for S3 Bucket ({bucket}) {self.subject} create: couldn't find resource")
        return bucket, found

    def read(self, identifier: str, outputs: Props) -> Props | None:
        found = None
        with saying("S3", f"reading S3 Bucket {self.subject} ({identifier})"), absent(*self.nothing, *_GONE):
            found = self.get(identifier, outputs)
        return None if found is None else {"bucket": identifier, "region": self.cloud.region} | found

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        del olds
        with saying("S3", f"updating S3 Bucket ({identifier}) {self.subject}"):
            self.put(identifier, news)
        return self.read(identifier, news) or news

    def delete(self, identifier: str, outputs: Props) -> None:
        with saying("S3", f"deleting S3 Bucket ({identifier}) {self.subject}"), absent(*self.nothing, *_GONE):
            self.remove(identifier, outputs)


class BucketOwnershipControls(_Beside):
    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    takes = frozenset({"bucket", "region", "rule"})
    subject = "Ownership Controls"
    nothing = frozenset({"OwnershipControlsNotFoundError"})

    def put(self, bucket: str, inputs: Props) -> None:
        rules: Any = {"Rules": [to_aws(inputs["rule"])]}
        self.cloud.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)

    def get(self, bucket: str, known: Props) -> Props | None:
        del known
        found = self.cloud.s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
        return {"rule": from_aws(found["Rules"][0])}

    def remove(self, bucket: str, outputs: Props) -> None:
        del outputs
        self.cloud.s3.delete_bucket_ownership_controls(Bucket=bucket)


class BucketPublicAccessBlock(_Beside):
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    _flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    takes = frozenset({"bucket", "region", *_flags})
    subject = "Public Access Block"
    nothing = frozenset({"NoSuchPublicAccessBlockConfiguration"})

    def put(self, bucket: str, inputs: Props) -> None:
        flags: Any = to_aws({one: bool(inputs.get(one)) for one in self._flags})
        self.cloud.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=flags)

    def get(self, bucket: str, known: Props) -> Props | None:
        del known
        found = self.cloud.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        return dict(from_aws(found))

    def remove(self, bucket: str, outputs: Props) -> None:
        del outputs
        self.cloud.s3.delete_public_access_block(Bucket=bucket)


class BucketPolicy(_Beside):
    token = "aws:s3/bucketPolicy:BucketPolicy"
    takes = frozenset({"bucket", "region", "policy"})
    subject = "Policy"
    nothing = frozenset({"NoSuchBucketPolicy"})

    def put(self, bucket: str, inputs: Props) -> None:
        self.cloud.s3.put_bucket_policy(Bucket=bucket, Policy=inputs["policy"])

    def get(self, bucket: str, known: Props) -> Props | None:
        found = self.cloud.s3.get_bucket_policy(Bucket=bucket)["Policy"]
        return {"policy": same_document(known.get("policy"), found)}

    def remove(self, bucket: str, outputs: Props) -> None:
        del outputs
        self.cloud.s3.delete_bucket_policy(Bucket=bucket)

    def normal(self, properties: Props) -> Props:
        return parsed(properties, "policy")


def parsed(properties: Props, name: str) -> Props:
    """The properties with a document parsed, and its order no matter."""
    document = properties.get(name)
    return properties | {name: _ordered(json.loads(document))} if isinstance(document, str) else properties


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(one) for key, one in value.items()}
    if isinstance(value, list):
        plain = sorted((_ordered(one) for one in value), key=repr)
        return plain[0] if len(plain) == 1 else plain
    return value


def same_document(known: str | None, found: str) -> str:
    """The document as it was written, if the one that was found says the same."""
    if known is not None and _ordered(json.loads(known)) == _ordered(json.loads(found)):
        return known
    return found


class BucketServerSideEncryptionConfiguration(_Beside):
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    takes = frozenset({"bucket", "region", "rules"})
    subject = "Server-side Encryption Configuration"
    nothing = frozenset({"ServerSideEncryptionConfigurationNotFoundError"})

    def put(self, bucket: str, inputs: Props) -> None:
        rules: Any = {"Rules": [_encryption_to_aws(one) for one in inputs["rules"]]}
        self.cloud.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)

    def get(self, bucket: str, known: Props) -> Props | None:
        found = self.cloud.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        blocked = [one.get("blockedEncryptionTypes") for one in known.get("rules", [])]
        return {"rules": [_encryption_from_aws(one, blocked) for one in found["Rules"]]}

    def remove(self, bucket: str, outputs: Props) -> None:
        del outputs
        self.cloud.s3.delete_bucket_encryption(Bucket=bucket)


def _encryption_to_aws(rule: Props) -> Props:
    converted: Props = to_aws({key: one for key, one in rule.items() if key != "blockedEncryptionTypes"})
    if blocked := rule.get("blockedEncryptionTypes"):
        converted["BlockedEncryptionTypes"] = {"EncryptionType": blocked}
    return converted


def _encryption_from_aws(rule: Any, known: list[Any]) -> Props:
    blocked = rule.get("BlockedEncryptionTypes", {}).get("EncryptionType")
    converted: Props = from_aws({key: one for key, one in rule.items() if key != "BlockedEncryptionTypes"})
    # moto forgets them.
    return converted | {"blockedEncryptionTypes": blocked or next(iter(known), None)}


class BucketVersioning(_Beside):
    token = "aws:s3/bucketVersioning:BucketVersioning"
    takes = frozenset({"bucket", "region", "versioningConfiguration"})
    subject = "Versioning"

    def put(self, bucket: str, inputs: Props) -> None:
        wanted: Any = to_aws(inputs["versioningConfiguration"])
        self.cloud.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=wanted)

    def get(self, bucket: str, known: Props) -> Props | None:
        del known
        found = self.cloud.s3.get_bucket_versioning(Bucket=bucket)
        return {"versioningConfiguration": {"status": found.get("Status", "Disabled")}}

    def remove(self, bucket: str, outputs: Props) -> None:
        if outputs["versioningConfiguration"]["status"] == "Enabled":
            suspended: Any = {"Status": "Suspended"}
            self.cloud.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=suspended)


class BucketLifecycleConfiguration(_Beside):
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    takes = frozenset({"bucket", "region", "rules"})
    computed = frozenset({"region", "transitionDefaultMinimumObjectSize"})
    subject = "Lifecycle Configuration"
    nothing = frozenset({"NoSuchLifecycleConfiguration"})

    def check(self, name: str, inputs: Props) -> Props:
        for index, rule in enumerate(inputs.get("rules", [])):
            for part in ("and", "tag"):
                if part in rule.get("filter", {}):
                    raise Refused(f"the double of {self.token} does not know {part}", f"rules[{index}].filter")
        return super().check(name, inputs)

    def put(self, bucket: str, inputs: Props) -> None:
        rules: Any = {"Rules": to_aws(inputs["rules"])}
        self.cloud.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)

    def get(self, bucket: str, known: Props) -> Props | None:
        del known
        found = self.cloud.s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        return {
            "rules": [from_aws(one) for one in found["Rules"]],
            "transitionDefaultMinimumObjectSize": "all_storage_classes_128K",
        }

    def remove(self, bucket: str, outputs: Props) -> None:
        del outputs
        self.cloud.s3.delete_bucket_lifecycle(Bucket=bucket)


class BucketCorsConfiguration(_Beside):
    token = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
    takes = frozenset({"bucket", "region", "corsRules"})
    subject = "CORS Configuration"
    nothing = frozenset({"NoSuchCORSConfiguration"})

    def put(self, bucket: str, inputs: Props) -> None:
        rules: Any = {"CORSRules": to_aws(inputs["corsRules"])}
        self.cloud.s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=rules)

    def get(self, bucket: str, known: Props) -> Props | None:
        del known
        return {"corsRules": from_aws(self.cloud.s3.get_bucket_cors(Bucket=bucket)["CORSRules"])}

    def remove(self, bucket: str, outputs: Props) -> None:
        del outputs
        self.cloud.s3.delete_bucket_cors(Bucket=bucket)

    def normal(self, properties: Props) -> Props:
        # Sets, in the provider's schema.
        return properties | {"corsRules": sorted(_sets_in_order(properties.get("corsRules", [])), key=repr)}


def _sets_in_order(rules: Any) -> Iterator[Props]:
    in_order: Callable[[Any], Any] = lambda one: sorted(one, key=repr) if isinstance(one, list) else one  # noqa: E731
    for rule in rules:
        yield {key: in_order(one) for key, one in sorted(rule.items())}


HANDLERS = (
    Bucket,
    BucketOwnershipControls,
    BucketPublicAccessBlock,
    BucketPolicy,
    BucketServerSideEncryptionConfiguration,
    BucketVersioning,
    BucketLifecycleConfiguration,
    BucketCorsConfiguration,
)
