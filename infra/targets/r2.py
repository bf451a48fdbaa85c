"""Target `r2`: a bucket pair on Cloudflare R2, and an account token for each identity."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from core.storage.settings import Settings
from infra import names
from infra.config import BucketConfig, EnvironmentConfig
from infra.errors import UsageError
from infra.identities import READ, READ_WRITE, ROLES, Identity, Role
from infra.targets import Access, Key, _defaults
from infra.targets._options import Options

#: Permission groups "Workers R2 Storage Bucket Item Read" and "... Write", the same in every account
#: (https://developers.cloudflare.com/r2/api/tokens/). Write brings read with it.
_GROUPS = {READ: "6a018a9f2fc74eb6b293b0c548f38b39", READ_WRITE: "2efd5506f9c8494dacb1fa10a3e7d5b6"}
_CORS: Any = {"methods": ["GET", "HEAD", "PUT"], "headers": ["content-type", "content-md5", "range"]}
_CORS_SECONDS = 3600
_DAY = 24 * 3600
#: What a bucket that is taken over keeps as it was.
_KEPT = ("location", "storageClass")


def provision(config: EnvironmentConfig, values: Mapping[str, object]) -> Mapping[str, Access]:  # noqa: ARG001
    """Create the buckets, then each identity with its token. That there is an API token is looked up before."""
    _require_token()
    options = Options(config)
    buckets = {role: _Bucket(role, config, options) for role in ROLES}
    return {one.name: _access(config, one, buckets, options) for one in config.identities}


def _require_token() -> None:
    """Refuse before anything is created if the provider could find no token.

    Raises:
        UsageError: there is none.
    """
    if not (os.environ.get("CLOUDFLARE_API_TOKEN") or pulumi.Config("cloudflare").get("apiToken")):
        raise UsageError(
            "there is no Cloudflare API token: set CLOUDFLARE_API_TOKEN, or the secret cloudflare:apiToken "
            "(`pulumi config set --secret cloudflare:apiToken`); docs/deployers.md says what it must be allowed"
        )


class _Bucket:
    """A bucket with its rules, which are resources of their own."""

    def __init__(self, role: Role, config: EnvironmentConfig, options: Options) -> None:
        wanted = _defaults.bucket(role, config)
        title = names.bucket(config.environment, role)
        #: Names are the account's own, so the one that follows from the environment is free.
        self.name = wanted.name or title
        self.jurisdiction = config.jurisdiction or "default"
        place: dict[str, Any] = {"account_id": config.account, "jurisdiction": self.jurisdiction}
        found_by = f"{config.account}/{self.name}/{self.jurisdiction}"
        bucket = cloudflare.R2Bucket(
            title,
            name=self.name,
            location=config.location,
            opts=options.bucket(self.name, keeps=_KEPT, import_id=found_by),
            **place,
        )
        lifecycle = cloudflare.R2BucketLifecycle(
            title, bucket_name=bucket.name, rules=list(_rules(wanted)), opts=options.kept(), **place
        )
        self.parts: list[pulumi.Resource] = [bucket, lifecycle]
        if wanted.cors_origins:
            rule: Any = {
                "allowed": {**_CORS, "origins": list(wanted.cors_origins)},
                "expose_headers": ["ETag"],
                "max_age_seconds": _CORS_SECONDS,
            }
            # Not kept: it guards nothing, and goes when no origin is configured any more.
            self.parts.append(
                cloudflare.R2BucketCors(
                    title, bucket_name=bucket.name, rules=[rule], opts=options.plain(), **place
                )
            )


def _rules(wanted: BucketConfig) -> Iterator[Any]:
    for one in wanted.expire:
        yield _rule(f"mpr-expire-{one.prefix}", one.prefix, "delete_objects_transition", one.days)
    if wanted.abort_multipart_days:
        days = wanted.abort_multipart_days
        yield _rule("mpr-abort-multipart", "", "abort_multipart_uploads_transition", days)


def _rule(name: str, prefix: str, transition: str, days: int) -> Any:
    age = {"type": "Age", "max_age": days * _DAY}
    return {"id": name, "enabled": True, "conditions": {"prefix": prefix}, transition: {"condition": age}}


def _access(
    config: EnvironmentConfig, identity: Identity, buckets: Mapping[Role, _Bucket], options: Options
) -> Access:
    reached = {role: bucket for role, bucket in buckets.items() if role in identity.rights}
    parts = [part for bucket in reached.values() for part in bucket.parts]
    tokens = {
        place.slot: cloudflare.AccountToken(
            f"{identity.name}-{place.slot}",
            account_id=config.account or "",
            name=f"{names.identity(config.environment, identity.name, 'r2')}-{place.slot}",
            policies=[_policy(config, bucket, identity.rights[role]) for role, bucket in reached.items()],
            # A token may only name buckets that exist.
            opts=options.plain(depends_on=parts),
        )
        for place in config.slots_of(identity.name).places()
    }
    settings = Settings(
        endpoint_url=_endpoint(config),
        region=config.region,
        addressing_style=config.addressing_style,
        bucket_in=reached["in"].name if "in" in reached else None,
        bucket_out=reached["out"].name if "out" in reached else None,
    )
    keys = {slot: _key(token) for slot, token in tokens.items()}
    return Access(settings, {}, [*parts, *tokens.values()], keys)


def _key(token: cloudflare.AccountToken) -> Key:
    # As Cloudflare derives the S3 key from a token (https://developers.cloudflare.com/r2/api/tokens/).
    secret = token.value.apply(lambda value: hashlib.sha256(value.encode()).hexdigest())
    return Key(token.id, secret, token.issued_on)


def _policy(config: EnvironmentConfig, bucket: _Bucket, rights: frozenset[str]) -> Any:
    resource = f"com.cloudflare.edge.r2.bucket.{config.account}_{bucket.jurisdiction}_{bucket.name}"
    return {
        "effect": "allow",
        "permission_groups": [{"id": _GROUPS[rights]}],
        "resources": json.dumps({resource: "*"}),
    }


def _endpoint(config: EnvironmentConfig) -> str:
    place = "" if config.jurisdiction in {None, "default"} else f".{config.jurisdiction}"
    return f"https://{config.account}{place}.r2.cloudflarestorage.com"
