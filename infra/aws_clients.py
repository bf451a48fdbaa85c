"""Clients of AWS APIs other than S3, with the time limits of the S3 client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.storage._internal import CONNECT_TIMEOUT, READ_TIMEOUT

if TYPE_CHECKING:
    from botocore.config import Config

#: The attempts of each request: a server that does not respond is reported after about a minute.
ATTEMPTS = 3


def limits(attempts: int = ATTEMPTS, **others: Any) -> Config:
    """Return the configuration of a client: the limits, and `others`."""
    from botocore.config import Config  # noqa: PLC0415  # 0.15 s that an update without a change does not need

    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": attempts},
        **others,
    )


def aws_client(service: str, region: str) -> Any:
    """Return a client of AWS with the credentials that boto3 finds.

    Raises:
        BotoCoreError: the configuration of AWS is wrong, such as a profile that does not exist.
    """
    import boto3  # noqa: PLC0415  # only AWS needs it

    return boto3.session.Session().client(service, region_name=region, config=limits())  # type: ignore[call-overload]
