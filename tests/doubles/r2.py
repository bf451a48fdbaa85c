"""The double of pulumi-cloudflare 6: its resource types over a real SeaweedFS (`seaweed.py`)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.doubles.handler import Double, Function, Handler, Props, Refused
from tests.doubles.seaweed import READ, WRITE, Seaweed

#: The documented permission groups that the double knows: "Workers R2 Storage Bucket Item Read", "... Write".
_GROUPS = {"6a018a9f2fc74eb6b293b0c548f38b39": READ, "2efd5506f9c8494dacb1fa10a3e7d5b6": WRITE}
_RESOURCE = re.compile(r"com\.cloudflare\.edge\.r2\.bucket\.([0-9a-f]{32})_(default|eu|fedramp)_([a-z0-9-]{3,63})")
#: A token of this value was rolled or deleted.
REVOKED = "r" * 40
_AUTHENTICATION = '403 Forbidden {"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}'
_NO_BUCKET = '404 Not Found {"errors":[{"code":10006,"message":"The specified bucket does not exist."}]}'
_DAY = 24 * 3600


class R2(Seaweed):
    """The accounts that the provider's token reaches."""

    def __init__(self, config: Mapping[str, str]) -> None:
        token = config.get("apiToken") or os.environ.get("CLOUDFLARE_API_TOKEN")
        if not token:
            raise Refused('must provide one of "api_key", "api_token" or "api_user_service_key"')
        super().__init__("r2-notes")
        self.revoked = token == REVOKED

    def require(self) -> None:
        if self.revoked:
            raise Refused(f'POST "https://api.cloudflare.com/client/v4/accounts": {_AUTHENTICATION}')


class R2Handler(Handler):
    cloud: R2


class Bucket(R2Handler):
    token = "cloudflare:index/r2Bucket:R2Bucket"
    replaces = frozenset({"accountId", "name"})
    computed = frozenset({"location", "storageClass", "jurisdiction"})

    def check(self, name: str, inputs: Props) -> Props:
        del name
        return {"jurisdiction": "default", "storageClass": "Standard"} | inputs

    def create(self, inputs: Props) -> tuple[str, Props]:
        self.cloud.require()
        name = inputs["name"]
        if self.cloud.bucket_exists(name):
            raise Refused(
                '409 Conflict {"success":false,"errors":[{"code":10004,"message":"The bucket you tried to create '
                'already exists, and you own it."}]}'
            )
        self.cloud.s3.create_bucket(Bucket=name)
        outputs = {"location": "WEUR", **inputs}
        self.cloud.note("bucket", name, outputs)
        return name, outputs

    def read(self, identifier: str, outputs: Props) -> Props | None:
        self.cloud.require()
        imported: Props = {}
        if "/" in identifier:
            account, identifier, jurisdiction = identifier.split("/")
            imported = {"accountId": account, "jurisdiction": jurisdiction, "name": identifier}
        if not self.cloud.bucket_exists(identifier):
            return None
        made = {"location": "ENAM", "storageClass": "Standard"}
        return {**made, **imported, **outputs, **(self.cloud.noted("bucket", identifier) or {})}

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        if olds["jurisdiction"] != news["jurisdiction"]:  # the real provider looks for it there, without success
            raise Refused(_NO_BUCKET)
        found = {**olds, **news, "location": olds["location"]}  # never changed once the bucket exists
        self.cloud.note("bucket", identifier, found)
        return found

    def delete(self, identifier: str, outputs: Props) -> None:
        self.cloud.require()
        name = outputs["name"]
        if not self.cloud.bucket_exists(name):
            return
        if not self.cloud.is_empty(name):
            raise Refused(
                '409 Conflict {"success":false,"errors":[{"code":10008,"message":"The bucket you tried to delete '
                'is not empty."}]}'
            )
        self.cloud.delete_bucket(name)
        self.cloud.forget("bucket", identifier)


