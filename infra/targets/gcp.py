"""Target `gcp`: a bucket pair on Google Cloud Storage, a service account with an HMAC key for each identity."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi_gcp import serviceaccount, storage

from core.storage.settings import Settings
from infra import names
from infra.config import BucketConfig, EnvironmentConfig
from infra.errors import UsageError
from infra.identities import READ, READ_WRITE, ROLES, Identity, Role
from infra.targets import Access, Key, _defaults
from infra.targets._options import Options

_ENDPOINT = "https://storage.googleapis.com"
#: The narrowest predefined roles, given on one bucket alone. Overwriting an object takes the right to delete
#: it, so there is none that could write and not delete
#: (https://cloud.google.com/storage/docs/access-control/iam-roles).
_ROLES = {READ: "roles/storage.objectViewer", READ_WRITE: "roles/storage.objectUser"}
_CORS: Any = {
    "methods": ["GET", "HEAD", "PUT"],
    # What a browser may send and may read: GCS has one list for both.
    "response_headers": ["Content-Type", "Content-MD5", "Range", "ETag"],
    "max_age_seconds": 3600,
}
_DAY = 24 * 3600
#: What a bucket that is taken over keeps as it was.
_KEPT = ("labels", "storageClass", "location")
#: Where the provider finds credentials (https://cloud.google.com/docs/authentication/application-default-credentials).
_VARIABLES = ("GOOGLE_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN")
_LOGIN = Path("gcloud", "application_default_credentials.json")
_ON_GOOGLE = Path("/sys/class/dmi/id/product_name")


def provision(config: EnvironmentConfig, values: Mapping[str, object]) -> Mapping[str, Access]:  # noqa: ARG001
    """Create the buckets, then each identity with its key. That there are credentials is looked up before."""
    _require_credentials()
    options = Options(config)
    buckets = {role: _bucket(role, config, options) for role in ROLES}
    return {one.name: _access(config, one, buckets, options) for one in config.identities}


def _require_credentials() -> None:
    """Refuse before anything is created if the provider could find no credentials.

    Raises:
        UsageError: there are none.
    """
    home = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
    configured = pulumi.Config("gcp")
    there = (
        any(os.environ.get(name) for name in _VARIABLES)
        or any(configured.get(key) for key in ("credentials", "accessToken"))
        or (home / _LOGIN.name).exists()
        or (_ON_GOOGLE.exists() and _ON_GOOGLE.read_text(encoding="ascii", errors="replace").startswith("Google"))
    )
    if not there:
        raise UsageError(
            "there are no Google Cloud credentials: log in with `gcloud auth application-default login`, or set "
            "GOOGLE_CREDENTIALS"
        )


def _bucket(role: Role, config: EnvironmentConfig, options: Options) -> storage.Bucket:
    wanted = _defaults.bucket(role, config)
    cors: Any = [{**_CORS, "origins": list(wanted.cors_origins)}] if wanted.cors_origins else None
    return storage.Bucket(
        names.bucket(config.environment, role),
        name=wanted.name,
        project=config.project,
        location=(config.location or "").upper(),  # as GCS itself writes it
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        versioning={"enabled": bool(wanted.versioning)},
        soft_delete_policy={"retention_duration_seconds": (wanted.soft_delete_days or 0) * _DAY},
        lifecycle_rules=list(_rules(wanted)),
        cors=cors,
        labels=config.tags,
        force_destroy=config.disposable,
        # With its project: the provider does not look that up, and would replace a bucket without one.
        opts=options.bucket(wanted.name, keeps=_KEPT, import_id=f"{config.project}/{wanted.name}"),
    )


def _rules(wanted: BucketConfig) -> Iterator[Any]:
    for one in wanted.expire:
        yield _rule("Delete", age=one.days, matches_prefixes=[one.prefix])
    if wanted.noncurrent_days:
        yield _rule("Delete", days_since_noncurrent_time=wanted.noncurrent_days)
    if wanted.abort_multipart_days:
        yield _rule("AbortIncompleteMultipartUpload", age=wanted.abort_multipart_days)


def _rule(action: str, **condition: object) -> Any:
    return {"action": {"type": action}, "condition": condition}


def _access(
    config: EnvironmentConfig, identity: Identity, buckets: Mapping[Role, storage.Bucket], options: Options
) -> Access:
    name = names.identity(config.environment, identity.name, "gcp")
    email = f"{name}@{config.project}.iam.gserviceaccount.com"
    account = serviceaccount.Account(
        identity.name,
        account_id=name,
        display_name=f"mpr-storage: {identity.name} of {config.environment}",
        project=config.project,
        opts=options.identity(f"projects/{config.project}/serviceAccounts/{email}"),
    )
    reached = {role: bucket for role, bucket in buckets.items() if role in identity.rights}
    granted: list[pulumi.Resource] = [
        storage.BucketIAMMember(
            f"{identity.name}-{role}",
            bucket=bucket.name,
            role=_ROLES[identity.rights[role]],
            member=account.member,
            opts=options.plain(),
        )
        for role, bucket in reached.items()
    ]
    made = {
        place.slot: storage.HmacKey(
            f"{identity.name}-{place.slot}",
            service_account_email=account.email,
            project=config.project,
            # Explicit: of a default, the provider takes what it last read, and a key switched off would stay off.
            state="ACTIVE" if place.active else "INACTIVE",
            # After the roles, so that no key is ever without them.
            opts=options.plain(depends_on=granted),
        )
        for place in config.slots_of(identity.name).places()
    }
    settings = Settings(
        endpoint_url=_ENDPOINT,
        region=config.region,
        addressing_style=config.addressing_style,
        bucket_in=config.bucket_in.name if "in" in reached else None,
        bucket_out=config.bucket_out.name if "out" in reached else None,
    )
    keys = {slot: Key(one.access_id, one.secret, one.time_created) for slot, one in made.items()}
    generated = {f"bucket_{role}": one.name for role, one in reached.items() if not config.bucket(role).name}
    return Access(settings, generated, [*reached.values(), *granted, *made.values()], keys)
