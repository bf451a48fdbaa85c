"""The env file resource of cloud targets: removes the env file when its access key is deleted.

The program itself writes the file, on every update. On target `s3-compatible`, the access key resource removes it.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.resources.provider import Props, difference, differing


class EnvFileProvider(ResourceProvider):
    """Removes the env files of an identity that hold a deleted access key, or the ARN of a deleted role.

    The property `file` is the identity's env file, and `holds` is the digest of the access key ID or of the ARN: a
    file that holds another one, for example of a target that the environment had before, stays.
    """

    # Only the name of the class is pickled, which is no secret and never changes.
    serialize_as_secret_always = False

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Return the differences, which are all updates."""
        return difference(differing(olds, news, "file", "holds"), [])

    def create(self, props: Props) -> CreateResult:
        """Record what the env file holds."""
        return CreateResult(props["file"], props)

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Record what the env file holds now."""
        return UpdateResult(news)

    def delete(self, _id: str, props: Props) -> None:
        """Remove the env file, unless it holds another access key or was edited."""
        from infra.env import files  # noqa: PLC0415  # a diff does not need it

        for file in files.all_of(Path(props["file"])):
            credential = files.credential(file)
            if credential and digest(credential) == props["holds"]:
                files.remove(file)


def digest(credential: str) -> str:
    """Return the digest of an access key ID or a role's ARN, which the state may hold in plain text."""
    return sha256(credential.encode()).hexdigest()


class EnvFile(Resource, module="storage", name="EnvFile"):
    """An env file of an identity in a cloud."""

    def __init__(
        self, name: str, file: Path, credential: pulumi.Output[str], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__(EnvFileProvider(), name, {"file": str(file), "holds": credential.apply(digest)}, opts)
