"""The configuration of an environment, as typed and checked values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.config.identities import APP, Identity, Role
from infra.config.reader import nearest
from infra.config.secrets import Secrets
from infra.config.slots import Slots
from infra.errors import UsageError
from infra.stores.access_key import EXTERNAL

#: How the name of a bucket is in a URL: in its path, or in its host name.
AddressingStyle = Literal["path", "virtual"]

#: The endpoint that stands for the store which `python -m infra store start` runs on this machine.
EMBEDDED = "embedded"
#: As CIS AWS Foundations 1.14 and Google's best practices for keys have it.
MAX_KEY_AGE_DAYS = 90
#: What the ID of the lifecycle rule for an `Expiry` starts with, before its prefix.
EXPIRY_RULE = "mpr-expire-"
#: The IDs of the lifecycle rules for `noncurrent_days` and `abort_multipart_days`.
NONCURRENT_RULE = "mpr-noncurrent"
ABORT_RULE = "mpr-abort-multipart"
#: What browsers need to show frames and to upload to the bucket, also in parts.
CORS_METHODS = ("GET", "HEAD", "PUT")
#: Seconds for which browsers keep the response.
CORS_SECONDS = 3600
#: Days after which the parts of an unfinished upload are deleted, unless the configuration says otherwise.
ABORT_MULTIPART_DAYS = 7


class ConfigError(UsageError):
    """The configuration is wrong. The message lists every mistake with its path."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{source}:\n" + "\n".join(f"  {problem}" for problem in problems))


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """Objects under `prefix` are deleted `days` days after they were written."""

    prefix: str
    days: int


@dataclass(frozen=True, kw_only=True)
class BucketConfig:
    """What an environment wants of one bucket. Without `versioning`, that of the bucket stays as it is."""

    name: str | None = None
    #: Keep replaced and deleted objects as noncurrent versions.
    versioning: bool | None = None
    #: Days after which a noncurrent version is deleted.
    noncurrent_days: int | None = None
    expire: tuple[Expiry, ...] = ()
    #: Days after which the parts of an unfinished upload are deleted: they cost money and show in no listing.
    abort_multipart_days: int | None = None
    #: Days for which what was deleted can be restored (gcp); 0: none.
    soft_delete_days: int | None = None
    #: Exact ``scheme://host[:port]`` origins whose pages may read and upload.
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EnvironmentConfig:
    """One environment, checked. `environment` is its name, which is also that of the Pulumi stack."""

    environment: str
    target: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str = "us-east-1"
    #: Where buckets are, in the words of gcp (EU, europe-west1) and r2 (weur).
    location: str | None = None
    #: Of r2: where data is guaranteed to stay.
    jurisdiction: str | None = None
    #: Of gcp.
    project: str | None = None
    #: Of r2.
    account: str | None = None
    addressing_style: AddressingStyle | None = None
    credentials: str = "iam"
    #: Of aws: ``aes256``, ``kms`` for a key of the environment's own, or the ARN of a KMS key.
    encryption: str = "aes256"
    #: Of aws: ARN of the policy that no identity may exceed.
    permissions_boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    bucket_in: BucketConfig
    bucket_out: BucketConfig
    identities: tuple[Identity, ...] = (APP,)
    #: By identity; those that are absent have one key, in slot a.
    slots: Mapping[str, Slots] = field(default_factory=dict)
    #: Days after which `check` asks for a key to be rotated.
    max_key_age_days: int = MAX_KEY_AGE_DAYS
    #: True: take over buckets of these names that there are already.
    adopt: bool = False
    #: True: take over IAM users, roles or service accounts of these names, after the state of the stack was lost.
    adopt_identities: bool = False
    #: True: `destroy` and `down --delete` may delete the buckets that the environment created, with their content.
    disposable: bool = False
    #: Not compared: two readings of one configuration are equal.
    secrets: Secrets = field(default=Secrets(), repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the identities."""
        return tuple(one.name for one in self.identities)

    @property
    def has_external_keys(self) -> bool:
        """Whether the access keys are managed elsewhere."""
        return self.credentials == EXTERNAL

    def slots_of(self, identity: str) -> Slots:
        """Which key slots of an identity are in use: slot a where nothing is said of it."""
        return self.slots.get(identity, Slots())

    def require(self, identity: str) -> None:
        """Refuse the name of an identity that there is not.

        Raises:
            UsageError: with the nearest that there is.
        """
        if identity not in self.names:
            suggestion = nearest(identity, self.names)
            raise UsageError(f"environment {self.environment} has no identity {identity!r}; {suggestion}")

    def bucket(self, role: Role) -> BucketConfig:
        """The bucket with this role."""
        return self.bucket_in if role == "in" else self.bucket_out
