"""The double of pulumi-gcp 10: its resource types over a real SeaweedFS (`seaweed.py`).

Predefined roles are given as the S3 actions that their documented permissions come to
(https://cloud.google.com/storage/docs/access-control/iam-roles).
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from tests.doubles.handler import Double, Handler, Props, Refused, autoname
from tests.doubles.seaweed import READ, WRITE, Seaweed

_NO_CREDENTIALS = (
    "Attempted to load application default credentials since neither `credentials` nor `access_token` was set in "
    "the provider block.  No credentials loaded. To use your gcloud credentials, run 'gcloud auth application-"
    "default login'"
)
#: A GOOGLE_CREDENTIALS of this value has expired.
EXPIRED = "expired"
_EXPIRED = (
    'oauth2: "invalid_grant" "reauth related error (invalid_rapt)" "https://support.google.com/a/answer/9368756"'
)
_ROLES = {"roles/storage.objectViewer": READ, "roles/storage.objectUser": WRITE}
_ACCOUNT = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_KEYS = 10
_DAY = 24 * 3600


class Gcp(Seaweed):
    """The project that the provider works in."""

    def __init__(self, config: Mapping[str, str]) -> None:
        given = os.environ.get("GOOGLE_CREDENTIALS") or config.get("credentials")
        if not given:
            raise Refused(_NO_CREDENTIALS)
        super().__init__("gcp-notes")
        self.expired = given == EXPIRED
        self._giving = Lock()

    def require(self) -> None:
        """What every call of the API needs."""
        if self.expired:
            raise Refused(_EXPIRED)

    def give(self, member: str) -> None:
        """Bring what a member may do to the bindings that there are."""
        with self._giving:  # the engine makes several bindings at once: the last look must be the last word
            self._give(member)

    def _give(self, member: str) -> None:
        rights: dict[str, Any] = {}
        for one in self.all_noted("binding"):
            wider = _ROLES[one["role"]] is WRITE or one["bucket"] not in rights
            if one["member"] == member and wider:
                rights[one["bucket"]] = _ROLES[one["role"]]
        self.allow(member.removeprefix("serviceAccount:"), rights)


class GcpHandler(Handler):
    cloud: Gcp


class Bucket(GcpHandler):
    token = "gcp:storage/bucket:Bucket"
    replaces = frozenset({"name", "location", "project"})
    computed = frozenset({"storageClass", "name"})
    named = "name"
    _honoured = frozenset(
        {"name", "project", "location", "uniformBucketLevelAccess", "publicAccessPrevention", "versioning"}
        | {"softDeletePolicy", "lifecycleRules", "cors", "labels", "forceDestroy", "storageClass"}
    )
    _in_notes = ("location", "uniformBucketLevelAccess", "publicAccessPrevention", "softDeletePolicy", "labels")

    def check(self, name: str, inputs: Props) -> Props:
        unknown = sorted(inputs.keys() - self._honoured)
        if unknown:
            raise Refused(f"the double of {self.token} does not know {unknown[0]}", unknown[0])
        generated = {} if "name" in inputs else {"name": autoname(name)}
        return {"storageClass": "STANDARD", "forceDestroy": False} | inputs | generated

    def create(self, inputs: Props) -> tuple[str, Props]:
        self.cloud.require()
        name = inputs["name"]
        if self.cloud.noted("taken", name):
            raise Refused(
                "googleapi: Error 409: The requested bucket name is not available. The bucket namespace is shared "
                "by all users of the system. Please select a different name and try again., conflict"
            )
        if self.cloud.bucket_exists(name):
            raise Refused(
                "googleapi: Error 409: Your previous request to create the named bucket succeeded and you already "
                "own it., conflict"
            )
        self.cloud.s3.create_bucket(Bucket=name)
        self._apply(inputs)
        return name, self._outputs(inputs)

    def own_id(self, given: str) -> str:
        return given.rpartition("/")[2]

    def read(self, identifier: str, outputs: Props) -> Props | None:
        self.cloud.require()
        # Without a project in the id, an import leaves it empty, which a project in the program then replaces.
        project, _, identifier = identifier.rpartition("/")
        if not self.cloud.bucket_exists(identifier):
            return None
        noted = self.cloud.noted("bucket", identifier) or _as_google_makes_it()
        enabled = self.cloud.s3.get_bucket_versioning(Bucket=identifier).get("Status") == "Enabled"
        there = {
            "name": identifier,
            "versioning": {"enabled": enabled},
            "lifecycleRules": [one for rule in self.cloud.lifecycle(identifier) for one in _from_s3(rule)],
            "cors": [_cors_from_s3(rule) for rule in self.cloud.cors(identifier)],
        }
        kept = {"project": project, "forceDestroy": False, "storageClass": "STANDARD"} | outputs
        return self._outputs(kept | noted | there)

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        del identifier, olds
        self.cloud.require()
        self._apply(news)
        return self._outputs(news)

    def delete(self, identifier: str, outputs: Props) -> None:
        self.cloud.require()
        if not self.cloud.bucket_exists(identifier):
            return
        if not (outputs.get("forceDestroy") or self.cloud.is_empty(identifier)):
            raise Refused(f"Error trying to delete bucket {identifier} without `force_destroy` set to true")
        self.cloud.delete_bucket(identifier)
        self.cloud.forget("bucket", identifier)

    def normal(self, properties: Props) -> Props:
        rules = properties.get("lifecycleRules")
        return properties | {"lifecycleRules": sorted(rules, key=_in_order)} if rules else properties

    def _apply(self, wanted: Props) -> None:
        name = wanted["name"]
        self.cloud.note("bucket", name, {one: wanted[one] for one in self._in_notes if one in wanted})
        status: Any = "Enabled" if wanted.get("versioning", {}).get("enabled") else "Suspended"
        self.cloud.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        rules = [_to_s3(rule, number) for number, rule in enumerate(wanted.get("lifecycleRules", []))]
        self.cloud.put_lifecycle(name, rules)
        self.cloud.put_cors(name, [_cors_to_s3(rule) for rule in wanted.get("cors", [])])

    @staticmethod
    def _outputs(inputs: Props) -> Props:
        name = inputs["name"]
        return inputs | {"url": f"gs://{name}", "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}"}


class Account(GcpHandler):
    token = "gcp:serviceaccount/account:Account"
    replaces = frozenset({"accountId", "project"})

    def check(self, name: str, inputs: Props) -> Props:
        del name
        if not _ACCOUNT.fullmatch(inputs.get("accountId", "")):
            raise Refused(
                f'"account_id" ("{inputs.get("accountId")}") doesn\'t match regexp "^{_ACCOUNT.pattern}$"',
                "accountId",
            )
        return inputs

    def create(self, inputs: Props) -> tuple[str, Props]:
        self.cloud.require()
        email = f"{inputs['accountId']}@{inputs['project']}.iam.gserviceaccount.com"
        if self.cloud.user_exists(email):
            raise Refused(
                f"Error creating service account: googleapi: Error 409: Service account {inputs['accountId']} "
                f"already exists within project projects/{inputs['project']}., alreadyExists"
            )
        self.cloud.iam.create_user(UserName=email)
        return f"projects/{inputs['project']}/serviceAccounts/{email}", self._outputs(inputs, email)

    def read(self, identifier: str, outputs: Props) -> Props | None:
        _, project, _, email = identifier.split("/")
        found = {"project": project, "accountId": email.partition("@")[0]}
        return self._outputs(outputs | found, email) if self.cloud.user_exists(email) else None

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        del olds
        return self._outputs(news, identifier.rpartition("/")[2])

    def delete(self, identifier: str, outputs: Props) -> None:
        del outputs
        email = identifier.rpartition("/")[2]
        if self.cloud.user_exists(email):
            self.cloud.delete_user(email)

    @staticmethod
    def _outputs(inputs: Props, email: str) -> Props:
        return inputs | {"email": email, "member": f"serviceAccount:{email}"}


class BucketIAMMember(GcpHandler):
    token = "gcp:storage/bucketIAMMember:BucketIAMMember"
    replaces = frozenset({"bucket", "role", "member", "condition"})

    def check(self, name: str, inputs: Props) -> Props:
        del name
        if "condition" in inputs:
            raise Refused("the double of gcp evaluates no conditions", "condition")
        return inputs

    def create(self, inputs: Props) -> tuple[str, Props]:
        self.cloud.require()
        if inputs["role"] not in _ROLES:
            raise Refused(
                f"googleapi: Error 400: Role {inputs['role']} is not supported for this resource., invalid"
            )
        if not self.cloud.bucket_exists(inputs["bucket"]):
            raise Refused("googleapi: Error 404: The specified bucket does not exist., notFound")
        identifier = f"b/{inputs['bucket']}/{inputs['role']}/{inputs['member']}"
        self.cloud.note("binding", identifier.replace("/", "|"), inputs)
        self.cloud.give(inputs["member"])
        return identifier, inputs

    def read(self, identifier: str, outputs: Props) -> Props | None:
        del outputs
        return self.cloud.noted("binding", identifier.replace("/", "|"))

    def delete(self, identifier: str, outputs: Props) -> None:
        self.cloud.forget("binding", identifier.replace("/", "|"))
        if self.cloud.user_exists(outputs["member"].removeprefix("serviceAccount:")):
            self.cloud.give(outputs["member"])


class HmacKey(GcpHandler):
    token = "gcp:storage/hmacKey:HmacKey"
    replaces = frozenset({"serviceAccountEmail", "project"})
    secrets = frozenset({"secret"})

    def check(self, name: str, inputs: Props) -> Props:
        del name
        return {"state": "ACTIVE"} | inputs

    def create(self, inputs: Props) -> tuple[str, Props]:
        self.cloud.require()
        email = inputs["serviceAccountEmail"]
        if len(self.cloud.keys(email)) >= _KEYS:
            raise Refused(
                "Error creating HmacKey: googleapi: Error 403: Service account HMAC key limit reached, "
                "quotaExceeded"
            )
        access_id, secret = f"GOOG1E{secrets.token_hex(27).upper()}", secrets.token_urlsafe(30)
        self.cloud.create_key(email, access_id, secret)
        return f"projects/{inputs['project']}/hmacKeys/{access_id}", inputs | {
            "accessId": access_id,
            "secret": secret,
            "timeCreated": datetime.now(UTC).isoformat(),
        }

    def read(self, identifier: str, outputs: Props) -> Props | None:
        access_id = identifier.rpartition("/")[2]
        state = self.cloud.keys(outputs["serviceAccountEmail"]).get(access_id)
        return None if state is None else outputs | {"state": state.upper()}

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        self._set(news["serviceAccountEmail"], identifier.rpartition("/")[2], news["state"])
        return olds | news

    def delete(self, identifier: str, outputs: Props) -> None:
        email, access_id = outputs["serviceAccountEmail"], identifier.rpartition("/")[2]
        if access_id in self.cloud.keys(email):
            self._set(email, access_id, "INACTIVE")
            self.cloud.iam.delete_access_key(UserName=email, AccessKeyId=access_id)

    def _set(self, email: str, access_id: str, state: str) -> None:
        status: Any = state.capitalize()
        self.cloud.iam.update_access_key(UserName=email, AccessKeyId=access_id, Status=status)


def _as_google_makes_it() -> Props:
    """Return the defaults of a bucket."""
    return {
        "location": "US",
        "uniformBucketLevelAccess": False,
        "publicAccessPrevention": "inherited",
        "softDeletePolicy": {"retentionDurationSeconds": 7 * _DAY},
    }


def _to_s3(rule: Props, number: int) -> dict[str, Any]:
    """A lifecycle rule in S3's words; one that has none there is refused."""
    action, condition = rule["action"]["type"], dict(rule["condition"])
    prefixes = condition.pop("matchesPrefixes", [""])
    (name, days), *others = condition.items()
    known = {
        ("Delete", "age"): {"Expiration": {"Days": days}},
        ("Delete", "daysSinceNoncurrentTime"): {"NoncurrentVersionExpiration": {"NoncurrentDays": days}},
        ("AbortIncompleteMultipartUpload", "age"): {
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days}
        },
    }
    if others or len(prefixes) != 1 or (action, name) not in known:
        raise Refused(f"the double of gcp does not know the lifecycle rule {rule}")
    where = {"Filter": {"Prefix": prefixes[0]}}
    return {"ID": f"double-{number}", "Status": "Enabled", **where, **_whole(known[action, name])}


