"""An environment on an S3-compatible store, asked of the store itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from infra.config import BucketConfig, Expiry
from infra.connection import given_keys
from infra.drift import env_files, keys, policy
from infra.drift.finding import Finding, Repair
from infra.drift.known import Known
from infra.env import files
from infra.identities import ROLES, Identity
from infra.plan import Plan
from infra.stores import buckets
from infra.stores.keys import Credentials, credentials
from infra.stores.lifecycle import CHANGED
from infra.stores.settings import ATTRIBUTES, differing

#: Told what could not be compared, a sentence each.
Notice = Callable[[str], None]

MISSING = "missing"
_BY_HAND = "take it from the user on the store (`aws iam`): no deployment touches it"


def compare(made: Plan, values: dict[str, object], known: Known, notice: Notice) -> Iterator[Finding]:
    """Every difference of the buckets, identities, keys and env files of an environment.

    Raises:
        UnreachableError: the store does not answer.
        UsageError: the admin key may not ask it.
    """
    for bucket in made.buckets.values():
        yield from _bucket(made, bucket, known.repair, notice)
    maker = credentials(made.config.credentials, given_keys(values))
    for identity in made.config.identities:
        yield from _identity(made, maker, identity, known)


def is_deployed(made: Plan, findings: list[Finding]) -> bool:
    """Whether there is anything of the environment: a bucket, an identity or an env file."""
    gone = {one.thing for one in findings if one.actual == MISSING}
    config = made.config
    things = [f"bucket {made.buckets[role].name}" for role in ROLES]
    if config.credentials != "static":
        things += [f"identity {made.name(one)}" for one in config.identities]
    return bool(set(things) - gone) or any(files.path(config.environment, name).exists() for name in config.names)


def _bucket(made: Plan, wanted: BucketConfig, repair: Repair, notice: Notice) -> Iterator[Finding]:
    thing = f"bucket {wanted.name}"
    actual = buckets.read(made.store, wanted.name or "")
    if actual is None:
        yield Finding(thing=thing, property="bucket", wanted="there", actual=MISSING, repair=repair.deploy)
        return
    if actual.versioning is None:
        notice(f"{thing}: the key {made.store.admin.hint} may not read its settings, so they were not compared")
        return
    for name in differing(actual, wanted):
        sides = (_SHOWN[name](getattr(one, ATTRIBUTES[name])) for one in (wanted, actual))
        yield Finding(thing=thing, property=name, wanted=next(sides), actual=next(sides), repair=repair.deploy)


def _identity(made: Plan, maker: Credentials, identity: Identity, known: Known) -> Iterator[Finding]:
    found = [*_policy(made, maker, identity, known.repair), *keys.compare(made, maker, identity, known)]
    if any(one.actual == MISSING for one in found):  # then its keys are gone as well
        found = [one for one in found if one.actual != keys.GONE]
    yield from found
    broken = any(one.property != keys.STRAY for one in found)
    yield from env_files.compare(made, maker, identity, known, broken=broken)


def _policy(made: Plan, maker: Credentials, identity: Identity, repair: Repair) -> Iterator[Finding]:
    if made.config.credentials == "static":
        return  # made elsewhere: nothing is known of it
    name = made.name(identity)
    thing = f"identity {name}"
    actual = maker.read_identity(made.store, name)
    if actual is None:
        yield Finding(thing=thing, property="identity", wanted="there", actual=MISSING, repair=repair.deploy)
        return
    fewer, more = policy.fewer_and_more(made.policy(identity), actual)
    if fewer:
        yield Finding(thing=thing, property="policy", wanted=fewer, actual="not there", repair=repair.deploy)
    if more:
        yield Finding(thing=thing, property="policy", wanted="not there", actual=more, repair=repair.deploy)
    for one in maker.rights_beside(made.store, name):
        yield Finding(thing=thing, property="rights", wanted="the policy alone", actual=one, repair=_BY_HAND)


def _days(days: int | None) -> str:
    if days is None:
        return "not set"
    return "a rule changed by hand" if days == CHANGED else f"{days} day{'s' if days > 1 else ''}"


def _expiries(rules: tuple[Expiry, ...]) -> str:
    told = sorted(f"{one.prefix or 'everything'} after {_days(one.days)}" for one in rules)
    return ", ".join(told) or "not set"


#: How each setting of a bucket is told.
_SHOWN: dict[str, Callable[..., str]] = {
    "versioning": lambda on: "on" if on else "off",
    "noncurrentDays": _days,
    "expire": _expiries,
    "abortMultipartDays": _days,
    "corsOrigins": lambda origins: ", ".join(sorted(origins)) or "not set",
}
