"""What `python -m infra down --delete` would delete, and which buckets it would keep. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from core.storage import get_s3_client
from infra.config.environment import EnvironmentConfig
from infra.env import files
from infra.local.engine import Engine
from infra.plan import Plan
from infra.stores import contents, origin
from infra.stores.contents import Contents
from infra.targets.registry import TARGETS

#: The end of the type of a bucket in a state, see `infra.resources.bucket`.
_BUCKET = "dynamic/storage:Bucket"


@dataclass(frozen=True)
class Deletion:
    """The buckets of an environment, by name."""

    #: Created by the environment, with their contents; None: these could not be counted.
    deleted: Mapping[str, Contents | None]
    #: Created before the environment, with the sentence to show.
    kept: Mapping[str, str]


def look(config: EnvironmentConfig, plan: Plan | None, pulumi: Engine | None) -> Deletion:
    """Count the contents of the environment's buckets.

    Args:
        config: the environment.
        plan: its plan on a store; None on a cloud target.
        pulumi: the engine, if there is one.

    Raises:
        InfraError: the store or Pulumi's backend does not respond, or refuses.
    """
    if plan is None:  # on a cloud target, `adopt` excludes `disposable`: the environment created its buckets
        return Deletion(_in_cloud(config), {})
    in_state = _in_state(pulumi, config.environment)
    configured = [bucket.name for bucket in (config.bucket_in, config.bucket_out) if bucket.name]
    deleted: dict[str, Contents | None] = {}
    kept: dict[str, str] = {}
    for name in dict.fromkeys([*configured, *in_state]):
        counted = contents.count(plan.store, name)
        if counted is None:
            continue
        if in_state.get(name) or origin.is_created_by(plan.store, name, config.environment):
            deleted[name] = counted
        else:
            kept[name] = origin.kept(name, counted, is_known=in_state.get(name) is not None)
    return Deletion(deleted, kept)


def sentences(config: EnvironmentConfig, planned: Deletion) -> Iterator[str]:
    """Return the lines to show before the deletion."""
    yield f"this is deleted permanently from environment {config.environment}:"
    for name, counted in planned.deleted.items():
        yield f"  bucket {name}: {'its objects could not be counted' if counted is None else counted}"
    if TARGETS[config.target].is_cloud and not planned.deleted:
        yield "  its buckets: their objects could not be counted, because there is no env file"
    keys = "" if config.credentials == "static" else "access keys and "
    yield f"  the {keys}env files of {', '.join(config.names)}"
    yield from planned.kept.values()


def _in_state(pulumi: Engine | None, environment: str) -> dict[str, bool | None]:
    """Return the buckets in the state, with whether the environment created them; None: that is not recorded."""
    if pulumi is None or pulumi.deployed(environment) is None:
        return {}
    resources = pulumi.resources(environment)
    outputs = [resource["outputs"] for resource in resources if resource["type"].endswith(_BUCKET)]
    return {output["name"]: output.get("created") for output in outputs}


def _in_cloud(config: EnvironmentConfig) -> dict[str, Contents | None]:
    """Count the contents of the buckets in the env files, each with an access key that may list it."""
    counted: dict[str, Contents | None] = {}
    for identity in config.names:
        file = files.path(config.environment, identity)
        if not file.exists():
            continue
        settings = files.load(file, config.environment)
        for bucket in (settings.bucket_in, settings.bucket_out):
            if bucket is None or counted.get(bucket):
                continue
            try:
                counted[bucket] = contents.count_with(get_s3_client(settings), bucket)
            except (ClientError, BotoCoreError):
                counted[bucket] = None
    return counted
