"""What to do next when a cloud refuses: a table from what its provider says to a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ADOPT = (
    "there is a bucket of this name already, and it is yours: set `mpr-storage:adopt: true` to take it over as "
    "it is, or choose another name in `mpr-storage:buckets`"
)
_TAKEN = (
    "the bucket name belongs to somebody else, and such names are unique in the whole cloud: choose another in "
    "`mpr-storage:buckets`, or leave it out to have one made"
)
_NOT_EMPTY = (
    "the bucket is not empty and not disposable, so it stays: empty it yourself, or deploy once with "
    "`mpr-storage:disposable: true` if everything in it may go"
)
_TWO_KEYS = (
    "the user has two access keys already, which is all that AWS allows: delete the one that is not in use "
    "(`aws iam list-access-keys`, `aws iam delete-access-key`), then run the same command"
)
_TEN_KEYS = (
    "the service account has all the HMAC keys that it may have: delete those that are not in use "
    "(`gcloud storage hmac list`), then run the same command"
)
_SAME_IDENTITY = (
    "there is one of this name already that this stack does not know. If the state was lost, set "
    "`mpr-storage:adoptIdentities: true` to take it over (docs/recovery.md); otherwise choose another name for "
    "the environment or the identity"
)
_QUOTA = "a limit of the account is reached: delete what is not in use, or ask the cloud for more"
_EXPIRED = "the credentials of this deployment have expired: log in again, then run the same command"
_DEPLOYER = "the credentials of this deployment lack a permission; docs/deployers.md says what they need"
_NEW_ONE = (
    "Cloudflare does not take the API token: make a new one and set CLOUDFLARE_API_TOKEN; docs/deployers.md says "
    "with which permissions"
)
_REGION = "the bucket is in another region: set `mpr-storage:region` to that one"
_API_OFF = (
    "an API is switched off in the project: `gcloud services enable storage.googleapis.com iam.googleapis.com`, "
    "then run the same command"
)

_NO_KEYS = (
    "the organisation forbids keys of service accounts (iam.disableServiceAccountKeyCreation), and an HMAC key is "
    "one: have an exception made for the project"
)
_NOT_YET = "Google does not know the new service account everywhere yet: run the same command again in a minute"
_R2_OFF = "R2 is switched off in the account: enable it in Cloudflare's dashboard, then run the same command"
_NO_ACCOUNT = "Cloudflare knows no such account: correct `mpr-storage:account`"

#: By target, in this order: a pattern in what the provider says, and the sentence.
_SENTENCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "aws": (
        (r"BucketAlreadyOwnedByYou", _ADOPT),
        (r"BucketAlreadyExists\b", _TAKEN),
        (r"BucketNotEmpty", _NOT_EMPTY),
        (r"AccessKeysPerUser", _TWO_KEYS),
        (r"EntityAlreadyExists", _SAME_IDENTITY),
        (r"LimitExceeded|TooManyBuckets", _QUOTA),
        (r"ExpiredToken|token.*expired|RequestExpired", _EXPIRED),
        (r"AccessDenied|UnauthorizedOperation|not authorized", _DEPLOYER + " (`python -m infra deployer`)"),
        (r"IllegalLocationConstraint|AuthorizationHeaderMalformed|PermanentRedirect", _REGION),
    ),
    "gcp": (
        (r"you already own it", _ADOPT),
        (r"bucket name is not available", _TAKEN),
        (r"without .?force_destroy", _NOT_EMPTY),
        (r"hmac.*(limit|maximum|exceed)", _TEN_KEYS),
        (r"has not been used in project|SERVICE_DISABLED|accessNotConfigured", _API_OFF),
        (r"invalid_grant|invalid_rapt|token.*expired|UNAUTHENTICATED|Error 401", _EXPIRED),
        (r"disableServiceAccountKeyCreation", _NO_KEYS),
        (r"Service account .* does not exist", _NOT_YET),
        (r"Error 403|PERMISSION_DENIED|forbidden", _DEPLOYER),
        (r"Error 409|alreadyExists", _SAME_IDENTITY),
        (r"quota", _QUOTA),
    ),
    "r2": (
        (r"10004|already exists, and you own it", _ADOPT),
        (r"10073|already exists", _TAKEN),
        (r"10008|not empty", _NOT_EMPTY),
        (r"\b10042\b|enable R2", _R2_OFF),
        (r"\b7003\b|Could not route", _NO_ACCOUNT),
        (r"\b(10000|9109|9106|1000)\b|Authentication error|Invalid API Token|401", _NEW_ONE),
        (r"403|forbidden|unauthorized", _DEPLOYER),
        (r"limit|quota|maximum", _QUOTA),
    ),
}


def next_step(target: str, resource: str, error: str) -> str | None:
    """The sentence that says what to do about an error of the target's provider; None for an unknown one."""
    for pattern, sentence in _SENTENCES.get(target, ()):
        if re.search(pattern, error, re.IGNORECASE):
            return f"{resource}: {sentence}"
    return None
