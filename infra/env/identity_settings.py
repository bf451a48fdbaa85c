"""The settings of an identity, with what the output formats derive from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from core.storage.settings import Settings
from infra.config.environment import AddressingStyle


@dataclass(frozen=True)
class IdentitySettings:
    """The settings of one identity of an environment."""

    environment: str
    identity: str
    settings: Settings

    @property
    def label(self) -> str:
        """Return the name of its rclone remote, AWS profile or DuckDB secret."""
        return f"{self.environment}-{self.identity}"

    @property
    def has_access_key(self) -> bool:
        """Return whether it has an access key. Without one, every tool uses its own credential chain."""
        return self.settings.secret_access_key is not None

    @property
    def addressing(self) -> AddressingStyle:
        """Return the addressing style."""
        return self.settings.addressing_style or self.settings.dialect.addressing

    @property
    def netloc(self) -> str | None:
        """Return the endpoint without its scheme; None on AWS."""
        return urlsplit(self.settings.endpoint_url or "").netloc or None

    @property
    def scheme(self) -> Literal["http", "https"]:
        """Return the scheme of the endpoint."""
        return "http" if (self.settings.endpoint_url or "").startswith("http:") else "https"
