"""What the dynamic providers share: the stack's secrets, and the store that a resource lives on.

A provider runs in a process of its own, which serves all resources of a stack. It gets the decrypted stack
configuration once, in `configure`, so that no admin key becomes part of a resource and so of the state.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import ConfigureRequest, DiffResult, ResourceProvider

if TYPE_CHECKING:
    from infra.stores.keys import Credentials
    from infra.stores.store import Store

_SECRETS = ("adminAccessKeyId", "adminSecretAccessKey", "keys")

Props = dict[str, Any]


class StoreProvider(ResourceProvider):
    """A provider of something that lives on a store; its resources have `endpoint` and `region`."""

    # What is pickled is the name of the class: nothing secret, and the same for ever.
    serialize_as_secret_always = False

    values: Mapping[str, object]

    def configure(self, req: ConfigureRequest) -> None:
        """Keep the stack's secrets for this process."""
        self.values = {name: value for name in _SECRETS if (value := req.config.get(name))}
        _show_sentences()

    def store(self, props: Props) -> Store:
        """The store that a resource with these properties lives on."""
        from infra.connection import connect  # noqa: PLC0415  # boto3 only once something is to be done

        return connect(props["endpoint"], props["region"], self.values)

    def maker(self, props: Props) -> Credentials:
        """How this resource's identity and keys are made."""
        from infra.connection import given_keys  # noqa: PLC0415
        from infra.stores.keys import credentials  # noqa: PLC0415

        return credentials(props["credentials"], given_keys(self.values))


def _show_sentences() -> None:
    """Have Pulumi's provider process show our errors as their sentence.

    It answers every exception with its whole traceback, and offers no way to say less.
    """
    process = sys.modules["__main__"]
    if getattr(process, "traceback", None) is traceback:
        process.traceback = SimpleNamespace(format_exc=_format_error)  # type: ignore[attr-defined]  # `python -m`


def _format_error() -> str:
    from infra.errors import InfraError  # noqa: PLC0415  # only a failure needs it

    error = sys.exception()
    return str(error) if isinstance(error, InfraError) else traceback.format_exc()


def say(sentence: str) -> None:
    """Show a sentence in the output of `pulumi`: the engine shows what a provider writes to stderr."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201  # `pulumi.log` has no engine in this process


def difference(changed: list[str], replaces: list[str]) -> DiffResult:
    """What an update would do: change these in place, or replace for those (the new one is made first)."""
    return DiffResult(changes=bool(changed or replaces), replaces=replaces, delete_before_replace=False)


def differing(olds: Props, news: Props, *names: str) -> list[str]:
    """Which of the named properties differ."""
    return [name for name in names if olds.get(name) != news.get(name)]
