"""Target `r2`: a bucket pair on Cloudflare R2, and an account token for each identity."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from infra.config import naming
from infra.config.environment import (
    ABORT_RULE,
    CORS_METHODS,
    CORS_SECONDS,
    EXPIRY_RULE,
    BucketConfig,
    EnvironmentConfig,
)
from infra.config.identities import READ, READ_WRITE, Identity, Role
from infra.errors import UsageError
from infra.targets import defaults
from infra.targets.options import Options
from infra.targets.program import Access, BucketResources, Key, access_to
from infra.targets.shared import ADOPT_BUCKET

#: Permission groups "Workers R2 Storage Bucket Item Read" and "... Write", the same in every account
#: (https://developers.cloudflare.com/r2/api/tokens/). Write brings read with it.
_GROUPS = {READ: "6a018a9f2fc74eb6b293b0c548f38b39", READ_WRITE: "2efd5506f9c8494dacb1fa10a3e7d5b6"}
_CORS: Any = {"methods": list(CORS_METHODS), "headers": ["content-type", "content-md5", "range"]}
_DAY = 24 * 3600
_BUCKET = "cloudflare:index/r2Bucket:R2Bucket"
#: What a bucket that is taken over keeps as it was.
_KEPT = ("location", "storageClass")


class Program:
    """The resources of an environment on R2."""

    def __init__(self, config: EnvironmentConfig, options: Options) -> None:
        """Look for the API token of the deployment. It is tried by the first resource."""
        self._config = config
        self._jurisdiction = config.jurisdiction or "default"
        given = options.provider_of("cloudflare")
        if given is None:
            _require_token()
        self._provider = given or cloudflare.Provider(
            f"mpr-{config.environment}",
            api_token=pulumi.Config("cloudflare").get_secret("apiToken"),
            opts=options.base("cloudflare"),
        )

    def bucket(self, role: Role, options: Options) -> BucketResources:
        """Create the bucket, or adopt the existing one. Its rules are resources of their own."""
        config, wanted = self._config, defaults.bucket(role, self._config)
        options = options.with_provider(self._provider)
        title = naming.bucket(config.environment, role)
        # Names are unique in the account only, so the one that follows from the environment is free.
        name = wanted.name or title
        if not config.adopt and name not in options.state.names(_BUCKET):
            self._require_free(name)
        common: dict[str, Any] = {"account_id": config.account, "jurisdiction": self._jurisdiction}
        bucket = cloudflare.R2Bucket(
            title,
            name=name,
            location=config.location,
            opts=options.bucket(
                title, name, keeps=_KEPT, import_id=f"{config.account}/{name}/{self._jurisdiction}"
            ),
            **common,
        )
        common["bucket_name"] = bucket.name
        lifecycle = cloudflare.R2BucketLifecycle(
            f"{title}-lifecycle", rules=list(_rules(wanted)), opts=options.kept(title), **common
        )
        resources: list[pulumi.Resource] = [bucket, lifecycle]
        if wanted.cors_origins:
            rule: Any = {
                "allowed": {**_CORS, "origins": list(wanted.cors_origins)},
                "expose_headers": ["ETag"],
                "max_age_seconds": CORS_SECONDS,
            }
            # Not kept: it guards nothing, and goes when no origin is configured any more.
            resources.append(
                cloudflare.R2BucketCors(f"{title}-cors", rules=[rule], opts=options.plain(title), **common)
            )
        return BucketResources(name, resources)

    def _require_free(self, name: str) -> None:
        """Refuse a bucket that exists: the provider repeats the refused creation for three minutes.

        Raises:
            UsageError: there is a bucket of this name in the account.
        """
        if self._jurisdiction != "default":
            return  # the function of the provider finds no other buckets
        try:
            cloudflare.get_r2_bucket(
                account_id=self._config.account,
                bucket_name=name,
                opts=pulumi.InvokeOptions(provider=self._provider),
            )
        except Exception:  # noqa: BLE001  # Pulumi raises no other for an invoke that fails: no such bucket
            return
        raise UsageError(f"bucket {name}: {ADOPT_BUCKET}")

    def identity(self, identity: Identity, buckets: Mapping[Role, BucketResources], options: Options) -> Access:
        """Create an account token for each slot."""
        config, options = self._config, options.with_provider(self._provider)
        name = naming.identity(config.environment, identity.name)
        resources = [resource for bucket in buckets.values() for resource in bucket.resources]
        policies = [self._policy(str(bucket.name), identity.rights[role]) for role, bucket in buckets.items()]
        tokens = {
            slot_key.slot: cloudflare.AccountToken(
                f"{name}-{slot_key.slot}",
                account_id=config.account or "",
                name=f"{name}-{slot_key.slot}",
                policies=policies,
                # A token may only name buckets that exist.
                opts=options.plain(f"{identity.name}-{slot_key.slot}", depends_on=resources),
            )
            for slot_key in config.slots_of(identity.name).access_keys()
        }
        keys = {slot: _key(token) for slot, token in tokens.items()}
        return access_to(buckets, config, list(tokens.values()), keys, endpoint_url=_endpoint(config))

    def _policy(self, bucket: str, rights: frozenset[str]) -> Any:
        resource = f"com.cloudflare.edge.r2.bucket.{self._config.account}_{self._jurisdiction}_{bucket}"
        return {
            "effect": "allow",
            "permission_groups": [{"id": _GROUPS[rights]}],
            # Compact, as Cloudflare's API returns it: the provider compares the text.
            "resources": json.dumps({resource: "*"}, separators=(",", ":")),
        }


def _require_token() -> None:
    """Refuse before anything is created if the provider could find no token.

    Raises:
        UsageError: there is none.
    """
    if not (os.environ.get("CLOUDFLARE_API_TOKEN") or pulumi.Config("cloudflare").get("apiToken")):
        raise UsageError(
            "there is no Cloudflare API token: set CLOUDFLARE_API_TOKEN, or the secret cloudflare:apiToken "
            "(`pulumi config set --secret cloudflare:apiToken`); docs/how-to/deployers.md has its permissions"
        )


def _rules(wanted: BucketConfig) -> Iterator[Any]:
    for expiry in wanted.expire:
        yield _rule(EXPIRY_RULE + expiry.prefix, expiry.prefix, "delete_objects_transition", expiry.days)
    if wanted.abort_multipart_days:
        days = wanted.abort_multipart_days
        yield _rule(ABORT_RULE, "", "abort_multipart_uploads_transition", days)


def _rule(name: str, prefix: str, transition: str, days: int) -> Any:
    age = {"type": "Age", "max_age": days * _DAY}
    return {"id": name, "enabled": True, "conditions": {"prefix": prefix}, transition: {"condition": age}}


def _key(token: cloudflare.AccountToken) -> Key:
    # As Cloudflare derives the S3 key from a token (https://developers.cloudflare.com/r2/api/tokens/).
    secret = token.value.apply(lambda value: hashlib.sha256(value.encode()).hexdigest())
    return Key(token.id, secret, token.issued_on)


def _endpoint(config: EnvironmentConfig) -> str:
    subdomain = "" if config.jurisdiction in {None, "default"} else f".{config.jurisdiction}"
    return f"https://{config.account}{subdomain}.r2.cloudflarestorage.com"
