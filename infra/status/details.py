"""What there is of one environment. Reads, and changes nothing; starts no store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from core.storage import StorageError
from core.storage._internal import mask
from infra import leftover, plan
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES, Role
from infra.drift import cloud, deployment, store
from infra.drift.deployment import Deployment
from infra.drift.difference import Difference
from infra.env import compare, deployed, files, key_info
from infra.env import contents as env_contents
from infra.env import stack as stacks
from infra.env.stack import Stack
from infra.env.state_buckets import adopted_by_bucket
from infra.errors import InfraError, NotDeployedError, UnreachableError
from infra.local import engine
from infra.local.engine import Engine
from infra.plan import Plan
from infra.status import facts
from infra.status.facts import BucketFacts, EnvironmentFacts, FileFacts, IdentityFacts, Origin
from infra.stores import contents, origin
from infra.targets.registry import TARGETS

_T = TypeVar("_T")
_NOT_COUNTED = "its objects could not be counted"
#: By bucket in the state of a stack, whether the environment adopted it; None: that is not recorded.
Adopted = Mapping[str, bool | None]


def read(config: EnvironmentConfig) -> EnvironmentFacts:
    """Return what there is. What cannot be read is unknown there, with the reason in its `problems`."""
    return _CloudReader(config).run() if TARGETS[config.target].is_cloud else _StoreReader(config).run()


class _Reader:
    """Reads one environment and collects what went wrong."""

    def __init__(self, config: EnvironmentConfig) -> None:
        self.config = config
        self.problems: list[InfraError] = []
        self.notices: list[str] = []

    def attempt(self, read: Callable[[], _T]) -> _T | None:
        """Return the result of `read`; None if it raises.

        An error is added to `problems`, unless it says that the environment is not deployed.
        """
        try:
            return read()
        except NotDeployedError:
            pass
        except InfraError as error:
            self.problems.append(error)
        except StorageError as error:
            self.problems.append(InfraError(str(error)))
        return None

    def stack(self, pulumi: Engine | None) -> Stack | None:
        """Return the deployed stack, or None if there is none."""
        return self.attempt(lambda: stacks.find(pulumi, self.config.environment) if pulumi else None)

    def facts(self, stack: Stack | None, **others: Any) -> EnvironmentFacts:
        """Return the facts, with those about identities and env files."""
        return EnvironmentFacts(
            environment=self.config.environment,
            target=self.config.target,
            endpoint=self.config.endpoint,
            identities=tuple(_identities(self.config, stack)),
            env_files=tuple(_env_files(self.config, stack)),
            notices=tuple(self.notices),
            problems=tuple(self.problems),
            **others,
        )

    def drift(self, compare: Callable[[], list[Difference]]) -> dict[str, Any]:
        """Return the facts about differences."""
        before = len(self.problems)
        differences = self.attempt(compare)
        if differences is None:
            return _unknown_drift(self.problems[before] if len(self.problems) > before else "not deployed")
        number = len(differences)
        reason = f"{number} difference{'s' if number > 1 else ''}" if number else None
        return {"drift": "differs" if number else "none", "drift_reason": reason}

    def unknown_drift(self) -> dict[str, Any]:
        """Return the facts about differences that could not be read."""
        return _unknown_drift(self.problems[0] if self.problems else "not deployed")

    def contents_by_env_files(self) -> list[BucketFacts]:
        """Return the buckets that env files and the configuration name, counted with the access keys there."""
        counted = self.attempt(lambda: env_contents.count(self.config)) or {}
        found = [
            BucketFacts(name=name, role=role, contents=held, note=None if held else _NOT_COUNTED)
            for (role, name), held in counted.items()
        ]
        roles = {bucket.role for bucket in found}
        return [*found, *(bucket for bucket in _configured(self.config) if bucket.role not in roles)]


class _StoreReader(_Reader):
    """Reads an environment on a store: with the admin keys, or as far as that goes with those in the env files."""

    def run(self) -> EnvironmentFacts:
        planned = self.attempt(lambda: plan.for_comparison(self.config))
        if planned is None:
            return self._without_store(self.problems[0])
        self.notices += planned.notices
        state = self.attempt(lambda: deployment.find(planned))
        buckets = self.attempt(lambda: self._buckets(planned, state)) or ()
        stack = self._deployed(planned, state) if state else None
        drift = self.unknown_drift()
        if state and stack:
            drift = self.drift(lambda: list(store.compare(planned, state, self.notices.append)))
        deployed_by = _deployed_by(self.config, stack) if state else {}
        return self.facts(stack, buckets=buckets, **deployed_by, **drift)

    def _without_store(self, error: InfraError) -> EnvironmentFacts:
        """Return what is known without the store, or without its admin keys."""
        is_reached = not isinstance(error, UnreachableError)
        buckets = self.contents_by_env_files() if is_reached else _configured(self.config)
        stack = self.stack(engine.find_with_state())
        return self.facts(
            stack, buckets=tuple(buckets), **_deployed_by(self.config, stack), **_unknown_drift(error)
        )

    def _deployed(self, planned: Plan, state: Deployment) -> Stack | None:
        if (stack := state.stack) and (pulumi := engine.find_with_state()):
            return self.attempt(lambda: deployed.compared_with_store(self.config, stack, pulumi))
        return self.attempt(lambda: deployed.on_store(planned))

    def _buckets(self, planned: Plan, state: Deployment | None) -> tuple[BucketFacts, ...]:
        """Return the buckets that are configured, and those that stay behind."""
        pulumi = engine.find_with_state() if state and state.stack else None
        adopted = adopted_by_bucket(pulumi, self.config.environment) if pulumi else {}
        roles = {planned.buckets[role].name or "": role for role in ROLES}
        others = leftover.find(planned)
        if others is None:
            self.notices.append(leftover.UNKNOWN)
        behind = (name for name in dict.fromkeys([*(others or ()), *adopted]) if name not in roles)
        found = [_configured_bucket(planned, name, role, adopted) for name, role in roles.items()]
        return (*found, *filter(None, (_left_bucket(planned, name) for name in behind)))


class _CloudReader(_Reader):
    """Reads an environment in a cloud: from the stack, the cloud and the env files."""

    def run(self) -> EnvironmentFacts:
        pulumi = self.attempt(lambda: stacks.require_engine(self.config.environment))
        stack = self.stack(pulumi)
        deployed_by = {} if self.problems else _deployed_by(self.config, stack)
        drift = self.unknown_drift()
        adopted = self.attempt(lambda: self._adopted(pulumi) if pulumi and stack else {}) or {}
        buckets = [_with_origin(bucket, adopted) for bucket in self.contents_by_env_files()]
        buckets += _not_configured(adopted, buckets)
        if stack:
            drift = self.drift(lambda: cloud.compare(self.config))
        return self.facts(stack, buckets=tuple(buckets), **deployed_by, **drift)

    def _adopted(self, pulumi: Engine) -> Adopted:
        return adopted_by_bucket(pulumi, self.config.environment)


def _unknown_drift(reason: object) -> dict[str, Any]:
    return {"drift": "unknown", "drift_reason": str(reason)}


def _env_files(config: EnvironmentConfig, stack: Stack | None) -> Iterator[FileFacts]:
    if stack is None:
        return (facts.on_disk(config.environment, name) for name in config.names)
    return map(facts.of_comparison, compare.compare(config.environment, config.names, stack))


def _identities(config: EnvironmentConfig, stack: Stack | None) -> Iterator[IdentityFacts]:
    """Yield each identity with its primary access key, as the stack says, or without one its env file."""
    for name in config.names:
        main = files.path(config.environment, name)
        settings = stack.settings.get(name) if stack else None
        key_id = settings.access_key_id if settings else None
        info = stack.keys.get(name) if stack else None
        if key_id is None and (stored := files.access_key(main)):
            key_id, info = stored.access_key_id, key_info.read(main)
        yield IdentityFacts(
            name=name, key=mask(key_id) if key_id else None, info=info, rotation=config.slots_of(name).step
        )


def _deployed_by(config: EnvironmentConfig, stack: Stack | None) -> dict[str, Any]:
    """Return by what and when the environment was deployed; `init` leaves the time of its env files."""
    if stack and not stack.by_init:
        return {"deployed_by": "Pulumi", "deployed_at": stack.updated}
    written = written_at(config)
    if TARGETS[config.target].is_cloud or not written:
        return {"deployed_by": "init" if stack and not config.has_external_keys else "not deployed"}
    return {"deployed_by": "init", "deployed_at": written}


def written_at(config: EnvironmentConfig) -> datetime | None:
    """Return when an env file of the environment was last written; None if there is none."""
    paths = (files.path(config.environment, name) for name in config.names)
    times = [file.stat().st_mtime for file in paths if files.state(file) in {"as written", "edited"}]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _configured_bucket(planned: Plan, name: str, role: Role, adopted: Adopted) -> BucketFacts:
    held = contents.count(planned.store, name)
    bucket_origin: Origin = "missing" if held is None else _origin(planned, name, adopted)
    return BucketFacts(name=name, role=role, origin=bucket_origin, contents=held)


def _origin(planned: Plan, bucket: str, adopted: Adopted) -> Origin:
    if adopted.get(bucket) is False:
        return "created"
    try:
        created_by = origin.environment_of(planned.store, bucket)
    except ClientError:
        return "adopted" if adopted.get(bucket) else "unknown"
    return "created" if created_by == planned.config.environment else "adopted"


def _left_bucket(planned: Plan, name: str) -> BucketFacts | None:
    """Return a bucket that stays behind; None if only the state of the stack still has it."""
    held = contents.count(planned.store, name)
    if held is None:
        return None
    note = leftover.sentence(planned.config.environment, held)
    return BucketFacts(name=name, role=None, origin="stays behind", contents=held, note=note)


def _configured(config: EnvironmentConfig) -> list[BucketFacts]:
    named: list[tuple[Role, str | None]] = [(role, config.bucket(role).name) for role in ROLES]
    return [BucketFacts(name=name, role=role) for role, name in named if name]


def _with_origin(bucket: BucketFacts, adopted: Adopted) -> BucketFacts:
    if bucket.name not in adopted:
        return bucket
    return replace(bucket, origin="adopted" if adopted[bucket.name] else "created")


def _not_configured(adopted: Adopted, buckets: list[BucketFacts]) -> list[BucketFacts]:
    """Return the buckets in the state that no env file and no configuration names."""
    known = {bucket.name for bucket in buckets}
    note = "the state of the stack has it, and no env file or configuration names it"
    return [
        BucketFacts(name=name, role=None, origin="stays behind", note=note)
        for name in adopted
        if name not in known
    ]
