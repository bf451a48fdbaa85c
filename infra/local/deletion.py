"""What `python -m infra down --delete` would delete, and which buckets it would keep. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from infra import leftover
from infra.config.environment import EnvironmentConfig
from infra.env import contents as env_contents
from infra.env.state_buckets import adopted_by_bucket
from infra.local.engine import Engine
from infra.plan import Plan
from infra.stores import contents, origin
from infra.stores.contents import Contents
from infra.targets.registry import TARGETS


@dataclass(frozen=True)
class Deletion:
    """The buckets of an environment, by name."""

    #: Created by the environment, with their contents; None: these could not be counted.
    deleted: Mapping[str, Contents | None]
    #: Created before the environment, with the sentence to show.
    kept: Mapping[str, str]
    #: The buckets in `deleted` that the configuration does not name any more.
    left_behind: Collection[str] = ()
    notice: str | None = None


def plan_for(
    config: EnvironmentConfig, plan: Plan | None, pulumi: Engine | None, *, keep_buckets: bool = False
) -> Deletion:
    """Count the contents of the environment's buckets.

    Args:
        config: the environment.
        plan: its plan on a store; None on a cloud target.
        pulumi: the engine, if there is one.
        keep_buckets: whether all buckets are to stay.

    Raises:
        InfraError: the store or Pulumi's backend does not respond, or refuses.
    """
    planned = _in_cloud(config, pulumi) if plan is None else _on_store(config, plan, pulumi)
    if not keep_buckets:
        return planned
    staying = {name: f"bucket {name} stays{_held(counted, ' with')}" for name, counted in planned.deleted.items()}
    return Deletion({}, {**planned.kept, **staying})


def _on_store(config: EnvironmentConfig, plan: Plan, pulumi: Engine | None) -> Deletion:
    in_state = _in_state(pulumi, config.environment)
    configured = [bucket.name for bucket in (config.bucket_in, config.bucket_out) if bucket.name]
    others = leftover.find(plan)
    deleted: dict[str, Contents | None] = {}
    kept: dict[str, str] = {}
    for name in dict.fromkeys([*configured, *in_state, *(others or ())]):
        counted = contents.count(plan.store, name)
        if counted is None:
            continue
        if in_state.get(name) is False or origin.is_created_by(plan.store, name, config.environment):
            deleted[name] = counted
        else:
            kept[name] = origin.kept(name, counted, is_known=in_state.get(name) is not None)
    return Deletion(deleted, kept, set(deleted) - set(configured), leftover.UNKNOWN if others is None else None)


def _in_cloud(config: EnvironmentConfig, pulumi: Engine | None) -> Deletion:
    """Plan for the buckets in the state, which are those that `pulumi destroy` deletes, and in the env files.

    Adopted buckets are kept, as the state says; the configuration says it of a bucket that is not in the state.
    """
    in_state = _in_state(pulumi, config.environment)
    counted: dict[str, Contents | None] = dict.fromkeys(in_state)
    counted |= {bucket: number for (_, bucket), number in env_contents.count(config).items()}
    adopted = {name for name in counted if in_state.get(name, config.adopt)}
    kept = {
        name: f"bucket {name} existed before this environment{_held(counted[name], ' and holds')}: it stays"
        for name in counted
        if name in adopted
    }
    return Deletion({name: number for name, number in counted.items() if name not in adopted}, kept)


def _held(counted: Contents | None, verb: str) -> str:
    return "" if counted is None else f"{verb} {counted}"


def sentences(
    config: EnvironmentConfig, planned: Deletion, identities: Iterable[str], *, keep_buckets: bool = False
) -> Iterator[str]:
    """Return the lines to show before the deletion, with the identities whose access keys are deleted."""
    yield f"this is deleted permanently from environment {config.environment}:"
    for name, counted in planned.deleted.items():
        note = ", which the configuration no longer names" if name in planned.left_behind else ""
        yield f"  bucket {name}{note}: {'its objects could not be counted' if counted is None else counted}"
    if TARGETS[config.target].is_cloud and not planned.deleted and not planned.kept and not keep_buckets:
        yield "  its buckets: their objects could not be counted, because there is no env file"
    keys = "" if config.has_external_keys else "access keys and "
    yield f"  the {keys}env files of {', '.join(identities)}"
    if keep_buckets and not planned.kept:
        yield "its buckets stay"
    yield from planned.kept.values()
    if planned.notice:
        yield planned.notice


def _in_state(pulumi: Engine | None, environment: str) -> dict[str, bool | None]:
    """Return the buckets in the state, with whether the environment adopted them; None: that is not recorded."""
    if pulumi is None or pulumi.deployed(environment) is None:
        return {}
    return adopted_by_bucket(pulumi, environment)
