"""The Pulumi program: configuration -> target -> stack outputs -> env files."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pulumi

from core.storage import StorageError
from core.storage.settings import Settings, variables
from infra import config, targets
from infra.env import files
from infra.errors import InfraError


def main() -> None:
    """Define the environment that is the current stack. A mistake ends it with a sentence, not a traceback."""
    # The engine interrupts the program when an update fails or is cancelled, and has said why by then; Python's
    # own answer would be a traceback through Pulumi's event loop.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        _define(pulumi.get_stack())
    except (InfraError, StorageError) as error:
        raise pulumi.RunError(str(error)) from error


def _define(environment: str) -> None:
    values = config.from_engine(pulumi.runtime.config.CONFIG.get())
    wanted = config.parse(environment, values, str(config.stack_file(environment)))
    files.require_writable(files.path(environment, identity) for identity in wanted.names)
    for identity, access in targets.provision(wanted, values).items():
        _export(identity, access)
        if not pulumi.runtime.is_dry_run():
            _write_env_file(environment, identity, _settings(access))


def _settings(access: targets.Access) -> pulumi.Output[Settings]:
    """The complete settings, known once everything they need is ready."""
    ready = pulumi.Output.all(*(resource.urn for resource in access.ready))
    later = pulumi.Output.all(**access.later)
    return pulumi.Output.all(later, ready).apply(lambda found: replace(access.settings, **found[0]))


def _write_env_file(environment: str, identity: str, settings: pulumi.Output[Settings]) -> None:
    """Write it on every update, also on one that changes nothing: this machine may have none yet."""

    def write(complete: Settings) -> None:
        files.write(files.path(environment, identity), files.render(complete, environment, identity))

    settings.apply(write)


def _export(identity: str, access: targets.Access) -> None:
    """Every variable of the contract as a stack output: those of `app` by their names, others in a mapping."""
    outputs: dict[str, object] = dict(access.settings.to_env())
    for name, row in variables():
        if name in access.later:
            output: Any = access.later[name]
            secret = row.group == "keys"
            outputs |= dict.fromkeys(row.names, pulumi.Output.secret(output) if secret else output)
    if identity != "app":
        pulumi.export(identity, outputs)
        return
    for name, value in outputs.items():
        pulumi.export(name, value)
