"""An access key of the S3 API."""

from __future__ import annotations

from dataclasses import dataclass, field

#: The kind of credentials whose access keys are managed elsewhere: they are configured, and never changed.
EXTERNAL = "static"


@dataclass(frozen=True)
class AccessKey:
    """An access key ID with its secret access key."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    #: Only for temporary credentials.
    session_token: str | None = field(default=None, repr=False)

    @property
    def masked(self) -> str:
        """The last characters of the access key ID, for messages."""
        from core.storage._internal import mask  # noqa: PLC0415  # 30 ms, and only a message needs it

        return mask(self.access_key_id)
