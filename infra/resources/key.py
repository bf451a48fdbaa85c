"""The key resource: one slot of an identity's two."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from infra import moments
from infra.resources.provider import Props, StoreProvider, difference, differing

if TYPE_CHECKING:
    from infra.env.files import Held
    from infra.stores.store import Keys

_SECRETS = ["accessKeyId", "secretAccessKey"]


class KeyProvider(StoreProvider):
    """Creates, adopts, reads and deletes an access key, see `infra.stores.keys`."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """A key belongs to one identity and slot; where it is used is changed in place."""
        # `beside` only matters while the key is made.
        changed = differing(olds, news, "endpoint", "region", "disposable", "envFile", "active")
        given = self._given(news)
        if given and differing(olds, _outputs(given), *_SECRETS):
            changed.append("keys")
        return difference(changed, differing(olds, news, "identity", "slot", "credentials"))

    def create(self, props: Props) -> CreateResult:
        """Make a key, or adopt the one in an env file if the store still takes it."""
        held = _held(props)
        made = moments.written(held.note.made) if held and held.note.made else None
        return CreateResult(f"{props['identity']}/{props['slot']}", self._ensure(props, held and held.keys, made))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Whether the key is still there. Its secret cannot be read again."""
        maker, store = self.maker(props), self.store(props)
        if props["accessKeyId"] not in maker.key_ids(store, props["identity"]):
            return ReadResult(None, {})
        active = maker.is_active(store, props["identity"], props["accessKeyId"])
        return ReadResult(id_, props | {"active": active}, None)

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Keep the key, unless the store at a new endpoint does not know it."""
        from infra.stores.store import Keys  # noqa: PLC0415  # only once something is to be done

        known = Keys(olds["accessKeyId"], olds["secretAccessKey"])
        return UpdateResult(self._ensure(news, known, olds.get("made")))

    def delete(self, _id: str, props: Props) -> None:
        """Delete the key, which stops working at once, and the env file that holds it."""
        self.maker(props).delete_key(self.store(props), props["identity"], props["accessKeyId"])
        held = _held(props)
        if held and held.keys.access_key_id == props["accessKeyId"]:
            from infra.env import files  # noqa: PLC0415  # as below

            files.remove(held.file)

    def _ensure(self, props: Props, known: Keys | None, made: str | None) -> Props:
        from infra.stores.keys import Place, ensure_key  # noqa: PLC0415  # boto3 only once something is to be done

        place = Place(active=props.get("active", True), beside=props.get("beside"), disposable=props["disposable"])
        keys, new = ensure_key(self.maker(props), self.store(props), props["identity"], known, place)
        if new and props["credentials"] != "static":
            made = moments.written(datetime.now(UTC))
        return props | _outputs(keys) | {"made": made}

    def _given(self, props: Props) -> Keys | None:
        """The key that somebody else made for this identity, if that is how its keys are made."""
        if props["credentials"] != "static":
            return None
        return self.maker(props).create_key(self.store(props), props["identity"])


def _held(props: Props) -> Held | None:
    """The key of this slot, from the env file that holds it."""
    from infra.env import files  # noqa: PLC0415  # boto3 only once something is to be done

    return files.held(Path(props["envFile"]), props["slot"])


def _outputs(keys: Keys) -> Props:
    return dict(zip(_SECRETS, (keys.access_key_id, keys.secret_access_key), strict=True))


class Key(Resource, module="storage", name="Key"):
    """An access key of an identity. Id and secret are secret outputs, encrypted in the state."""

    accessKeyId: pulumi.Output[str]  # noqa: N815  # Pulumi fills outputs in by these names
    secretAccessKey: pulumi.Output[str]  # noqa: N815
    made: pulumi.Output[str | None]

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=_SECRETS)
        outputs = dict.fromkeys([*_SECRETS, "made"])
        super().__init__(KeyProvider(), name, outputs | props, pulumi.ResourceOptions.merge(secret, opts))
