"""Temporary credentials for an identity that is a role without access keys."""

from __future__ import annotations

import secrets
from dataclasses import replace

from core.storage.settings import Settings
from infra.aws_clients import aws_client
from infra.errors import UsageError


def with_keys(settings: Settings, identity: str) -> Settings:
    """Return the settings, with temporary credentials if the identity is a role without access keys.

    A process that has the role already needs none. Otherwise the role is assumed, which its trust must allow.

    Raises:
        UsageError: there are no AWS credentials, or they may not assume the role.
    """
    if settings.role_arn is None or settings.access_key_id is not None:
        return settings
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        sts = aws_client("sts", settings.region)
        if _has_role(sts.get_caller_identity()["Arn"], settings.role_arn):
            return settings
        session = f"mpr-check-{secrets.token_hex(4)}"
        keys = sts.assume_role(RoleArn=settings.role_arn, RoleSessionName=session)["Credentials"]
    except (BotoCoreError, ClientError) as error:
        raise UsageError(
            f"{identity}: these credentials may not assume {settings.role_arn} ({error}); run the check "
            "where the role is in use, or add your own principal to its `trust`"
        ) from error
    return replace(
        settings,
        access_key_id=keys["AccessKeyId"],
        secret_access_key=keys["SecretAccessKey"],
        session_token=keys["SessionToken"],
    )


def _has_role(caller: str, role: str) -> bool:
    """Return whether a caller has the role: its ARN has the account and the name of the role, but no path."""
    parts, role_parts = caller.split(":"), role.split(":")
    name = role.rpartition("/")[2]
    return parts[4:5] == role_parts[4:5] and parts[-1].startswith(f"assumed-role/{name}/")
