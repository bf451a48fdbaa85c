"""What is known of target `gcp`."""

from __future__ import annotations

from infra.targets.shared import (
    ADOPT_BUCKET,
    DELETED,
    DEPLOYER,
    EXPIRED,
    NAME_TAKEN,
    NOT_EMPTY,
    QUOTA,
    REFUSED_BY_CLOUDS,
    SAME_IDENTITY,
    WHOLE_BUCKETS,
)
from infra.targets.spec import Explanation, NameRule, TagRule, TargetSpec

_HMAC_ONLY = "the S3 API of GCS accepts HMAC keys only"
_TEN_KEYS = (
    "the service account has all the HMAC keys that it may have: delete those that are not in use "
    "(`gcloud storage hmac list`), then run the same command"
)
_API_OFF = (
    "an API is disabled in the project: `gcloud services enable storage.googleapis.com iam.googleapis.com`, "
    "then run the same command"
)
_NO_KEYS = (
    "the organisation forbids keys of service accounts (iam.disableServiceAccountKeyCreation), and an HMAC key is "
    "one: request an exception for the project"
)
_NOT_YET = "the new service account is not available everywhere yet: run the same command again in a minute"

SPEC = TargetSpec(
    name="gcp",
    credentials=("hmac",),
    region="auto",
    group="gcp",
    package="gcp",
    required=("location", "project"),
    refused={
        **REFUSED_BY_CLOUDS,
        "region": "signatures use the region `auto`; set `location` for the place of the data",
        "jurisdiction": "choose a `location` there, such as EU",
        "account": "use `project`",
        "trust": _HMAC_ONLY,
        "identities.trust": _HMAC_ONLY,
        "permissionsBoundary": "use an organisation policy",
        "encryption": "GCS always encrypts; remove it",
        "identities.prefixes": WHOLE_BUCKETS,
    },
    # https://cloud.google.com/storage/docs/buckets#naming
    bucket_names=(
        NameRule(
            r".*\.",
            "must hold no dot: GCS requires a proof that you own that domain. Use hyphens, or for an existing "
            "bucket `adopt: true`",
            lifted_by="adopt",
        ),
        NameRule(
            "goog|.*g[o0]{2}g[l1]e",
            "must not start with goog or hold google or a close misspelling of it",
            lifted_by="adopt",
        ),
    ),
    # https://cloud.google.com/storage/docs/tags-and-labels
    tags=TagRule(
        r"(?!.*[A-Z])(?![\d_-])[\w-]{1,63}",
        r"(?!.*[A-Z])[\w-]{1,63}",
        "lowercase letters, digits, _ and -, 63 at most, and a key must start with a letter",
    ),
    # https://cloud.google.com/iam/docs/service-accounts-create
    identity_length=30,
    lower_case=True,
    random_suffix=8,
    # https://cloud.google.com/iam/docs/access-change-propagation: 2 minutes as a rule
    settles_within=120,
    rclone_provider="GCS",
    hosts=("storage.googleapis.com",),
    explanations=(
        Explanation(r"you already own it", ADOPT_BUCKET),
        Explanation(r"bucket name is not available", NAME_TAKEN),
        Explanation(r"without .?force_destroy", NOT_EMPTY),
        Explanation(r"hmac.*(limit|maximum|exceed)", _TEN_KEYS),
        Explanation(r"has not been used in project|SERVICE_DISABLED|accessNotConfigured", _API_OFF),
        Explanation(r"invalid_grant|invalid_rapt|token.*expired|UNAUTHENTICATED|Error 401", EXPIRED),
        Explanation(r"disableServiceAccountKeyCreation", _NO_KEYS),
        Explanation(r"Service account .* does not exist", _NOT_YET),
        Explanation(r"Error 404|notFound", DELETED),
        Explanation(r"Error 403|PERMISSION_DENIED|forbidden", DEPLOYER),
        Explanation(r"Error 409|alreadyExists", SAME_IDENTITY),
        Explanation(r"quota", QUOTA),
    ),
)
