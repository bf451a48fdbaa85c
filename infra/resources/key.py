"""The access key resource: the access key in one of an identity's two slots."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from infra import timestamps
from infra.resources.provider import Props, StoreProvider, difference, differing, has_external_keys
from infra.stores.access_key import AccessKey

_SECRETS = ["accessKeyId", "secretAccessKey"]


class KeyProvider(StoreProvider):
    """Creates, adopts, reads, updates and deletes an access key, see `infra.stores.keys`."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Return the differences: another identity or slot replaces the access key, everything else is updated."""
        # Not `beside`, which is only used when the access key is created.
        changed = differing(olds, news, "endpoint", "region", "disposable", "envFile", "active")
        if has_external_keys(news):
            external = self.manager(news).create_key(self.store(news), news["identity"])
            if differing(olds, _outputs(external), *_SECRETS):
                changed.append("keys")
        return difference(changed, differing(olds, news, "identity", "slot", "credentials"))

    def create(self, props: Props) -> CreateResult:
        """Create an access key, or adopt the one in an env file if the store still accepts it."""
        from infra.env import files  # noqa: PLC0415  # a diff does not need it

        stored = files.access_key_in(Path(props["envFile"]), props["slot"])
        created = timestamps.to_text(stored.info.created) if stored and stored.info.created else None
        outputs = self._ensure(props, stored.access_key if stored else None, created)
        return CreateResult(f"{props['identity']}/{props['slot']}", outputs)

    def read(self, id_: str, props: Props) -> ReadResult:
        """Return the access key, if it exists, with whether it is active. Its secret cannot be read again."""
        manager, store = self.manager(props), self.store(props)
        active = manager.access_keys(store, props["identity"]).get(props["accessKeyId"])
        if active is None:
            return ReadResult(None, {})
        return ReadResult(id_, props | {"active": active}, None)

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Keep the access key, unless the store at a new endpoint does not have it."""
        known = AccessKey(olds["accessKeyId"], olds["secretAccessKey"])
        return UpdateResult(self._ensure(news, known, olds.get("made")))

    def delete(self, _id: str, props: Props) -> None:
        """Delete the access key, and the env file that holds it."""
        from infra.env import files  # noqa: PLC0415  # a diff does not need it

        self.manager(props).delete_key(self.store(props), props["identity"], props["accessKeyId"])
        stored = files.access_key_in(Path(props["envFile"]), props["slot"])
        if stored and stored.access_key.access_key_id == props["accessKeyId"]:
            files.remove(stored.file)

    def _ensure(self, props: Props, known: AccessKey | None, created: str | None) -> Props:
        from infra.stores.keys import SlotState, ensure_key  # noqa: PLC0415  # imports core.storage

        slot = SlotState(
            active=props.get("active", True), other_key_id=props.get("beside"), disposable=props["disposable"]
        )
        if not slot.other_key_id:  # the slot that is created first
            slot = replace(slot, other_key_id=_other_key_id(props))
        key, is_new = ensure_key(self.manager(props), self.store(props), props["identity"], known, slot)
        if is_new and not has_external_keys(props):
            created = timestamps.to_text(datetime.now(UTC))
        return props | _outputs(key) | {"made": created}


def _other_key_id(props: Props) -> str | None:
    """Return the ID of the access key of the other slot, if an env file has it."""
    from infra.env import files  # noqa: PLC0415  # a diff does not need it

    stored = files.access_key_in(Path(props["envFile"]), "a" if props["slot"] == "b" else "b")
    return stored.access_key.access_key_id if stored else None


def _outputs(key: AccessKey) -> Props:
    return {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key}


class Key(Resource, module="storage", name="Key"):
    """An access key of an identity. Its ID and secret are secret outputs, encrypted in the state."""

    accessKeyId: pulumi.Output[str]  # noqa: N815  # the names of the outputs
    secretAccessKey: pulumi.Output[str]  # noqa: N815
    made: pulumi.Output[str | None]

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=_SECRETS)
        outputs = dict.fromkeys([*_SECRETS, "made"])
        super().__init__(KeyProvider(), name, outputs | props, pulumi.ResourceOptions.merge(secret, opts))
