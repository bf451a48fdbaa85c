"""What is known of target `r2`."""

from __future__ import annotations

from infra.config.environment import EnvironmentConfig
from infra.config.reader import Reader
from infra.targets.shared import (
    ADOPT_BUCKET,
    DELETED,
    DEPLOYER,
    NAME_TAKEN,
    QUOTA,
    REFUSED_BY_CLOUDS,
    WHOLE_BUCKETS,
)
from infra.targets.spec import Explanation, NameRule, TargetSpec

#: https://developers.cloudflare.com/r2/reference/data-location/
_LOCATIONS = ("apac", "eeur", "enam", "oc", "weur", "wnam")

_TOKENS_ONLY = "R2 supports tokens only"
_NO_VERSIONS = "R2 keeps no versions; copy what must not be lost to another bucket"
_REFUSED = (
    "Cloudflare does not accept the API token: create a new one and set CLOUDFLARE_API_TOKEN; its permissions are "
    "in docs/how-to/deployers.md"
)
_R2_OFF = "R2 is not enabled in the account: enable it in Cloudflare's dashboard, then run the same command"
_NO_ACCOUNT = "Cloudflare has no such account: correct `mpr-storage:account`"
_NOT_EMPTY = "R2 deletes only empty buckets: delete the objects, then run the same command again"
_NO_BUCKET = (
    "the bucket does not exist in this jurisdiction. If `mpr-storage:jurisdiction` was changed, set the former "
    "value: a bucket cannot move. If the bucket was deleted, `pulumi up --refresh` creates it again, empty"
)


def _check(read: Reader, config: EnvironmentConfig) -> None:
    if config.location and config.location.lower() not in _LOCATIONS:
        known = ", ".join(_LOCATIONS)
        read.note(
            "location", f"must be one of {known}, got {config.location}; for a guarantee, set `jurisdiction`"
        )


SPEC = TargetSpec(
    name="r2",
    credentials=("token",),
    region="auto",
    group="r2",
    package="cloudflare",
    required=("account",),
    refused={
        **REFUSED_BY_CLOUDS,
        "region": "signatures use the region `auto`; set `location` or `jurisdiction` for the place of the data",
        "project": "use `account`",
        "trust": _TOKENS_ONLY,
        "identities.trust": _TOKENS_ONLY,
        "permissionsBoundary": "only aws has permissions boundaries",
        "tags": "R2 has no tags; use one account or a name for each team",
        "encryption": "R2 always encrypts; remove it",
        "adoptIdentities": (
            "a token is found by no name: new ones are made, and the old are deleted in the dashboard"
        ),
        "identities.prefixes": WHOLE_BUCKETS,
        "buckets.versioning": _NO_VERSIONS,
        "buckets.noncurrentDays": _NO_VERSIONS,
        "buckets.softDeleteDays": "R2 keeps nothing that is deleted; copy what must not be lost to another bucket",
    },
    check=_check,
    # https://developers.cloudflare.com/r2/buckets/create-buckets/
    bucket_names=(NameRule(r".*\.", "must hold no dot: R2 takes a-z, 0-9 and hyphens. Use hyphens"),),
    # https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/methods/create/
    identity_length=120,
    deletes_objects=False,  # https://developers.cloudflare.com/r2/buckets/delete-buckets/
    # The provider only reads whether a token is disabled.
    deactivates_keys=False,
    settles_within=30,
    rclone_provider="Cloudflare",
    hosts=(".r2.cloudflarestorage.com",),
    explanations=(
        Explanation(r"10004|already exists, and you own it", ADOPT_BUCKET),
        Explanation(r"10073|already exists", NAME_TAKEN),
        Explanation(r"\b10006\b|bucket does not exist", _NO_BUCKET),
        Explanation(r"10008|not empty", _NOT_EMPTY),
        Explanation(r"\b10042\b|enable R2", _R2_OFF),
        Explanation(r"\b7003\b|Could not route", _NO_ACCOUNT),
        Explanation(r"\b(10000|9109|9106|1000)\b|Authentication error|Invalid API Token|401", _REFUSED),
        Explanation(r"\b404\b|not found", DELETED),
        Explanation(r"403|forbidden|unauthorized", DEPLOYER),
        Explanation(r"limit|quota|maximum", QUOTA),
    ),
)
