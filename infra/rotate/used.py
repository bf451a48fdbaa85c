"""When a key was last used, where the cloud can tell."""

from __future__ import annotations

from datetime import UTC, datetime

from infra.config import EnvironmentConfig


def last_used(config: EnvironmentConfig, access_key_id: str) -> datetime | None:
    """When AWS last saw the key, to within minutes; None where nobody can tell, or it was never used.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
    """
    if config.target != "aws":
        return None
    import boto3  # noqa: PLC0415  # only this asks AWS anything
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        iam = boto3.session.Session().client("iam", region_name=config.region)
        found = iam.get_access_key_last_used(AccessKeyId=access_key_id)["AccessKeyLastUsed"]
    except (BotoCoreError, ClientError):
        return None  # whoever rotates need not be allowed to ask: then time alone decides
    when = found.get("LastUsedDate")
    return when.astimezone(UTC) if when else None
