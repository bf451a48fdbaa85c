"""Keys of AWS KMS and their aliases (terraform-provider-aws v6, internal/service/kms)."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.doubles.aws_cloud import AwsHandler, absent, saying, tag_list
from tests.doubles.aws_s3 import parsed, same_document
from tests.doubles.handler import Props, autoname

_GONE = "NotFoundException"
_PENDING = "PendingDeletion"


class Key(AwsHandler):
    token = "aws:kms/key:Key"
    takes = frozenset({"description", "enableKeyRotation", "deletionWindowInDays", "policy", "tags", "region"})
    computed = frozenset({"description", "policy", "region"})
    defaults: ClassVar = {"enableKeyRotation": False}
    replaces = frozenset({"region"})

    def create(self, inputs: Props) -> tuple[str, Props]:
        wanted = {"Description": inputs.get("description", ""), "Tags": _tags(inputs)}
        if "policy" in inputs:
            wanted["Policy"] = inputs["policy"]
        with saying("KMS", "creating KMS Key"):
            identifier = self.cloud.kms.create_key(**wanted)["KeyMetadata"]["KeyId"]
        if inputs["enableKeyRotation"]:
            self._rotate(identifier, wanted=True)
        return identifier, self.read(identifier, inputs) or inputs

    def _rotate(self, identifier: str, *, wanted: bool) -> None:
        change = self.cloud.kms.enable_key_rotation if wanted else self.cloud.kms.disable_key_rotation
        with saying("KMS", f"updating KMS Key ({identifier}) key rotation"):
            change(KeyId=identifier)

    def read(self, identifier: str, outputs: Props) -> Props | None:
        found: Any = None
        with saying("KMS", f"reading KMS Key ({identifier})"), absent(_GONE):
            found = self.cloud.kms.describe_key(KeyId=identifier)["KeyMetadata"]
        if found is None or found["KeyState"] == _PENDING:
            return None
        with saying("KMS", f"reading KMS Key ({identifier})"):
            policy = self.cloud.kms.get_key_policy(KeyId=identifier, PolicyName="default")["Policy"]
            rotates = self.cloud.kms.get_key_rotation_status(KeyId=identifier)["KeyRotationEnabled"]
            listed = self.cloud.kms.list_resource_tags(KeyId=identifier)["Tags"]
        tags = {one["TagKey"]: one["TagValue"] for one in listed}
        return {
            "arn": found["Arn"],
            "keyId": found["KeyId"],
            "description": found["Description"],
            "enableKeyRotation": rotates,
            "policy": same_document(outputs.get("policy"), policy),
            "deletionWindowInDays": outputs.get("deletionWindowInDays"),
            "region": self.cloud.region,
            "tags": tags or None,
            "tagsAll": tags,
        }

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        with saying("KMS", f"updating KMS Key ({identifier})"):
            if news["enableKeyRotation"] != olds["enableKeyRotation"]:
                self._rotate(identifier, wanted=news["enableKeyRotation"])
            if news.get("description", olds["description"]) != olds["description"]:
                self.cloud.kms.update_key_description(KeyId=identifier, Description=news["description"])
            if "policy" in news and self.normal(news)["policy"] != self.normal(olds)["policy"]:
                self.cloud.kms.put_key_policy(KeyId=identifier, PolicyName="default", Policy=news["policy"])
            self._retag(identifier, olds.get("tags") or {}, news)
        return self.read(identifier, news) or news

    def _retag(self, identifier: str, olds: dict[str, str], news: Props) -> None:
        gone = sorted(olds.keys() - (news.get("tags") or {}).keys())
        if gone:
            self.cloud.kms.untag_resource(KeyId=identifier, TagKeys=gone)
        if (news.get("tags") or {}) != olds and news.get("tags"):
            self.cloud.kms.tag_resource(KeyId=identifier, Tags=_tags(news))

    def delete(self, identifier: str, outputs: Props) -> None:
        days = outputs.get("deletionWindowInDays") or 30
        with saying("KMS", f"deleting KMS Key ({identifier})"), absent(_GONE):
            self.cloud.kms.schedule_key_deletion(KeyId=identifier, PendingWindowInDays=days)

    def normal(self, properties: Props) -> Props:
        return parsed(properties, "policy")


def _tags(inputs: Props) -> list[dict[str, str]]:
    return [{"TagKey": one["Key"], "TagValue": one["Value"]} for one in tag_list(inputs.get("tags"))]


class Alias(AwsHandler):
    token = "aws:kms/alias:Alias"
    takes = frozenset({"name", "targetKeyId", "region"})
    computed = frozenset({"name", "region"})
    replaces = frozenset({"name", "region"})
    named = "name"

    def named_by(self, name: str, inputs: Props) -> Props:
        return {} if "name" in inputs else {"name": f"alias/{autoname(name)}"}

    def create(self, inputs: Props) -> tuple[str, Props]:
        name = inputs["name"]
        with saying("KMS", f"creating KMS Alias ({name})"):
            self.cloud.kms.create_alias(AliasName=name, TargetKeyId=inputs["targetKeyId"])
        return name, self.read(name, inputs) or inputs

    def read(self, identifier: str, outputs: Props) -> Props | None:
        with saying("KMS", f"reading KMS Alias ({identifier})"):
            pages = self.cloud.kms.get_paginator("list_aliases").paginate()
            listed = [one for page in pages for one in page["Aliases"] if one["AliasName"] == identifier]
        if not listed:
            return None
        arn, target = listed[0]["AliasArn"], listed[0]["TargetKeyId"]
        key = f"{arn.partition(':alias/')[0]}:key/{target}"
        # Given as an ARN, it stays one.
        given = outputs.get("targetKeyId", "")
        return {
            "arn": arn,
            "name": identifier,
            "region": self.cloud.region,
            "targetKeyId": key if given.startswith("arn:") else target,
            "targetKeyArn": key,
        }

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        del olds
        with saying("KMS", f"updating KMS Alias ({identifier})"):
            self.cloud.kms.update_alias(AliasName=identifier, TargetKeyId=news["targetKeyId"])
        return self.read(identifier, news) or news

    def delete(self, identifier: str, outputs: Props) -> None:
        del outputs
        with saying("KMS", f"deleting KMS Alias ({identifier})"), absent(_GONE):
            self.cloud.kms.delete_alias(AliasName=identifier)


HANDLERS = (Key, Alias)
