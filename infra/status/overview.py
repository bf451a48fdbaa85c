"""What there is of all environments, in little time and without admin keys: one request to each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from core.storage import StorageError, StoreUnreachableError
from core.storage._internal import Failure, mask, once, run
from core.storage.settings import Settings
from infra.command_name import COMMAND
from infra.config import stack_files
from infra.config.environment import EMBEDDED, ConfigError, EnvironmentConfig
from infra.config.load import load_environment
from infra.env import files, key_info
from infra.env.bucket_names import bucket_names
from infra.errors import InfraError, UnreachableError, UsageError
from infra.local import engine, running
from infra.status import facts
from infra.status.details import written_at
from infra.status.facts import BucketFacts, EnvironmentFacts, IdentityFacts
from infra.stores.codes import means
from infra.stores.contact import listing
from infra.targets.registry import TARGETS

_WORKERS = 16
_TIMEOUT = 5.0  # seconds for the response of a store
NOT_RUNNING = "not running"
_NO_CONFIGURATION = (
    "{file} is missing, so no command can change or delete this environment. Its buckets and access keys may "
    "still exist: restore the file; if the environment is disposable, `{command} --delete` then deletes it"
)


@dataclass(frozen=True)
class Stacks:
    """When each stack was updated, by environment."""

    #: None: that cannot be read.
    updates: Mapping[str, datetime] | None
    problem: InfraError | None = None


def read() -> tuple[list[EnvironmentFacts], InfraError | None]:
    """Return what there is of each environment, and why the stacks could not be read, if so.

    An environment that cannot be reached, or whose file is wrong or missing, is listed with the reason.
    """
    stacks = _stacks()
    with ThreadPoolExecutor(_WORKERS) as workers:
        found = list(workers.map(partial(_read, stacks), stack_files.names()))
    return [*found, *_without_configuration(stacks)], stacks.problem


def _stacks() -> Stacks:
    try:
        pulumi = engine.find_with_state()
        return Stacks(pulumi.updates() if pulumi else None)
    except InfraError as error:
        return Stacks(None, error)


def _read(stacks: Stacks, environment: str) -> EnvironmentFacts:
    try:
        config = load_environment(environment)
    except ConfigError as error:
        return EnvironmentFacts(environment=environment, problems=(_short(error),))
    known = EnvironmentFacts(
        environment=environment,
        target=config.target,
        endpoint=config.endpoint,
        identities=tuple(_identity(config, name) for name in config.names),
        env_files=tuple(facts.on_disk(environment, name) for name in config.names),
        **_deployed_by(config, stacks),
    )
    try:
        settings = _settings(config)
        names = bucket_names(config, settings)
        buckets = tuple(BucketFacts(name=name, role=role) for role, name in names.items())
        problem = _probe(config, settings)
    except InfraError as error:
        return replace(known, problems=(error,))
    return replace(known, buckets=buckets, problems=(problem,) if problem else ())


def _without_configuration(stacks: Stacks) -> Iterator[EnvironmentFacts]:
    """Yield the environments with a stack or an env file but no configuration, which no other command shows."""
    updates = stacks.updates or {}
    for name in sorted({*updates, *files.environments()} - {*stack_files.names()}):
        problem = _NO_CONFIGURATION.format(file=stack_files.path(name), command=f"{COMMAND} down {name}")
        yield EnvironmentFacts(
            environment=name,
            deployed_by="Pulumi" if name in updates else "unknown",
            deployed_at=updates.get(name),
            problems=(UsageError(problem),),
        )


def _short(error: ConfigError) -> UsageError:
    """Return the first mistake in a file, and the number of others."""
    first, *others = error.problems
    return UsageError(first + (f" (and {len(others)} more)" if others else ""))


def _deployed_by(config: EnvironmentConfig, stacks: Stacks) -> dict[str, Any]:
    updated = (stacks.updates or {}).get(config.environment)
    if updated:
        return {"deployed_by": "Pulumi", "deployed_at": updated}
    written = written_at(config)
    if stacks.problem or (written and TARGETS[config.target].is_cloud):
        return {"deployed_by": "unknown"}
    return {"deployed_by": "init", "deployed_at": written} if written else {"deployed_by": "not deployed"}


def _identity(config: EnvironmentConfig, name: str) -> IdentityFacts:
    main = files.path(config.environment, name)
    key = files.access_key(main)
    return IdentityFacts(
        name=name,
        key=mask(key.access_key_id) if key else None,
        info=key_info.read(main) if key else None,
        rotation=config.slots_of(name).step,
    )


def _settings(config: EnvironmentConfig) -> list[Settings]:
    """Return the settings in the env files that this project wrote.

    Raises:
        UsageError: one is not valid, or not private.
    """
    paths = (files.path(config.environment, name) for name in config.names)
    return [files.load(file, config.environment) for file in paths if file.is_file()]


def _probe(config: EnvironmentConfig, settings: list[Settings]) -> InfraError | None:
    """Return why an environment is of no use, after one request with the access key in an env file."""
    if config.endpoint == EMBEDDED:
        store = running.find()
        if store is None:
            return UnreachableError(NOT_RUNNING)
        if any(own.endpoint_url != store.endpoint for own in settings):
            return InfraError(f"an env file has another endpoint than the embedded store, {store.endpoint}")
    with_key = next((one for one in settings if one.access_key_id), None)
    if with_key is None:
        return None
    bucket = with_key.bucket_in or with_key.bucket_out or ""
    try:
        response = run(asyncio.wait_for(once(listing(bucket), with_key), _TIMEOUT))
    except TimeoutError:
        return UnreachableError(f"not reachable: no response within {_TIMEOUT:g} s")
    except StorageError as error:
        return UsageError(str(error))
    return _failure(response.error, bucket) if isinstance(response, Failure) else None


def _failure(error: StorageError, bucket: str) -> InfraError | None:
    code = error.code or ""
    if means(code, "no bucket"):
        return InfraError(f"bucket {bucket} is missing")
    if means(code, "wrong access key"):
        return InfraError(f"the access key in the env file is not accepted ({code})")
    if means(code, "access denied"):  # the access key is held to prefixes
        return None
    if isinstance(error, StoreUnreachableError):
        return UnreachableError(f"not reachable: {error.message}")
    return InfraError(error.message)
