"""Compare an environment on an S3-compatible store with what the store says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.storage._internal import mask
from infra.config.environment import BucketConfig, Expiry
from infra.config.identities import ROLES, Identity
from infra.config.slots import SLOTS
from infra.drift import env_files, policy
from infra.drift.deployment import Deployment
from infra.drift.difference import MISSING, PRESENT, Change, Difference, differences_of
from infra.env import files
from infra.plan import Plan
from infra.stores import buckets
from infra.stores.keys import IdentityManager, identity_manager
from infra.stores.lifecycle import CHANGED
from infra.stores.settings import ATTRIBUTES, differing

_GONE = "gone from the store"
#: The property of an access key that is in no slot: it may have been created to keep access.
_STRAY = "key in no slot"
_DETACH = "remove it from the user on the store (`aws iam`): no deployment changes it"


def compare(plan: Plan, deployment: Deployment, notice: Callable[[str], None]) -> Iterator[Difference]:
    """Yield every difference of the buckets, identities, access keys and env files of an environment.

    `notice` is called with a sentence about what could not be compared.
    """
    deploy = deployment.repair.deploy
    for bucket in plan.buckets.values():
        yield from differences_of(f"bucket {bucket.name}", _bucket(plan, bucket, notice), deploy)
    manager = identity_manager(plan.config.credentials, plan.config.secrets.external())
    for identity in plan.config.identities:
        changes: list[Change] = []
        if not plan.config.has_external_keys:  # what is managed externally cannot be read
            changes = [*_identity(plan, manager, identity), *_keys(plan, manager, identity, deployment)]
        if any(change.actual == MISSING for change in changes):  # then its access keys are gone as well
            changes = [change for change in changes if change.actual != _GONE]
        yield from differences_of(f"identity {plan.name(identity)}", changes, deploy)
        broken = any(change.property != _STRAY for change in changes)
        yield from env_files.compare(plan, manager, identity, deployment, repaired_first=broken)


def is_deployed(plan: Plan, differences: list[Difference]) -> bool:
    """Return whether a bucket, an identity or an env file of the environment exists."""
    missing = {difference.thing for difference in differences if difference.actual == MISSING}
    config = plan.config
    things = [f"bucket {plan.buckets[role].name}" for role in ROLES]
    if not config.has_external_keys:
        things += [f"identity {plan.name(identity)}" for identity in config.identities]
    return bool(set(things) - missing) or any(
        files.path(config.environment, name).exists() for name in config.names
    )


def _bucket(plan: Plan, wanted: BucketConfig, notice: Callable[[str], None]) -> Iterator[Change]:
    actual = buckets.read(plan.store, wanted.name or "")
    if actual is None:
        yield Change("bucket", PRESENT, MISSING)
    elif actual.versioning is None:
        key = plan.store.admin.masked
        notice(f"bucket {wanted.name}: the key {key} may not read its settings, so they were not compared")
    else:
        for name in differing(actual, wanted):
            sides = (_DESCRIBED[name](getattr(bucket, ATTRIBUTES[name])) for bucket in (wanted, actual))
            yield Change(name, *sides)


def _identity(plan: Plan, manager: IdentityManager, identity: Identity) -> Iterator[Change]:
    actual = manager.read_identity(plan.store, plan.name(identity))
    if actual is None:
        yield Change("identity", PRESENT, MISSING)
        return
    yield from policy.compare("policy", plan.policy(identity), actual)
    for permissions in manager.further_permissions(plan.store, plan.name(identity)):
        yield Change("rights", "only the policy", permissions, _DETACH)


def _keys(plan: Plan, manager: IdentityManager, identity: Identity, deployment: Deployment) -> Iterator[Change]:
    """Yield access keys that are missing, left over, unknown, or active when they must not be, or the reverse."""
    name, slots = plan.name(identity), plan.config.slots_of(identity.name)
    existing = {
        key_id: _with_status(key_id, active=active)
        for key_id, active in manager.access_keys(plan.store, name).items()
    }
    active = {slot_key.slot: slot_key.active for slot_key in slots.access_keys()}
    known = {slot: key_id for (owner, slot), key_id in deployment.key_ids.items() if owner == identity.name}
    for slot in SLOTS:
        key_id = known.get(slot)
        if key_id:
            wanted = _with_status(key_id, active=active[slot]) if slot in active else "none"
            actual = existing.get(key_id, _GONE if slot in active else "none")
        else:
            # Without a stack only env files tell whose a key is. A missing one is reported as a file.
            wanted, actual = "a key" if slot in active and deployment.stack else "none", "none"
        if wanted != actual:
            yield Change(f"key in slot {slot}", wanted, actual)
    env_files = files.all_of(files.path(plan.config.environment, identity.name))
    in_files = map(files.access_key, env_files)
    strays = set(existing) - {*known.values(), *(key.access_key_id for key in in_files if key)}
    if deployment.stack is None and len(strays) <= len(set(active) - set(known)):
        return  # probably those of slots whose env files are missing here
    by_hand = f"find out which program uses it, then {manager.deletion_by_hand(plan.store, name)}"
    for key_id in sorted(strays):
        yield Change(_STRAY, "none", f"{existing[key_id]}, unknown here", by_hand)


def _with_status(key_id: str, *, active: bool) -> str:
    return f"{mask(key_id)}, {'active' if active else 'inactive'}"


def _days(days: int | None) -> str:
    if days is None:
        return "not set"
    return "a rule changed by hand" if days == CHANGED else f"{days} day{'s' if days > 1 else ''}"


def _expiries(rules: tuple[Expiry, ...]) -> str:
    sentences = sorted(f"{rule.prefix or 'everything'} after {_days(rule.days)}" for rule in rules)
    return ", ".join(sentences) or "not set"


#: By setting of a bucket, how its value is described.
_DESCRIBED: dict[str, Callable[..., str]] = {
    "versioning": lambda on: "on" if on else "off",
    "noncurrentDays": _days,
    "expire": _expiries,
    "abortMultipartDays": _days,
    "corsOrigins": lambda origins: ", ".join(sorted(origins)) or "not set",
}
