"""Target `gcp`: a bucket pair on Google Cloud Storage, a service account with an HMAC key for each identity."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_gcp as gcp
from pulumi_gcp import serviceaccount, storage

from infra.config import naming
from infra.config.environment import CORS_METHODS, CORS_SECONDS, BucketConfig, EnvironmentConfig
from infra.config.identities import READ, READ_WRITE, Identity, Role
from infra.errors import UsageError
from infra.targets import defaults
from infra.targets.gcp.spec import SPEC
from infra.targets.options import Options
from infra.targets.program import Access, BucketResources, Key, access_to

_ENDPOINT = "https://storage.googleapis.com"
#: The narrowest predefined roles, given on one bucket alone. Overwriting an object takes the right to delete
#: it, so there is none that could write and not delete
#: (https://cloud.google.com/storage/docs/access-control/iam-roles).
_ROLES = {READ: "roles/storage.objectViewer", READ_WRITE: "roles/storage.objectUser"}
_CORS: Any = {
    "methods": list(CORS_METHODS),
    # What a browser may send and may read: GCS has one list for both.
    "response_headers": ["Content-Type", "Content-MD5", "Range", "ETag"],
    "max_age_seconds": CORS_SECONDS,
}
_DAY = 24 * 3600
#: What a bucket that is taken over keeps as it was.
_KEPT = ("labels", "storageClass", "location")
#: Where the provider finds credentials (https://cloud.google.com/docs/authentication/application-default-credentials).
_VARIABLES = ("GOOGLE_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN")
_LOGIN = "application_default_credentials.json"
_ON_GOOGLE = Path("/sys/class/dmi/id/product_name")


class Program:
    """The resources of an environment on Google Cloud Storage."""

    def __init__(self, config: EnvironmentConfig, options: Options) -> None:
        """Look for credentials of the deployment. They are tried by the first resource."""
        self._config = config
        configured = pulumi.Config("gcp")
        given = options.provider_of("gcp")
        if given is None:
            _require_credentials()
        # A provider of its own, so that the project has one source, mpr-storage:project.
        self._provider = given or gcp.Provider(
            f"mpr-{config.environment}",
            project=config.project,
            opts=options.base("gcp"),
            credentials=configured.get_secret("credentials"),
            access_token=configured.get_secret("accessToken"),
            impersonate_service_account=configured.get("impersonateServiceAccount"),
        )

    def bucket(self, role: Role, options: Options) -> BucketResources:
        """Create the bucket, or adopt the existing one."""
        config, wanted = self._config, defaults.bucket(role, self._config)
        name = naming.bucket(config.environment, role)
        cors: Any = [{**_CORS, "origins": list(wanted.cors_origins)}] if wanted.cors_origins else None
        bucket = storage.Bucket(
            name,
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
            force_destroy=options.deletes_content,
            # With its project: the provider does not look that up, and would replace a bucket without one.
            opts=options.with_provider(self._provider).bucket(
                name, wanted.name, keeps=_KEPT, import_id=f"{config.project}/{wanted.name}"
            ),
        )
        return BucketResources(bucket.name, [bucket])

    def identity(self, identity: Identity, buckets: Mapping[Role, BucketResources], options: Options) -> Access:
        """Create a service account, its role on each bucket, and its HMAC keys."""
        config, options = self._config, options.with_provider(self._provider)
        name = naming.identity(config.environment, identity.name, lower_case=SPEC.lower_case)
        email = f"{name}@{config.project}.iam.gserviceaccount.com"
        account = serviceaccount.Account(
            name,
            account_id=name,
            display_name=f"mpr-storage: {identity.name} of {config.environment}",
            project=config.project,
            opts=options.identity(identity.name, f"projects/{config.project}/serviceAccounts/{email}"),
        )
        granted: list[pulumi.Resource] = [
            storage.BucketIAMMember(
                f"{name}-{role}",
                bucket=bucket.name,
                role=_ROLES[identity.rights[role]],
                member=account.member,
                opts=options.plain(f"{identity.name}-{role}"),
            )
            for role, bucket in buckets.items()
        ]
        keys = {
            slot_key.slot: storage.HmacKey(
                f"{name}-{slot_key.slot}",
                service_account_email=account.email,
                project=config.project,
                # Explicit: of a default, the provider takes what it last read, and it would stay deactivated.
                state="ACTIVE" if slot_key.active else "INACTIVE",
                # After the roles, so that no access key is ever without them.
                opts=options.plain(f"{identity.name}-{slot_key.slot}", depends_on=granted),
            )
            for slot_key in config.slots_of(identity.name).access_keys()
        }
        return access_to(
            buckets,
            config,
            [*granted, *keys.values()],
            {slot: Key(key.access_id, key.secret, key.time_created) for slot, key in keys.items()},
            endpoint_url=_ENDPOINT,
        )


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
        or (home / _LOGIN).exists()
        or (_ON_GOOGLE.exists() and _ON_GOOGLE.read_text(encoding="ascii", errors="replace").startswith("Google"))
    )
    if not there:
        raise UsageError(
            "there are no Google Cloud credentials: log in with `gcloud auth application-default login`, or set "
            "GOOGLE_CREDENTIALS"
        )


def _rules(wanted: BucketConfig) -> Iterator[Any]:
    for expiry in wanted.expire:
        yield _rule("Delete", age=expiry.days, matches_prefixes=[expiry.prefix])
    if wanted.noncurrent_days:
        yield _rule("Delete", days_since_noncurrent_time=wanted.noncurrent_days)
    if wanted.abort_multipart_days:
        yield _rule("AbortIncompleteMultipartUpload", age=wanted.abort_multipart_days)


def _rule(action: str, **condition: object) -> Any:
    return {"action": {"type": action}, "condition": condition}
