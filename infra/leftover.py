"""Name the buckets of an environment that stay behind: renamed in its configuration, or removed from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from infra import plan
from infra.command_name import COMMAND
from infra.config import stack_files, stack_yaml
from infra.config.environment import ConfigError, EnvironmentConfig
from infra.env import files
from infra.errors import InfraError
from infra.plan import Plan
from infra.stores import contents, leftover
from infra.targets.registry import TARGETS

#: The sentence for a store without bucket tags, such as Garage.
UNKNOWN = "this store has no bucket tags, so buckets that are no longer configured cannot be listed"


def find(plan: Plan) -> list[str] | None:
    """Return the buckets that the environment created and no environment configures; None if that is not known.

    Raises:
        InfraError: the store does not respond, or refuses.
    """
    return leftover.find(plan.store, plan.config.environment, configured(plan.config))


def sentences(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield each bucket that stays behind, with a sentence that says what it holds and what to do.

    Raises:
        InfraError: the store does not respond, or refuses.
    """
    for bucket in find(plan) or []:
        held = contents.count(plan.store, bucket)
        if held is not None:
            yield bucket, sentence(plan.config.environment, held)


def report_all(planned: Plan, report: Callable[[str], None]) -> None:
    """Report the buckets that stay behind, at the end of a command with another purpose.

    Reports nothing if the store does not respond or refuses.
    """
    with suppress(InfraError):
        for bucket, sentence in sentences(planned):
            report(f"bucket {bucket} {sentence}")


def report_of(config: EnvironmentConfig, report: Callable[[str], None]) -> None:
    """Do as `report_all` for an environment without a plan. In a cloud, no bucket has the tag: report nothing."""
    if TARGETS[config.target].is_cloud:
        return
    with suppress(InfraError):
        report_all(plan.for_comparison(config), report)


def sentence(environment: str, held: contents.Contents) -> str:
    """Return what to do about a bucket that stays behind."""
    is_empty = held == contents.Contents()
    what = "delete it" if is_empty else f"move what you need with `{COMMAND} copy`, then delete it"
    return (
        f"stays behind: environment {environment} created it and no longer names it. It holds {held}; {what} "
        "(docs/how-to/moving.md, Buckets that stay behind)"
    )


def configured(config: EnvironmentConfig) -> set[str]:
    """Return the names of the environment's buckets, and those that any other file in environments/ configures.

    A bucket may have moved from one environment to another.
    """
    own = (config.bucket_in.name, config.bucket_out.name)
    return {*(name for name in own if name), *configured_by_others(config)}


def configured_by_others(config: EnvironmentConfig) -> dict[str, str]:
    """Return the names of buckets that other environments use, with one such environment each.

    They are in a stack file, also in one that is wrong in other places, or in an env file.
    """
    names: dict[str, str] = {}
    for environment in set(stack_files.names()) - {config.environment}:
        names |= dict.fromkeys(_in_stack_file(environment), environment)
    return names | {
        bucket: environment for bucket, environment in files.buckets() if environment != config.environment
    }


def _in_stack_file(environment: str) -> list[str]:
    """Return the names of buckets in a stack file; of a text that is no YAML, what may be one."""
    try:
        buckets = stack_yaml.read(environment).values.get("buckets")
    except ConfigError:
        with suppress(OSError):
            return re.findall(r"[a-z0-9][a-z0-9.-]+", stack_files.path(environment).read_text(errors="replace"))
        return []
    roles = buckets.values() if isinstance(buckets, dict) else ()
    return [str(role["name"]) for role in roles if isinstance(role, dict) and role.get("name")]
