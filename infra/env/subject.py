"""What is put into a format: one identity of one environment, with its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from core.storage.settings import Settings


@dataclass(frozen=True)
class Subject:
    """One identity of one environment, with its settings."""

    environment: str
    identity: str
    settings: Settings

    @property
    def label(self) -> str:
        """What a remote, a profile or a secret of it is called."""
        return f"{self.environment}-{self.identity}"

    @property
    def has_keys(self) -> bool:
        """Whether it holds a secret. Without one, every tool looks for credentials by its own chain."""
        return self.settings.secret_access_key is not None

    @property
    def addressing(self) -> Literal["path", "virtual"]:
        """Where the bucket stands in a URL."""
        return self.settings.addressing_style or self.settings.dialect.addressing

    @property
    def host(self) -> str | None:
        """The host name of the endpoint; None on AWS."""
        return urlsplit(self.settings.endpoint_url or "").hostname

    @property
    def netloc(self) -> str | None:
        """The endpoint without its scheme; None on AWS."""
        return urlsplit(self.settings.endpoint_url or "").netloc or None

    @property
    def scheme(self) -> Literal["http", "https"]:
        """How the endpoint is spoken to."""
        return "http" if (self.settings.endpoint_url or "").startswith("http:") else "https"
