"""Plain helpers of these tests."""

from __future__ import annotations

from typing import Any, TypeVar

from pulumi.dynamic import Config, ConfigureRequest, ResourceProvider

Provider = TypeVar("Provider", bound=ResourceProvider)


def configured(provider: Provider, **secrets: str) -> Provider:
    """The provider as Pulumi's process hands it out, with these secrets in the stack configuration."""
    raw = {f"mpr-storage:{name}": value for name, value in secrets.items()}
    provider.configure(ConfigureRequest(Config(raw, "mpr-storage")))
    return provider


def over_grpc(value: Any) -> Any:
    """What arrives at the other end of Pulumi's gRPC: every number is a float, and all is a copy."""
    if isinstance(value, dict):
        return {key: over_grpc(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [over_grpc(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
