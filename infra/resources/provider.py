"""What the dynamic providers share: the stack's secrets, and the store of a resource.

A provider runs in a process of its own, for all resources of a stack. It gets the decrypted stack configuration
once, in `configure`, so that no admin key becomes a property of one of these resources. Pulumi itself keeps that
configuration in the state, encrypted, as inputs of the default provider; keys from the environment are not in it.
"""

from __future__ import annotations

import sys
import traceback
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import ConfigureRequest, DiffResult, ResourceProvider

from infra.config.secrets import Secrets
from infra.errors import InfraError
from infra.stores.access_key import EXTERNAL

if TYPE_CHECKING:
    from infra.stores.keys import IdentityManager
    from infra.stores.store import Store

#: Those of `infra.config.definitions`, whose import takes time in each provider process; a test compares them.
_SECRETS = ("adminAccessKeyId", "adminSecretAccessKey", "keys")

Props = dict[str, Any]


class StoreProvider(ResourceProvider):
    """A provider of resources on a store, whose properties say how to connect to it."""

    # Only the name of the class is pickled, which is no secret and never changes.
    serialize_as_secret_always = False

    secrets: Secrets

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the stack's secrets for this process."""
        self.secrets = Secrets({name: value for name in _SECRETS if (value := req.config.get(name))})
        _show_sentences()

    def store(self, props: Props) -> Store:
        """Return the store of a resource with these properties."""
        from infra.connection import connect  # noqa: PLC0415  # imports core.storage, which a diff does not need

        return connect(props["endpoint"], props["region"], self.secrets, props.get("addressingStyle"))

    def manager(self, props: Props) -> IdentityManager:
        """Return the manager for the kind of credentials of a resource."""
        from infra.stores.keys import identity_manager  # noqa: PLC0415  # imports core.storage, which a diff does not need

        return identity_manager(props["credentials"], self.secrets.external())


def has_external_keys(props: Props) -> bool:
    """Return whether the access keys of a resource are managed elsewhere."""
    return bool(props["credentials"] == EXTERNAL)


def _show_sentences() -> None:
    """Make Pulumi's provider process show the errors of `infra` as their message.

    By default, it shows the traceback of every exception, and has no setting for that.
    """
    process = sys.modules["__main__"]
    if getattr(process, "traceback", None) is traceback:
        process.traceback = SimpleNamespace(format_exc=_format_error)  # type: ignore[attr-defined]  # `python -m`


def _format_error() -> str:
    error = sys.exception()
    return str(error) if isinstance(error, InfraError) else traceback.format_exc()


def say(sentence: str) -> None:
    """Show a sentence in the output of `pulumi`, which includes the stderr of a provider."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201  # `pulumi.log` has no engine in this process


def difference(changed: list[str], replaces: list[str]) -> DiffResult:
    """Return which properties an update changes, and which replace the resource: the new one is created first."""
    return DiffResult(changes=bool(changed or replaces), replaces=replaces, delete_before_replace=False)


def differing(olds: Props, news: Props, *names: str) -> list[str]:
    """Return which of the named properties differ."""
    return [name for name in names if olds.get(name) != news.get(name)]