class OfBucket(R2Handler):
    """Something that belongs to a bucket, which must exist in this jurisdiction."""

    replaces = frozenset({"accountId", "bucketName", "jurisdiction"})
    computed = frozenset({"jurisdiction"})

    def check(self, name: str, inputs: Props) -> Props:
        del name
        return {"jurisdiction": "default"} | inputs

    def create(self, inputs: Props) -> tuple[str, Props]:
        self.cloud.require()
        bucket = inputs["bucketName"]
        noted = self.cloud.noted("bucket", bucket) or {"jurisdiction": inputs["jurisdiction"]}
        if not self.cloud.bucket_exists(bucket) or noted["jurisdiction"] != inputs["jurisdiction"]:
            raise Refused(_NO_BUCKET)
        self.put(bucket, inputs.get("rules", []))
        return bucket, inputs

    def read(self, identifier: str, outputs: Props) -> Props | None:
        if not self.cloud.bucket_exists(identifier):
            return None
        return {**outputs, "rules": self.rules(identifier)}

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        self.put(identifier, news.get("rules", []))
        return {**olds, **news}

    def put(self, bucket: str, rules: list[Any]) -> None:
        raise NotImplementedError

    def rules(self, bucket: str) -> list[Any]:
        raise NotImplementedError


class BucketCors(OfBucket):
    token = "cloudflare:index/r2BucketCors:R2BucketCors"

    def put(self, bucket: str, rules: list[Any]) -> None:
        self.cloud.put_cors(
            bucket,
            [
                {
                    "AllowedOrigins": one["allowed"]["origins"],
                    "AllowedMethods": one["allowed"]["methods"],
                    "AllowedHeaders": one["allowed"].get("headers", []),
                    "ExposeHeaders": one.get("exposeHeaders", []),
                    "MaxAgeSeconds": int(one.get("maxAgeSeconds", 0)),
                }
                for one in rules
            ],
        )

    def rules(self, bucket: str) -> list[Any]:
        return [
            {
                "allowed": {
                    "origins": one["AllowedOrigins"],
                    "methods": one["AllowedMethods"],
                    "headers": one.get("AllowedHeaders", []),
                },
                "exposeHeaders": one.get("ExposeHeaders", []),
                "maxAgeSeconds": one.get("MaxAgeSeconds", 0),
            }
            for one in self.cloud.cors(bucket)
        ]

    def delete(self, identifier: str, outputs: Props) -> None:
        del outputs
        if self.cloud.bucket_exists(identifier):
            self.cloud.put_cors(identifier, [])


class BucketLifecycle(OfBucket):
    token = "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle"

    def put(self, bucket: str, rules: list[Any]) -> None:
        self.cloud.put_lifecycle(bucket, [_to_s3(one) for one in rules])

    def rules(self, bucket: str) -> list[Any]:
        return [_from_s3(one) for one in self.cloud.lifecycle(bucket)]

    def delete(self, identifier: str, outputs: Props) -> None:
        """Nothing: the real provider cannot either, and says so. The rules go with their bucket."""

    def normal(self, properties: Props) -> Props:
        rules = properties.get("rules")
        return properties | {"rules": sorted(rules, key=lambda one: str(one["id"]))} if rules else properties


