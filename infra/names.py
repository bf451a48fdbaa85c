"""What buckets and identities are called on each target, and what they may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.storage._validate import bucket_name_problem


@dataclass(frozen=True)
class _Rule:
    """A pattern that a name must not match, and why."""

    refused: str
    problem: str


_NO_DOT = r".*\."
_RULES: Mapping[str, tuple[_Rule, ...]] = {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    "aws": (
        _Rule(
            _NO_DOT,
            "must hold no dot: AWS' certificate does not cover it. Use hyphens, or for a bucket that there is "
            "already `addressingStyle: path`",
        ),
        _Rule(
            "(xn--|sthree-|amzn-s3-demo-)", "must not start with xn--, sthree- or amzn-s3-demo-, which AWS keeps"
        ),
        _Rule(
            r".*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3|-an)$",
            "must not end in -s3alias, --ol-s3, .mrap, --x-s3, --table-s3 or -an, which AWS keeps",
        ),
    ),
    # https://cloud.google.com/storage/docs/buckets#naming
    "gcp": (
        _Rule(_NO_DOT, "must hold no dot: GCS wants proof that you own that domain. Use hyphens"),
        _Rule("goog|.*g[o0]{2}g[l1]e", "must not start with goog or hold google or a close misspelling of it"),
    ),
    # https://developers.cloudflare.com/r2/buckets/create-buckets/
    "r2": (_Rule(_NO_DOT, "must hold no dot: R2 takes a-z, 0-9 and hyphens. Use hyphens"),),
}


#: How long the name of an identity may be: IAM users and roles
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html), ids of service accounts
#: (https://cloud.google.com/iam/docs/service-accounts-create).
_IDENTITY_LENGTH = {"aws": 64, "gcp": 30}
_BUCKET_LENGTH = 63
#: What Pulumi adds to a name of its own making, so that it is nobody else's: a hyphen and seven digits.
_RANDOM_END = 8


def bucket_problem(name: str, target: str, addressing_style: str | None) -> str | None:
    """Why the target takes no bucket of this name, or None."""
    if found := bucket_name_problem(name):
        return found
    rules = _RULES.get(target, ())
    if addressing_style == "path":  # certificates matter only where the name is part of the host
        rules = tuple(rule for rule in rules if (target, rule.refused) != ("aws", _NO_DOT))
    return next((rule.problem for rule in rules if re.match(rule.refused, name)), None)


def bucket(environment: str, role: str) -> str:
    """The name of a bucket that has none configured; where names are global, a random end is added to it."""
    return f"mpr-{_lower(environment)}-{role}"


def identity(environment: str, name: str, target: str) -> str:
    """The name of an identity, on a target that may serve several environments."""
    return f"mpr-{_lower(environment) if target == 'gcp' else environment}-{name}"


def environment_problem(environment: str, identities: Iterable[str], target: str) -> str | None:
    """Why the names made from that of the environment would be too long for the target, or None."""
    longest = max((len(identity(environment, name, target)) for name in identities), default=0)
    excess = max(
        longest - _IDENTITY_LENGTH.get(target, longest),
        len(bucket(environment, "out")) + _RANDOM_END - _BUCKET_LENGTH,
    )
    return f"is too long for the names of identities and buckets by {excess} characters" if excess > 0 else None


def _lower(environment: str) -> str:
    return re.sub("[^a-z0-9]+", "-", environment.lower()).strip("-")
