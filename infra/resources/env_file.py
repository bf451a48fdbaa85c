"""The env file resource: it takes the file away when the environment is destroyed.

The program writes the file itself, on every real update, so that a machine that has none gets one although
nothing changed. A `pulumi destroy` runs no program; this resource is what it finds in the state. It holds the
path and a digest, no secret.
"""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.resources.provider import Props, difference, differing


class EnvFileProvider(ResourceProvider):
    """Removes the file on delete."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Another path is another file."""
        return difference(differing(olds, news, "digest"), differing(olds, news, "path"))

    def create(self, props: Props) -> CreateResult:
        """Nothing: the program has written it."""
        return CreateResult(props["path"], props)

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Nothing: the program has written it."""
        return UpdateResult(news)

    def delete(self, _id: str, props: Props) -> None:
        """Remove the file, unless somebody edited it."""
        from infra.env import files  # noqa: PLC0415  # only a delete needs it

        files.remove(Path(props["path"]))


class EnvFile(Resource, module="storage", name="EnvFile"):
    """The env file of one identity."""

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(EnvFileProvider(), name, props, opts)
