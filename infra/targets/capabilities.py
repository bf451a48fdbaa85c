"""The settings, and what each target makes of them. docs/reference/settings.md shows the table."""

from __future__ import annotations

from infra.stores.access_key import EXTERNAL
from infra.targets.registry import TARGETS
from infra.targets.spec import TargetSpec

#: Settings by their paths, in the order of the table.
SETTINGS = (
    "endpoint",
    "publicEndpoint",
    "region",
    "location",
    "jurisdiction",
    "project",
    "account",
    "addressingStyle",
    "adminAccessKeyId",
    "adminSecretAccessKey",
    "keys",
    "slots",
    "maxKeyAgeDays",
    "trust",
    "permissionsBoundary",
    "tags",
    "encryption",
    "adopt",
    "adoptIdentities",
    "disposable",
    "identities.prefixes",
    "identities.trust",
    "buckets.name",
    "buckets.versioning",
    "buckets.noncurrentDays",
    "buckets.expire",
    "buckets.abortMultipartDays",
    "buckets.softDeleteDays",
    "buckets.corsOrigins",
)

#: Kinds of credentials without access keys that the deployment could rotate.
UNROTATED = {
    EXTERNAL: "the access keys are externally managed: rotate them there, configure the new ones and deploy",
    "role": "a role has no access keys: AWS renews its temporary credentials",
}


def markdown() -> str:
    """Return the table as docs/reference/settings.md shows it."""
    specs = TARGETS.values()
    lines = ["| setting | " + " | ".join(TARGETS) + " |", "|---" * (len(TARGETS) + 1) + "|"]
    lines += [
        f"| `{setting}` | " + " | ".join(_cell(spec, setting) for spec in specs) + " |" for setting in SETTINGS
    ]
    return "\n".join([*lines, "| how keys are made | " + " | ".join(map(_credentials, specs)) + " |"])


def _cell(spec: TargetSpec, setting: str) -> str:
    if setting in spec.refused:
        return "no"
    return "required" if setting in spec.required else "yes"


def _credentials(spec: TargetSpec) -> str:
    return ", ".join(f"`{kind}`" for kind in spec.credentials)
