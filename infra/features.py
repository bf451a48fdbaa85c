"""What each target can do: a table of settings by targets.

A setting that a target cannot honour is an error before anything is created, and its cell says what to use
instead. The README shows this table; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One target; its program is the module of `infra.targets` with its name."""

    #: How keys are made; the first is the default.
    credentials: tuple[str, ...]
    #: The region that clients sign for where none is configured.
    region: str
    #: The extra of this project that brings its provider; empty: none is needed.
    extra: str = ""
    #: Whether a key can be switched off before it is deleted.
    switches_off: bool = True
    #: Seconds until a new key is known everywhere; 0: it was tried when it was made.
    settles_within: int = 0


TARGETS: Mapping[str, Target] = {
    "s3-compatible": Target(("iam", "minio", "static"), region="us-east-1"),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html (eventual consistency)
    "aws": Target(("user", "role"), region="", extra="aws", settles_within=30),
    # https://cloud.google.com/iam/docs/access-change-propagation: 2 minutes as a rule
    "gcp": Target(("hmac",), region="auto", extra="gcp", settles_within=120),
    # The provider only reads whether a token is disabled.
    "r2": Target(("token",), region="auto", extra="r2", switches_off=False, settles_within=30),
}

#: Ways of making keys that leave nothing to rotate.
UNROTATED = {
    "static": "the keys are made and rotated elsewhere: put the new ones in the place of the old and deploy",
    "role": "a role has no keys: AWS renews what it hands out",
}

YES = "yes"
REQUIRED = "required"

_ENDPOINT = "the endpoint follows from the target; remove it"
_PUBLIC = "browsers reach the endpoint itself; remove it"
_STORE_SIDE = "set it up on the store itself"
_LABELS = "R2 has no tags; use one account or a name for each team"
_NO_VERSIONS = "R2 keeps no versions; copy what must not be lost to another bucket"
_PREFIXES = "keys are for whole buckets here; make an environment with buckets of its own for what is to be apart"

#: Each setting by its path, with what it is in the order of `TARGETS`: yes, required, or what to use instead.
_TABLE: Mapping[str, tuple[str, str, str, str]] = {
    "endpoint": (REQUIRED, _ENDPOINT, _ENDPOINT, _ENDPOINT),
    "publicEndpoint": (YES, _PUBLIC, _PUBLIC, _PUBLIC),
    "region": (
        YES,
        REQUIRED,
        "clients sign for `auto` here; where the data is, is `location`",
        "clients sign for `auto` here; where the data is, is `location` or `jurisdiction`",
    ),
    "location": ("a store is where it is; remove it", "on AWS that is `region`", REQUIRED, YES),
    "jurisdiction": (
        "a store is where it is; remove it",
        "choose a `region` there",
        "choose a `location` there, such as EU",
        YES,
    ),
    "project": ("only gcp has projects; remove it", "only gcp has projects; remove it", REQUIRED, "use `account`"),
    "account": (
        "only r2 names its account; remove it",
        "the account is that of the credentials of the deployment; remove it",
        "use `project`",
        REQUIRED,
    ),
    "addressingStyle": (YES, YES, YES, YES),
    "adminAccessKeyId": (YES, *("the provider's own credentials are used; remove it",) * 3),
    "adminSecretAccessKey": (YES, *("the provider's own credentials are used; remove it",) * 3),
    "keys": (YES, *("keys are made by the deployment; remove it",) * 3),
    "slots": (YES, YES, YES, YES),
    "maxKeyAgeDays": (YES, YES, YES, YES),
    "trust": (
        "only roles are assumed; use target aws with `credentials: role`",
        YES,
        "the S3 API of GCS takes HMAC keys alone",
        "R2 takes tokens alone",
    ),
    "permissionsBoundary": (_STORE_SIDE, YES, "use an organisation policy", "only aws has permissions boundaries"),
    "tags": (_STORE_SIDE, YES, YES, _LABELS),
    "encryption": (_STORE_SIDE, YES, "GCS always encrypts; remove it", "R2 always encrypts; remove it"),
    "adopt": (YES, YES, YES, YES),
    "adoptIdentities": (
        "identities are taken over by their names without it; remove it",
        YES,
        YES,
        "a token is found by no name: new ones are made, and the old are deleted in the dashboard",
    ),
    "disposable": (YES, YES, YES, YES),
    "identities.prefixes": (YES, YES, _PREFIXES, _PREFIXES),
    "identities.trust": (
        "only roles are assumed; use target aws with `credentials: role`",
        YES,
        "the S3 API of GCS takes HMAC keys alone",
        "R2 takes tokens alone",
    ),
    "buckets.name": (REQUIRED, YES, YES, YES),
    "buckets.versioning": (YES, YES, YES, _NO_VERSIONS),
    "buckets.noncurrentDays": (YES, YES, YES, _NO_VERSIONS),
    "buckets.expire": (YES, YES, YES, YES),
    "buckets.abortMultipartDays": (YES, YES, YES, YES),
    "buckets.softDeleteDays": (
        "use `versioning` with `noncurrentDays`",
        "use `versioning` with `noncurrentDays`",
        YES,
        "R2 keeps nothing that is deleted; copy what must not be lost to another bucket",
    ),
    "buckets.corsOrigins": (YES, YES, YES, YES),
}

FEATURES: Mapping[str, Mapping[str, str]] = {
    setting: dict(zip(TARGETS, cells, strict=True)) for setting, cells in _TABLE.items()
}


def refused(target: str) -> Mapping[str, str]:
    """The settings that a target cannot honour, each with what to use instead."""
    return {setting: cells[target] for setting, cells in FEATURES.items() if cells[target] not in {YES, REQUIRED}}


def markdown() -> str:
    """The table as the README shows it."""
    lines = ["| setting | " + " | ".join(TARGETS) + " |", "|---" * (len(TARGETS) + 1) + "|"]
    lines += [
        f"| `{setting}` | " + " | ".join(_shown(cells[target]) for target in TARGETS) + " |"
        for setting, cells in FEATURES.items()
    ]
    return "\n".join([*lines, "| how keys are made | " + " | ".join(map(_makers, TARGETS.values())) + " |"])


def _shown(cell: str) -> str:
    return cell if cell in {YES, REQUIRED} else "no"


def _makers(target: Target) -> str:
    return ", ".join(f"`{one}`" for one in target.credentials)
