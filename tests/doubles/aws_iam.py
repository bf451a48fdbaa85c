"""Users, roles, their policies and keys in AWS IAM (terraform-provider-aws v6, internal/service/iam)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, ClassVar
from urllib.parse import unquote

from botocore.exceptions import ClientError

from tests.doubles.aws_cloud import AwsHandler, absent, code, saying, tag_list, tag_map
from tests.doubles.aws_s3 import parsed, same_document
from tests.doubles.handler import Props, Refused, autoname

_GONE = "NoSuchEntity"


def _boundary(found: Any) -> str | None:
    arn: str | None = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return arn


def _only(**values: Any) -> dict[str, Any]:
    """The values that there are: an API wants no None."""
    return {name: value for name, value in values.items() if value is not None}


class _Named(AwsHandler):
    """What has a name of its own in IAM."""

    named = "name"
    computed = frozenset({"name"})

    def named_by(self, name: str, inputs: Props) -> Props:
        return {} if "name" in inputs else {"name": autoname(name)}


def _require_same_name(olds: Props, news: Props) -> None:
    if (olds["name"], olds["path"]) != (news["name"], news["path"]):
        raise Refused("the double does not know how to rename a user")


class User(_Named):
    token = "aws:iam/user:User"
    takes = frozenset({"name", "path", "permissionsBoundary", "forceDestroy", "tags"})
    defaults: ClassVar = {"forceDestroy": False, "path": "/"}

    def create(self, inputs: Props) -> tuple[str, Props]:
        name = inputs["name"]
        boundary, tags = inputs.get("permissionsBoundary"), inputs.get("tags")
        with saying("IAM", f"creating IAM User ({name})"):
            self.cloud.iam.create_user(
                UserName=name,
                **_only(Path=inputs["path"], PermissionsBoundary=boundary, Tags=tag_list(tags) or None),
            )
        return name, self.read(name, inputs) or inputs

    def read(self, identifier: str, outputs: Props) -> Props | None:
        found: Any = None
        with saying("IAM", f"reading IAM User ({identifier})"), absent(_GONE):
            found = self.cloud.iam.get_user(UserName=identifier)["User"]
        if found is None:
            return None
        tags = tag_map(found.get("Tags", []))
        return {
            "arn": found["Arn"],
            "name": found["UserName"],
            "path": found["Path"],
            "uniqueId": found["UserId"],
            "permissionsBoundary": _boundary(found),
            "tags": tags or None,
            "tagsAll": tags,
            "forceDestroy": outputs.get("forceDestroy"),
        }

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        with saying("IAM", f"updating IAM User ({identifier})"):
            _require_same_name(olds, news)
            name = identifier
            if olds.get("permissionsBoundary") != news.get("permissionsBoundary"):
                self._bound(name, news.get("permissionsBoundary"))
            self._retag(name, olds.get("tags") or {}, news.get("tags") or {})
        return self.read(name, news) or news

    def _bound(self, name: str, boundary: str | None) -> None:
        if boundary:
            self.cloud.iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=boundary)
        else:
            self.cloud.iam.delete_user_permissions_boundary(UserName=name)

    def _retag(self, name: str, olds: dict[str, str], news: dict[str, str]) -> None:
        gone = sorted(olds.keys() - news.keys())
        if gone:
            self.cloud.iam.untag_user(UserName=name, TagKeys=gone)
        changed = {key: value for key, value in news.items() if olds.get(key) != value}
        if changed:
            self.cloud.iam.tag_user(UserName=name, Tags=tag_list(changed))

    def delete(self, identifier: str, outputs: Props) -> None:
        with saying("IAM", f"deleting IAM User ({identifier})"), absent(_GONE):
            # Only a request tells that a user is in no group, so the provider always sends one.
            for group in self.cloud.iam.list_groups_for_user(UserName=identifier)["Groups"]:
                self.cloud.iam.remove_user_from_group(GroupName=group["GroupName"], UserName=identifier)
            if outputs.get("forceDestroy"):
                self._strip(identifier)
            self.cloud.iam.delete_user(UserName=identifier)

    def _strip(self, name: str) -> None:
        for policy in self.cloud.iam.list_user_policies(UserName=name)["PolicyNames"]:
            self.cloud.iam.delete_user_policy(UserName=name, PolicyName=policy)
        for one in self.cloud.iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
            self.cloud.iam.detach_user_policy(UserName=name, PolicyArn=one["PolicyArn"])
        for key in self.cloud.iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            self.cloud.iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])


class Role(_Named):
    token = "aws:iam/role:Role"
    takes = frozenset(
        {
            *("name", "path", "assumeRolePolicy", "description", "maxSessionDuration", "permissionsBoundary"),
            *("forceDetachPolicies", "tags"),
        }
    )
    defaults: ClassVar = {"path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": False}
    replaces = frozenset({"name", "path"})

    def check(self, name: str, inputs: Props) -> Props:
        # The SDK takes an object too; the program sends JSON.
        if isinstance(inputs.get("assumeRolePolicy"), dict):
            raise Refused("the double takes the policy as JSON only", "assumeRolePolicy")
        return super().check(name, inputs)

    def create(self, inputs: Props) -> tuple[str, Props]:
        name = inputs["name"]
        with saying("IAM", f"creating IAM Role ({name})"):
            self.cloud.iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
                **_only(
                    Path=inputs["path"],
                    Description=inputs.get("description"),
                    MaxSessionDuration=inputs["maxSessionDuration"],
                    PermissionsBoundary=inputs.get("permissionsBoundary"),
                    Tags=tag_list(inputs.get("tags")) or None,
                ),
            )
        return name, self.read(name, inputs) or inputs

    def read(self, identifier: str, outputs: Props) -> Props | None:
        found: Any = None
        with saying("IAM", f"reading IAM Role ({identifier})"), absent(_GONE):
            found = self.cloud.iam.get_role(RoleName=identifier)["Role"]
            self._read_policies(identifier)
        if found is None:
            return None
        tags = tag_map(found.get("Tags", []))
        document = json_of(found["AssumeRolePolicyDocument"])
        return {
            "arn": found["Arn"],
            "assumeRolePolicy": same_document(outputs.get("assumeRolePolicy"), document),
            "createDate": found["CreateDate"].isoformat(),
            "description": found.get("Description"),
            "forceDetachPolicies": outputs.get("forceDetachPolicies"),
            "maxSessionDuration": found.get("MaxSessionDuration"),
            "name": found["RoleName"],
            "path": found["Path"],
            "permissionsBoundary": _boundary(found),
            "tags": tags or None,
            "tagsAll": tags,
            "uniqueId": found["RoleId"],
        }

    def _read_policies(self, name: str) -> None:
        """What the provider reads on top, for attributes that are deprecated."""
        for policy in self.cloud.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            self.cloud.iam.get_role_policy(RoleName=name, PolicyName=policy)
        self.cloud.iam.list_attached_role_policies(RoleName=name)

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        with saying("IAM", f"updating IAM Role ({identifier})"):
            if self.normal(olds)["assumeRolePolicy"] != self.normal(news)["assumeRolePolicy"]:
                document = news["assumeRolePolicy"]
                self.cloud.iam.update_assume_role_policy(RoleName=identifier, PolicyDocument=document)
            details = ("description", "maxSessionDuration")
            if any(olds.get(one) != news.get(one) for one in details):
                description, duration = news.get("description", ""), news["maxSessionDuration"]
                self.cloud.iam.update_role(
                    RoleName=identifier, Description=description, MaxSessionDuration=duration
                )
            if olds.get("permissionsBoundary") != news.get("permissionsBoundary"):
                self._bound(identifier, news.get("permissionsBoundary"))
            self._retag(identifier, olds.get("tags") or {}, news.get("tags") or {})
        return self.read(identifier, news) or news

    def _bound(self, name: str, boundary: str | None) -> None:
        if boundary:
            self.cloud.iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
        else:
            self.cloud.iam.delete_role_permissions_boundary(RoleName=name)

    def _retag(self, name: str, olds: dict[str, str], news: dict[str, str]) -> None:
        gone = sorted(olds.keys() - news.keys())
        if gone:
            self.cloud.iam.untag_role(RoleName=name, TagKeys=gone)
        changed = {key: value for key, value in news.items() if olds.get(key) != value}
        if changed:
            self.cloud.iam.tag_role(RoleName=name, Tags=tag_list(changed))

    def delete(self, identifier: str, outputs: Props) -> None:
        with saying("IAM", f"deleting IAM Role ({identifier})"), absent(_GONE):
            profiles = self.cloud.iam.list_instance_profiles_for_role(RoleName=identifier)["InstanceProfiles"]
            for one in profiles:
                name = one["InstanceProfileName"]
                self.cloud.iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=identifier)
            if outputs.get("forceDetachPolicies"):
                self._strip(identifier)
            self.cloud.iam.delete_role(RoleName=identifier)

    def _strip(self, name: str) -> None:
        for one in self.cloud.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            self.cloud.iam.detach_role_policy(RoleName=name, PolicyArn=one["PolicyArn"])
        for policy in self.cloud.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            self.cloud.iam.delete_role_policy(RoleName=name, PolicyName=policy)

    def normal(self, properties: Props) -> Props:
        return parsed(properties, "assumeRolePolicy")


def json_of(document: Any) -> str:
    """A document as botocore gives it: parsed, or as text."""

    return unquote(document) if isinstance(document, str) else json.dumps(document)


class _Inline(_Named):
    """A policy inside of a user or a role. Its id is ``<holder>:<name>``."""

    #: The input that names the holder: `user` or `role`.
    holder: ClassVar[str]
    subject: ClassVar[str]

    def _parameters(self, holder: str, name: str) -> dict[str, str]:
        return {f"{self.holder.capitalize()}Name": holder, "PolicyName": name}

    def _call(self, verb: str, **parameters: str) -> Any:
        return getattr(self.cloud.iam, f"{verb}_{self.holder}_policy")(**parameters)

    def create(self, inputs: Props) -> tuple[str, Props]:
        identifier = f"{inputs[self.holder]}:{inputs['name']}"
        self._put(identifier, inputs)
        return identifier, self.read(identifier, inputs) or inputs

    def _put(self, identifier: str, inputs: Props) -> None:
        holder, _, name = identifier.partition(":")
        with saying("IAM", f"putting {self.subject} ({identifier})"):
            self._call("put", **self._parameters(holder, name), PolicyDocument=inputs["policy"])

    def read(self, identifier: str, outputs: Props) -> Props | None:
        holder, _, name = identifier.partition(":")
        found: Any = None
        with saying("IAM", f"reading {self.subject} ({identifier})"), absent(_GONE):
            found = self._call("get", **self._parameters(holder, name))
        if found is None:
            return None
        policy = same_document(outputs.get("policy"), json_of(found["PolicyDocument"]))
        return {self.holder: holder, "name": name, "policy": policy}

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        del olds
        self._put(identifier, news)
        return self.read(identifier, news) or news

    def delete(self, identifier: str, outputs: Props) -> None:
        del outputs
        holder, _, name = identifier.partition(":")
        with saying("IAM", f"deleting {self.subject} ({identifier})"), absent(_GONE):
            self._call("delete", **self._parameters(holder, name))

    def normal(self, properties: Props) -> Props:
        return parsed(properties, "policy")


class UserPolicy(_Inline):
    token = "aws:iam/userPolicy:UserPolicy"
    takes = frozenset({"user", "name", "policy"})
    replaces = frozenset({"user", "name"})
    holder = "user"
    subject = "IAM User Policy"


class RolePolicy(_Inline):
    token = "aws:iam/rolePolicy:RolePolicy"
    takes = frozenset({"role", "name", "policy"})
    replaces = frozenset({"role", "name"})
    holder = "role"
    subject = "IAM Role Policy"


class AccessKey(AwsHandler):
    token = "aws:iam/accessKey:AccessKey"
    takes = frozenset({"user", "status"})
    defaults: ClassVar = {"status": "Active"}
    replaces = frozenset({"user"})
    secrets = frozenset({"secret", "sesSmtpPasswordV4"})

    def create(self, inputs: Props) -> tuple[str, Props]:
        user = inputs["user"]
        with saying("IAM", f"creating IAM Access Key ({user})"):
            made = self.cloud.iam.create_access_key(UserName=user)["AccessKey"]
        identifier, secret = made["AccessKeyId"], made["SecretAccessKey"]
        if inputs["status"] != "Active":
            self._set(identifier, inputs)
        mail = ses_password(secret, self.cloud.region)
        secrets = {"secret": secret, "sesSmtpPasswordV4": mail}
        return identifier, (self.read(identifier, inputs) or inputs) | secrets

    def _set(self, identifier: str, inputs: Props) -> None:
        with saying("IAM", f"updating IAM Access Key ({identifier})"):
            self.cloud.iam.update_access_key(
                UserName=inputs["user"], AccessKeyId=identifier, Status=inputs["status"]
            )

    def read(self, identifier: str, outputs: Props) -> Props | None:
        user = outputs.get("user") or self._owner(identifier)
        found: Any = None
        with saying("IAM", f"reading IAM Access Key ({identifier})"), absent(_GONE):
            keys = self.cloud.iam.list_access_keys(UserName=user or "")["AccessKeyMetadata"] if user else []
            found = next((one for one in keys if one["AccessKeyId"] == identifier), None)
        if found is None:
            return None
        known = {name: outputs.get(name) for name in ("secret", "sesSmtpPasswordV4")}
        made = found["CreateDate"].isoformat()
        return {"user": user, "status": found["Status"], "createDate": made, **known}

    def _owner(self, identifier: str) -> str | None:
        """An import knows nothing but the id."""
        try:
            found = self.cloud.iam.get_access_key_last_used(AccessKeyId=identifier)
        except ClientError as error:
            if code(error) in {_GONE, "AccessDenied"}:
                return None
            raise
        return found["UserName"]

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        self._set(identifier, news)
        return self.read(identifier, olds | news) or news

    def delete(self, identifier: str, outputs: Props) -> None:
        with saying("IAM", f"deleting IAM Access Key ({identifier})"), absent(_GONE):
            self.cloud.iam.delete_access_key(UserName=outputs["user"], AccessKeyId=identifier)


def ses_password(secret: str, region: str) -> str:
    """The password for mail that follows from a secret key.

    https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html
    """
    signature = f"AWS4{secret}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.new(signature, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(b"\x04" + signature).decode()


HANDLERS = (User, Role, UserPolicy, RolePolicy, AccessKey)
