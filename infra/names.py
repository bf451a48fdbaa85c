"""What buckets and identities are called on each target, and what they may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.storage._internal import bucket_name_problem


@dataclass(frozen=True)
class _Rule:
    """A pattern that a name must not match, and why."""

    refused: str
    problem: str
    #: The setting with which it does not apply.
    lifted_by: str = ""


_NO_DOT = r".*\."
_RULES: Mapping[str, tuple[_Rule, ...]] = {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    "aws": (
        _Rule(
            _NO_DOT,
            "must hold no dot: AWS' certificate does not cover it. Use hyphens, or for a bucket that there is "
            "already `addressingStyle: path`",
            lifted_by="path",
        ),
        _Rule(
            "(xn--|sthree-|amzn-s3-demo-)",
            "must not start with xn--, sthree- or amzn-s3-demo-, which AWS keeps",
            lifted_by="adopt",
        ),
        # -an ends the names of an account's own regional namespace: there may be one, and this makes none.
        _Rule(
            r".*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3|-an)$",
            "must not end in -s3alias, --ol-s3, .mrap, --x-s3, --table-s3 or -an, which AWS keeps",
            lifted_by="adopt",
        ),
    ),
    # https://cloud.google.com/storage/docs/buckets#naming
    "gcp": (
        _Rule(
            _NO_DOT,
            "must hold no dot: GCS wants proof that you own that domain. Use hyphens, or for a bucket that there "
            "is already `adopt: true`",
            lifted_by="adopt",
        ),
        _Rule(
            "goog|.*g[o0]{2}g[l1]e",
            "must not start with goog or hold google or a close misspelling of it",
            lifted_by="adopt",
        ),
    ),
    # https://developers.cloudflare.com/r2/buckets/create-buckets/
    "r2": (_Rule(_NO_DOT, "must hold no dot: R2 takes a-z, 0-9 and hyphens. Use hyphens"),),
}


@dataclass(frozen=True)
class _Tag:
    """What tags look like: patterns that the key and the value must match, and what that is in words."""

    key: str
    value: str
    shape: str


_TAGS: Mapping[str, _Tag] = {
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html
    "aws": _Tag(
        r"(?i)(?!aws:)[\w .:/=+@-]{1,128}",
        r"(?i)(?!aws:)[\w .:/=+@-]{1,256}",
        "letters, digits, spaces and _.:/=+-@, 128 of them in a key and 256 in a value at most, not after aws:",
    ),
    # https://cloud.google.com/storage/docs/tags-and-labels
    "gcp": _Tag(
        r"(?!.*[A-Z])(?![\d_-])[\w-]{1,63}",
        r"(?!.*[A-Z])[\w-]{1,63}",
        "lowercase letters, digits, _ and -, 63 at most, and a key must start with a letter",
    ),
}

#: How long the name of an identity may be: IAM users and roles
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html), ids of service accounts
#: (https://cloud.google.com/iam/docs/service-accounts-create), tokens
#: (https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/methods/create/).
_IDENTITY_LENGTH = {"aws": 64, "gcp": 30, "r2": 120}
_BUCKET_LENGTH = 63
#: What Pulumi adds to a name of its own making where names are global: a hyphen and seven digits.
_RANDOM_END = {"aws": 8, "gcp": 8}


def bucket_problem(
    name: str, target: str, *, addressing_style: str | None = None, adopt: bool = False
) -> str | None:
    """Why the target takes no bucket of this name, or None."""
    if found := bucket_name_problem(name):
        return found
    # Certificates matter only where the name is part of the host; what a bucket may be called, to new ones.
    lifting = {addressing_style, "adopt" if adopt else None}
    rules = (rule for rule in _RULES.get(target, ()) if rule.lifted_by not in lifting)
    return next((rule.problem for rule in rules if re.match(rule.refused, name)), None)


def bucket(environment: str, role: str) -> str:
    """The name of a bucket that has none configured; where names are global, a random end is added to it."""
    return f"mpr-{_lower(environment)}-{role}"


def placeholder(environment: str, role: str, target: str) -> str:
    """As long as the name of a bucket that has none configured will be."""
    return bucket(environment, role) + "0" * _RANDOM_END.get(target, 0)


def identity(environment: str, name: str, target: str) -> str:
    """The name of an identity, on a target that may serve several environments."""
    return f"mpr-{_lower(environment) if target == 'gcp' else environment}-{name}"


def environment_problem(
    environment: str, identities: Iterable[str], unnamed: Iterable[str], target: str
) -> str | None:
    """Why the names made from that of the environment would be too long for the target, or None.

    Args:
        environment: its name.
        identities: the names of its identities.
        unnamed: the roles of buckets that have no name configured.
        target: where all this is.
    """
    made = [len(identity(environment, name, target)) for name in identities]
    excess = [length - _IDENTITY_LENGTH.get(target, length) for length in made]
    excess += [len(placeholder(environment, role, target)) - _BUCKET_LENGTH for role in unnamed]
    worst = max(excess, default=0)
    return f"is too long for the names of identities and buckets by {worst} characters" if worst > 0 else None


def tag_problem(key: str, value: str, target: str) -> str | None:
    """Why the target takes no tag (on gcp: no label) of this kind, or None."""
    rule = _TAGS.get(target)
    if rule is None or (re.fullmatch(rule.key, key) and re.fullmatch(rule.value, value)):
        return None
    return f"must be {rule.shape}, got {key}: {value}"


def _lower(environment: str) -> str:
    return re.sub("[^a-z0-9]+", "-", environment.lower()).strip("-")
