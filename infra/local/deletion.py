"""What `python -m infra down --delete` would delete, and which buckets it would keep. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from core.storage import get_s3_client
from infra.config import EnvironmentConfig
from infra.env import files
from infra.local.engine import Engine
from infra.plan import Plan
from infra.stores import contents, origin
from infra.stores.contents import Contents

#: The type of a bucket in a state, see `infra.resources.bucket`.
_BUCKET = "dynamic/storage:Bucket"


@dataclass(frozen=True)
class Deletion:
    """The buckets of an environment by name, each with what it holds."""

    #: Created by the environment. None: the content could not be counted.
    deleted: Mapping[str, Contents | None]
    #: The sentence about each bucket that existed before.
    kept: Mapping[str, str]


def look(config: EnvironmentConfig, made: Plan | None, found: Engine | None) -> Deletion:
    """Count what the buckets of the environment hold.

    Args:
        config: the environment.
        made: its plan on a store; None in a cloud.
        found: the engine, if there is one.

    Raises:
        InfraError: the store or Pulumi's backend does not answer, or refuses.
    """
    if made is None:  # in a cloud `adopt` excludes `disposable`, so no bucket is one that existed before
        return Deletion(_in_cloud(config), {})
    store = made.store
    in_state = _in_state(found, config.environment)
    configured = [bucket.name for bucket in (config.bucket_in, config.bucket_out) if bucket.name]
    deleted: dict[str, Contents | None] = {}
    kept: dict[str, str] = {}
    for name in dict.fromkeys([*configured, *in_state]):
        held = contents.count(store, name)
        if held is None:
            continue
        if in_state.get(name) or origin.is_created_by(store, name, config.environment):
            deleted[name] = held
        else:
            kept[name] = origin.kept(name, held, is_known=in_state.get(name) is not None)
    return Deletion(deleted, kept)


def sentences(config: EnvironmentConfig, planned: Deletion) -> Iterator[str]:
    """Return the lines to show before the deletion."""
    yield f"of environment {config.environment}, this is deleted for good:"
    for name, held in planned.deleted.items():
        yield f"  bucket {name}: {'what it holds could not be counted' if held is None else held}"
    if config.in_cloud and not planned.deleted:
        yield "  its buckets: what they hold could not be counted, because there is no env file"
    identities = ", ".join(config.names)
    if config.credentials == "static":
        yield f"  the env files of {identities}"
    else:
        yield f"  the access keys and env files of {identities}"
    yield from planned.kept.values()


def _in_state(found: Engine | None, environment: str) -> dict[str, bool | None]:
    """The buckets in the state of the stack, and whether the environment created them; None: not recorded."""
    if found is None or found.deployed(environment) is None:
        return {}
    resources = found.resources(environment)
    outputs = [resource["outputs"] for resource in resources if resource["type"].endswith(_BUCKET)]
    return {output["name"]: output.get("created") for output in outputs}


def _in_cloud(config: EnvironmentConfig) -> dict[str, Contents | None]:
    """Count each bucket that an env file names, with the access key of a file that may list it."""
    counted: dict[str, Contents | None] = {}
    for identity in config.names:
        settings = files.read(files.path(config.environment, identity))
        for bucket in (settings.bucket_in, settings.bucket_out) if settings else ():
            if bucket is None or counted.get(bucket):
                continue
            try:
                counted[bucket] = contents.count_with(get_s3_client(settings), bucket)
            except (ClientError, BotoCoreError):
                counted[bucket] = None
    return counted