def _whole(action: dict[str, Any]) -> dict[str, Any]:
    return {name: {key: int(value) for key, value in one.items()} for name, one in action.items()}


def _from_s3(rule: Any) -> list[Props]:
    prefix = rule.get("Filter", {}).get("Prefix", "")
    where = {"matchesPrefixes": [prefix]} if prefix else {}
    found = []
    if "Expiration" in rule:
        found.append(_rule("Delete", {"age": rule["Expiration"]["Days"], **where}))
    if "NoncurrentVersionExpiration" in rule:
        days = rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        found.append(_rule("Delete", {"daysSinceNoncurrentTime": days, **where}))
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        found.append(_rule("AbortIncompleteMultipartUpload", {"age": days, **where}))
    return found


def _in_order(rule: Props) -> str:
    """A rule as text that is the same whatever the order of its keys, and for 7 and 7.0."""
    condition = {
        key: float(value) if isinstance(value, int) else value for key, value in rule["condition"].items()
    }
    return json.dumps([rule["action"], condition], sort_keys=True)


def _rule(action: str, condition: Props) -> Props:
    return {"action": {"type": action}, "condition": condition}


def _cors_to_s3(rule: Props) -> dict[str, Any]:
    return {
        "AllowedOrigins": rule["origins"],
        "AllowedMethods": rule["methods"],
        "AllowedHeaders": rule["responseHeaders"],
        "ExposeHeaders": rule["responseHeaders"],
        "MaxAgeSeconds": int(rule["maxAgeSeconds"]),
    }


def _cors_from_s3(rule: Any) -> Props:
    return {
        "origins": rule["AllowedOrigins"],
        "methods": rule["AllowedMethods"],
        "responseHeaders": rule.get("ExposeHeaders", []),
        "maxAgeSeconds": rule.get("MaxAgeSeconds", 0),
    }


DOUBLE = Double("gcp", Gcp, (Bucket, Account, BucketIAMMember, HmacKey))
