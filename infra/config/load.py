"""The configuration of an environment: what ``environments/Pulumi.<environment>.yaml`` says, typed and checked.

No Pulumi in here: the Pulumi program passes what the engine gives it (`from_engine`), and commands without the
engine read the same file themselves (`load_environment`). The program does both: they must say the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace

from infra.config import stack_files, stack_yaml
from infra.config.definitions import CONFIGURATION, SECRETS, attributes, setting_name
from infra.config.environment import BucketConfig, ConfigError, EnvironmentConfig
from infra.config.identities import APP
from infra.config.reader import Reader, shown
from infra.config.rules import check
from infra.config.secrets import Secrets
from infra.config.setting import List, Map, Section
from infra.config.stack_files import NAMESPACE
from infra.targets.registry import TARGETS

_ELSEWHERE = (
    "Pulumi has another value than this file, from --config-file, Pulumi ESC or Pulumi.yaml, which other commands "
    "do not read: write it into this file"
)


def load_environment(environment: str) -> EnvironmentConfig:
    """Return the configuration of an environment, read from its file without the Pulumi engine.

    Raises:
        ConfigError: there is no such environment, or its file is wrong.
    """
    return read(environment, stack_yaml.read(environment), str(stack_files.path(environment)))


def from_engine(environment: str, values: Mapping[str, str]) -> EnvironmentConfig:
    """Return the configuration that the engine passes to the program: text, with structures as JSON.

    Raises:
        ConfigError: it is wrong, or not what commands without the engine read from the file of the environment.
    """
    start, file = f"{NAMESPACE}:", stack_files.path(environment)
    written = load_environment(environment) if file.exists() else None
    own = {key.removeprefix(start): value for key, value in values.items() if key.startswith(start) and value}
    config = parse(environment, {name: _decoded(name, value) for name, value in own.items()}, str(file))
    compared = [field.name for field in fields(config) if field.compare]
    differing = [name for name in compared if written and getattr(written, name) != getattr(config, name)]
    if differing:
        raise ConfigError(str(file), [f"{setting_name(name)}: {_ELSEWHERE}" for name in differing])
    return config


def parse(environment: str, values: Mapping[str, object], source: str) -> EnvironmentConfig:
    """Return the configuration in `values`, whose keys are without the namespace.

    Raises:
        ConfigError: with every mistake at once.
    """
    return read(environment, Reader(values), source)


def read(environment: str, reader: Reader, source: str) -> EnvironmentConfig:
    """Return the configuration in the values of a reader, as `parse` does."""
    if not stack_files.NAME.fullmatch(environment):
        reader.note("environment", f"a name holds only letters, digits, - and _, got {environment}")
    values = CONFIGURATION.settings(reader)
    target = TARGETS.get(values.get("target", ""), TARGETS["s3-compatible"])
    credentials = values.setdefault("credentials", target.credentials[0])
    if credentials not in target.credentials:
        reader.note("credentials", f"must be one of {', '.join(target.credentials)}, got {shown(credentials)}")
        values["credentials"] = target.credentials[0]  # so that no other problem follows from this one
    buckets, trust = values.pop("buckets", {}), values.pop("trust", None)
    identities = values.pop("identities", ()) or (APP,)
    secrets = Secrets({name: values.pop(name) for name in SECRETS if name in values})
    config = EnvironmentConfig(
        **{"target": "", "region": target.region} | attributes(values),
        environment=environment,
        bucket_in=buckets.get("in", BucketConfig()),
        bucket_out=buckets.get("out", BucketConfig()),
        identities=tuple(replace(identity, trust=identity.trust or trust) for identity in identities),
        secrets=secrets,
    )
    check(reader, config)
    if reader.problems:
        raise ConfigError(source, reader.problems)
    return config


def _decoded(name: str, value: str) -> object:
    """Return a value of the engine as the file has it: structures decoded."""
    if isinstance(CONFIGURATION.keys.get(name), List | Map | Section):
        try:
            return json.loads(value)
        except ValueError:
            pass  # the definition says what is wrong with it
    return value
