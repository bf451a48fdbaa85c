"""What is deployed of an environment: as its stack says, or for one that `init` made, as the store says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from core.storage.settings import Settings
from infra import plan
from infra.command_name import COMMAND
from infra.config.environment import EnvironmentConfig
from infra.config.identities import Identity
from infra.env import files, stack, state_keys
from infra.env.files import StoredKey
from infra.env.key_info import KeyInfo
from infra.env.stack import Outdated, Stack
from infra.errors import NotDeployedError, UnreachableError, UsageError
from infra.local import engine
from infra.local.engine import Engine
from infra.plan import Plan
from infra.stores.access_key import AccessKey
from infra.stores.keys import IdentityManager, identity_manager, is_accepted
from infra.stores.store import Store
from infra.targets.registry import TARGETS


def read(config: EnvironmentConfig) -> Stack:
    """Return what is deployed; changes nothing.

    Without a stack, an environment on a store has the settings of its configuration, with the access key that an
    env file here holds: a store does not show a secret access key again. They have no access key if the store does
    not accept that one, or no file holds one.

    Raises:
        UsageError: the admin keys are missing or wrong, and there is no stack.
        UnreachableError: the store, or Pulumi's backend, does not respond; or a cloud target without Pulumi.
        NotDeployedError: the environment is not deployed.
    """
    if TARGETS[config.target].is_cloud:
        return stack.read(config.environment)
    pulumi = engine.find_with_state()
    if pulumi and (deployed := stack.find(pulumi, config.environment)):
        return compared_with_store(config, deployed, pulumi)
    try:
        planned = plan.for_comparison(config)
    except UsageError as error:
        reason = f"there is no stack {config.environment}" if pulumi else "there is no Pulumi with a state here"
        raise UsageError(f"{reason}, so only the store knows what is deployed: {error}") from error
    return on_store(planned)


def compared_with_store(config: EnvironmentConfig, deployed: Stack, pulumi: Engine) -> Stack:
    """Return the stack with the access keys in its state that must not replace those in env files.

    `init` may have created another one since: its secret could not be read again. If the store does not respond,
    that is not known.
    """
    outdated: dict[str, Outdated] = {}
    in_state = cache(lambda: {*state_keys.key_ids(pulumi, config.environment).values()})  # Pulumi takes a second
    with suppress(UnreachableError):
        for name, own in deployed.settings.items():
            if reason := _outdated(config, name, own, in_state):
                outdated[name] = reason
    return replace(deployed, outdated=outdated)


def _outdated(
    config: EnvironmentConfig, identity: str, settings: Settings, in_state: Callable[[], set[str]]
) -> Outdated | None:
    written = files.access_key(files.path(config.environment, identity))
    if settings.access_key_id is None or (written and written.access_key_id == settings.access_key_id):
        return None
    known = AccessKey(settings.access_key_id, settings.secret_access_key or "", settings.session_token)
    store = Store(settings.endpoint_url or "", settings.region, known, settings.addressing_style)
    if not is_accepted(store, known):
        return "refused"
    # During a rotation, the state has the key of both slots.
    if written and is_accepted(store, written):
        return None if written.access_key_id in in_state() else "unknown"
    return None


def on_store(planned: Plan) -> Stack:
    """Return what is deployed on a store without a stack, as `read` says.

    Raises:
        NotDeployedError: nothing is deployed.
    """
    config = planned.config
    manager = identity_manager(config.credentials, config.secrets.external())
    known = dict(_keys(planned, manager))
    if not known:
        name = config.environment
        raise NotDeployedError(
            f"{name} is not deployed; `{COMMAND} init {name}` or `pulumi up -s {name}` deploys it"
        )
    identities = {identity.name: identity for identity in config.identities}
    settings = {
        name: planned.settings(identities[name], key.access_key if key else None) for name, key in known.items()
    }
    return Stack(settings, None, {name: key.info for name, key in known.items() if key}, by_init=True)


def _keys(planned: Plan, manager: IdentityManager) -> Iterator[tuple[str, StoredKey | None]]:
    """Yield the identities that the store has, with the primary access key of each if a file here holds it."""
    for identity in planned.config.identities:
        if planned.config.has_external_keys:
            yield identity.name, _external(planned, manager, identity)
        elif manager.read_identity(planned.store, planned.name(identity)) is not None:
            yield identity.name, _stored(planned, manager, identity)


def _external(planned: Plan, manager: IdentityManager, identity: Identity) -> StoredKey:
    """Return the externally managed access key, which is not created by this."""
    main, slot = _file(planned, identity), planned.config.slots_of(identity.name).current
    stored = files.access_key_in(main, slot)
    info = KeyInfo(slot, stored.info.created if stored else None)
    return StoredKey(main, manager.create_key(planned.store, identity.name), info)


def _stored(planned: Plan, manager: IdentityManager, identity: Identity) -> StoredKey | None:
    """Return the access key in the env file of an identity, or in that of its slot, if the store accepts it."""
    main = _file(planned, identity)
    stored = files.access_key_in(main, planned.config.slots_of(identity.name).current)
    if stored is None or (stored.file != main and files.access_key(main)):
        return None  # the env file holds the key of the other slot: `init` takes that step of a rotation
    if stored.access_key.access_key_id not in manager.access_keys(planned.store, planned.name(identity)):
        return None
    return stored if is_accepted(planned.store, stored.access_key) else None


def _file(planned: Plan, identity: Identity) -> Path:
    return files.path(planned.config.environment, identity.name)
