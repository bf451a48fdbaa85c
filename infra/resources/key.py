"""The key resource: one slot of an identity's two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from infra.resources.provider import Props, StoreProvider, difference, differing

if TYPE_CHECKING:
    from infra.stores.store import Keys

_SECRETS = ["accessKeyId", "secretAccessKey"]


class KeyProvider(StoreProvider):
    """Creates, adopts, reads and deletes an access key, see `infra.stores.keys`."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """A key belongs to one identity and slot; where it is used is changed in place."""
        changed = differing(olds, news, "endpoint", "region", "disposable", "envFile")
        given = self._given(news)
        if given and differing(olds, _outputs(given), *_SECRETS):
            changed.append("keys")
        return difference(changed, differing(olds, news, "identity", "slot", "credentials"))

    def create(self, props: Props) -> CreateResult:
        """Make a key, or adopt the one in the env file if the store still takes it."""
        return CreateResult(f"{props['identity']}/{props['slot']}", self._ensure(props, _in_env_file(props)))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Whether the key is still there. Its secret cannot be read again."""
        there = self.maker(props).key_ids(self.store(props), props["identity"])
        return ReadResult(id_, props, None) if props["accessKeyId"] in there else ReadResult(None, {})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Keep the key, unless the store at a new endpoint does not know it."""
        from infra.stores.store import Keys  # noqa: PLC0415  # only once something is to be done

        return UpdateResult(self._ensure(news, Keys(olds["accessKeyId"], olds["secretAccessKey"])))

    def delete(self, _id: str, props: Props) -> None:
        """Delete the key, which stops working at once, and the env file if this is the key that it holds."""
        self.maker(props).delete_key(self.store(props), props["identity"], props["accessKeyId"])
        held = _in_env_file(props)
        if held and held.access_key_id == props["accessKeyId"]:
            from infra.env import files  # noqa: PLC0415  # as above

            files.remove(Path(props["envFile"]))

    def _ensure(self, props: Props, known: Keys | None) -> Props:
        from infra.stores.keys import ensure_key  # noqa: PLC0415  # boto3 only once something is to be done

        store, maker = self.store(props), self.maker(props)
        keys, _ = ensure_key(maker, store, props["identity"], known, disposable=props["disposable"])
        return props | _outputs(keys)

    def _given(self, props: Props) -> Keys | None:
        """The key that somebody else made for this identity, if that is how its keys are made."""
        if props["credentials"] != "static":
            return None
        return self.maker(props).create_key(self.store(props), props["identity"])


def _in_env_file(props: Props) -> Keys | None:
    from infra.env import files  # noqa: PLC0415  # as above

    return files.keys(Path(props["envFile"]))


def _outputs(keys: Keys) -> Props:
    return dict(zip(_SECRETS, (keys.access_key_id, keys.secret_access_key), strict=True))


class Key(Resource, module="storage", name="Key"):
    """An access key of an identity. Id and secret are secret outputs, encrypted in the state."""

    accessKeyId: pulumi.Output[str]  # noqa: N815  # Pulumi fills outputs in by these names
    secretAccessKey: pulumi.Output[str]  # noqa: N815

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=_SECRETS)
        outputs = dict.fromkeys(_SECRETS)
        super().__init__(KeyProvider(), name, outputs | props, pulumi.ResourceOptions.merge(secret, opts))
