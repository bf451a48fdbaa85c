"""The conditions of rotation steps: the new access key passes the access check, the old one is no longer used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from infra import timestamps
from infra.aws_clients import aws_client
from infra.check.command import described
from infra.check.runner import run
from infra.config.environment import EnvironmentConfig
from infra.config.slots import Step
from infra.env import files
from infra.errors import InfraError
from infra.stores.access_key import AccessKey
from infra.targets.registry import TARGETS

#: Prints a sentence about what happens.
Say = Callable[[str], None]


def check_before(step: Step, config: EnvironmentConfig, names: list[str], soak: timedelta, say: Say) -> None:
    """Check the condition of a step that is about to be taken.

    Raises:
        InfraError: it does not hold.
    """
    if step == "switch":
        check_secondary_keys(config, names, new=True)
    if step not in {"retire", "finish"}:
        return
    for name in names:
        slots = config.slots_of(name)
        old = files.access_key_in(files.path(config.environment, name), slots.other)
        used = last_used(config, old.access_key) if old else None
        if step == "finish":
            _require_unused(config, name, used, soak)
        elif used and used > (slots.since or used):
            say(
                f"{name}: a program still uses the old key; it did at {timestamps.to_text(used)}, after the switch"
            )


def check_secondary_keys(config: EnvironmentConfig, names: list[str], *, new: bool) -> None:
    """Run the access check with the secondary access keys: new ones, or old ones that were activated again.

    Raises:
        InfraError: an identity has other permissions than it must have.
    """
    key = "the new key" if new else "the old key, which is active again,"
    consequence = (
        ", so nothing was switched: the env file holds the old one. Repair that and run this again, or undo the "
        "rotation with --abort"
        if new
        else "; run this without --abort to deactivate it, then repair that"
    )
    env_files = {
        name: files.slot_file(files.path(config.environment, name), config.slots_of(name).other) for name in names
    }
    try:
        findings = list(run(config, env_files))
    except InfraError as error:
        error.args = (f"{key} could not be checked ({error}){consequence}",)
        raise
    if failed := [finding for finding in findings if finding.failed]:
        raise InfraError(f"{key} failed the access check ({described(failed)}){consequence}")


def _require_unused(config: EnvironmentConfig, name: str, used: datetime | None, soak: timedelta) -> None:
    """Refuse to delete an access key that was used, or if that is unknown, replaced within `soak`."""
    now = datetime.now(UTC)
    hours = f"{soak.total_seconds() / 3600:g} hours"
    if used and now - used < soak:
        raise InfraError(
            f"the old key of {name} was used at {timestamps.to_text(used)}: find the program that uses it, and "
            f"finish when it was not used for {hours}, or at once with `--soak 0`"
        )
    since = config.slots_of(name).since
    if not used and since and now - since < soak:
        raise InfraError(
            f"the old key of {name} may still be in use: finish from {timestamps.to_text(since + soak)} on, "
            f"{hours} after the last step, or at once with `--soak 0`"
        )


def last_used(config: EnvironmentConfig, access_key: AccessKey) -> datetime | None:
    """Return when AWS last saw the access key, to within minutes; None if it was not used, or that is unknown.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
    """
    if not TARGETS[config.target].has_aws_iam:
        return None
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        iam = aws_client("iam", config.region)
        response = iam.get_access_key_last_used(AccessKeyId=access_key.access_key_id)
    except (BotoCoreError, ClientError):
        return None  # a rotation does not need this permission: without it, the time since the last step counts
    used = response["AccessKeyLastUsed"].get("LastUsedDate")
    return used.astimezone(UTC) if used else None