class AccountToken(R2Handler):
    token = "cloudflare:index/accountToken:AccountToken"
    replaces = frozenset({"accountId"})
    computed = frozenset({"status"})
    secrets = frozenset({"value"})

    def create(self, inputs: Props) -> tuple[str, Props]:
        self.cloud.require()
        rights = _rights(inputs)
        identifier, value = secrets.token_hex(16), secrets.token_urlsafe(30)
        self.cloud.iam.create_user(UserName=_user(identifier))
        self.cloud.allow(_user(identifier), rights)
        # As Cloudflare derives the S3 key: https://developers.cloudflare.com/r2/api/tokens/
        self.cloud.create_key(_user(identifier), identifier, hashlib.sha256(value.encode()).hexdigest())
        stored = _as_stored(inputs)
        self.cloud.note("token", identifier, stored)
        return identifier, {
            **stored,
            "value": value,
            "status": "active",
            "issuedOn": datetime.now(UTC).isoformat(),
        }

    def read(self, identifier: str, outputs: Props) -> Props | None:
        self.cloud.require()
        if identifier not in self.cloud.keys(_user(identifier)):
            return None
        return {**outputs, **(self.cloud.noted("token", identifier) or {})}

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        self.cloud.allow(_user(identifier), _rights(news))
        stored = _as_stored(news)
        self.cloud.note("token", identifier, stored)
        return {**olds, **stored}

    def delete(self, identifier: str, outputs: Props) -> None:
        del outputs
        self.cloud.require()
        if self.cloud.user_exists(_user(identifier)):
            self.cloud.delete_user(_user(identifier))
        self.cloud.forget("token", identifier)


def _user(identifier: str) -> str:
    return f"r2-token-{identifier}"


def _as_stored(inputs: Props) -> Props:
    """The token as the API returns it: JSON without white space, which the real provider compares as text."""
    policies = [
        policy | {"resources": json.dumps(json.loads(policy["resources"]), separators=(",", ":"))}
        for policy in inputs["policies"]
    ]
    return inputs | {"policies": policies}


def _rights(inputs: Props) -> dict[str, Any]:
    """What the policies of a token allow, by bucket. What the API refuses is refused."""
    rights: dict[str, Any] = {}
    for policy in inputs["policies"]:
        groups = [one["id"] for one in policy["permissionGroups"]]
        if policy["effect"] != "allow" or len(groups) != 1 or groups[0] not in _GROUPS:
            raise Refused(f'400 Bad Request {{"code":1001,"message":"Invalid permission group in {groups}"}}')
        for resource, scope in json.loads(policy["resources"]).items():
            match = _RESOURCE.fullmatch(resource)
            if match is None or match[1] != inputs["accountId"] or scope != "*":
                raise Refused(f'400 Bad Request {{"code":1001,"message":"Invalid resource {resource}"}}')
            rights[match[3]] = _GROUPS[groups[0]]
    return rights


def _to_s3(rule: Props) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ID": rule["id"],
        "Status": "Enabled" if rule["enabled"] else "Disabled",
        "Filter": {"Prefix": rule["conditions"]["prefix"]},
    }
    if "deleteObjectsTransition" in rule:
        found["Expiration"] = {"Days": _days(rule["deleteObjectsTransition"])}
    if "abortMultipartUploadsTransition" in rule:
        days = _days(rule["abortMultipartUploadsTransition"])
        found["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    return found


def _days(transition: Props) -> int:
    condition = transition["condition"]
    if condition["type"] != "Age" or condition["maxAge"] % _DAY:
        raise Refused(f"the double of r2 counts in whole days: {condition}")
    return int(condition["maxAge"] // _DAY)


def _from_s3(rule: Any) -> Props:
    found = {
        "id": rule["ID"],
        "enabled": rule["Status"] == "Enabled",
        "conditions": {"prefix": rule.get("Filter", {}).get("Prefix", "")},
    }
    if "Expiration" in rule:
        found["deleteObjectsTransition"] = _age(rule["Expiration"]["Days"])
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        found["abortMultipartUploadsTransition"] = _age(days)
    return found


def _age(days: int) -> Props:
    return {"condition": {"type": "Age", "maxAge": days * _DAY}}


class GetBucket(Function):
    token = "cloudflare:index/getR2Bucket:getR2Bucket"
    cloud: R2

    def call(self, args: Props) -> Props:
        self.cloud.require()
        name = args["bucketName"]
        if not self.cloud.bucket_exists(name):
            raise Refused(_NO_BUCKET)
        return {"id": name, "name": name, **args, **(self.cloud.noted("bucket", name) or {})}


DOUBLE = Double("cloudflare", R2, (Bucket, BucketCors, BucketLifecycle, AccountToken), (GetBucket,))
