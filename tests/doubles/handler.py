"""The protocol of the doubles: what one resource type of a provider does, on plain dictionaries.

A double is a `Double`: its package, how it connects, and a handler for each resource type that the programs
use. The same handlers stand behind the gRPC server that Pulumi's engine talks to (`provider.py`) and behind
Pulumi's mocks (`mocks.py`). Keys are the wire's, camelCase. During a preview inputs may hold `UNKNOWN`, at any
depth; only `check` ever sees it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

Props = dict[str, Any]


class Unknown:
    """A value that is known only after the update."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class Refused(Exception):  # noqa: N818  # it is not always an error
    """What the provider says, in the words of the real provider. From `check`, `path` is what it is about."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class Unfinished(Refused):
    """A resource exists, but not as it was asked for: the state keeps it, and the update fails."""

    def __init__(self, message: str, identifier: str, outputs: Props) -> None:
        super().__init__(message)
        self.identifier = identifier
        self.outputs = outputs


class Handler:
    """One resource type. Subclasses override what they need."""

    token: ClassVar[str]
    #: Inputs whose change replaces the resource.
    replaces: ClassVar[frozenset[str]] = frozenset()
    #: Outputs that the real provider marks secret.
    secrets: ClassVar[frozenset[str]] = frozenset()
    #: Inputs that the provider itself fills in where they are left out: no difference then.
    computed: ClassVar[frozenset[str]] = frozenset()
    #: The input that autonaming fills in. A resource whose name was given is deleted before it is replaced.
    named: ClassVar[str | None] = None

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud

    def check(self, name: str, inputs: Props) -> Props:
        """The inputs with defaults and a generated name; `name` is the logical name."""
        del name
        return inputs

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Its id and its outputs, which include the inputs."""
        raise NotImplementedError

    def read(self, identifier: str, outputs: Props) -> Props | None:
        """The outputs as they really are; None: it is gone. An import reads too, with no outputs."""
        raise NotImplementedError

    def update(self, identifier: str, olds: Props, news: Props) -> Props:
        """The outputs after the change from the outputs `olds` to the inputs `news`."""
        raise NotImplementedError

    def delete(self, identifier: str, outputs: Props) -> None:
        raise NotImplementedError

    def own_id(self, given: str) -> str:
        """The id that a resource has, from the one that an import finds it by."""
        return given

    def normal(self, properties: Props) -> Props:
        """The properties in a form in which equal ones are the same: documents parsed, sets in order."""
        return properties


class Function:
    """A function of the provider, such as a lookup."""

    token: ClassVar[str]

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud

    def call(self, args: Props) -> Props:
        raise NotImplementedError


@dataclass(frozen=True)
class Double:
    """The double of one provider."""

    #: Name of the package: `aws`.
    package: str
    #: From the provider's configuration (camelCase, all text, structures as JSON) to the object that the
    #: handlers get. Refuses what the real provider refuses when it is configured.
    connect: Callable[[Mapping[str, str]], Any]
    handlers: tuple[type[Handler], ...]
    functions: tuple[type[Function], ...] = ()
    #: Configuration whose change replaces everything.
    replaces: frozenset[str] = frozenset()


def autoname(name: str, digits: int = 7) -> str:
    """A name as Pulumi generates it from a logical name."""
    return f"{name}-{secrets.token_hex(digits)[:digits]}"
