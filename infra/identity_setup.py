"""One identity of a store with its access keys and env files: created, or only compared with what exists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from core.storage._internal import mask
from infra.command_name import COMMAND
from infra.config import stack_files
from infra.config.identities import Identity
from infra.config.slots import Slot, SlotKey
from infra.config.stack_files import short
from infra.env import files
from infra.env.files import StoredKey
from infra.env.key_info import KeyInfo
from infra.errors import UsageError
from infra.local import own_state
from infra.outcome import Outcome, Report
from infra.plan import Plan
from infra.policies import Policy
from infra.stores import minio
from infra.stores.access_key import AccessKey
from infra.stores.keys import (
    KeyChange,
    SlotState,
    apply_key,
    identity_manager,
    new_keys_deleted_on_failure,
    preview_identity,
    preview_key,
)
from infra.stores.store import Store

#: Begins the outcome of each change that a preview reports.
WOULD_BE = "would be "
#: By kind of credentials, creates an access key with a chosen ID and secret, and returns whether it is new. Other
#: stores generate them.
_PLACE_KEY: Mapping[str, Callable[[Store, str, AccessKey], bool]] = {"minio": minio.place_key}
_IS_PLACED: Mapping[str, Callable[[Store, str, AccessKey], bool]] = {"minio": minio.is_placed}


class IdentitySetup:
    """Creates one identity with its access keys and env files, or changes what differs."""

    would_be = ""

    def __init__(self, planned: Plan, identity: Identity, report: Report) -> None:
        self.plan, self.identity, self.report = planned, identity, report
        self.store, self.config = planned.store, planned.config
        self.name, self.slots = planned.name(identity), planned.config.slots_of(identity.name)
        self.env_file = files.path(self.config.environment, identity.name)
        external = self.config.secrets.external()
        self.manager = identity_manager(self.config.credentials, external)
        self.external = external.get(identity.name)
        self._new_keys = ExitStack()
        self._outcomes: list[Outcome] = []

    def run(self) -> None:
        """Create what is missing, and report it.

        Raises:
            InfraError: something failed; what was created before that stays, except an access key that is in no
                env file yet: it is deleted.
        """
        secondary = files.access_key_in(self.env_file, self.slots.other)
        unused = None if self.slots.rotating else secondary
        self._require_unused(unused)
        self._ensure_identity()
        with self._new_keys:
            texts = self._texts(secondary)
            written = self._write(texts)
        if unused:
            self._delete_key(unused.access_key)
            self._report_key(unused.access_key, "deleted")
        self._remove_unused(written)
        for outcome in self._outcomes:  # now that no report can lose an access key
            self.report(f"identity {self.name}", outcome)
        for file, changed in written.items():
            self.report(f"env file {file.name}", self._change("written") if changed else Outcome("unchanged"))

    def _texts(self, secondary: StoredKey | None) -> dict[Slot, str | None]:
        """Return the text of the env file of each slot, with its access key; None if a preview would create it."""
        chosen, other_key_id = self._chosen_key(), secondary.access_key.access_key_id if secondary else None
        texts: dict[Slot, str | None] = {}
        for slot_key in self.slots.access_keys():
            if chosen and not slot_key.primary:
                continue  # the secondary access key is externally managed as well
            key, info = self._key(slot_key, other_key_id, chosen)
            other_key_id = key.access_key_id if key else None
            texts[slot_key.slot] = self._env_file_text(key, info) if key else None
        return texts

    def _ensure_identity(self) -> None:
        if self.config.has_external_keys:
            return
        policy = self.plan.policy(self.identity)
        if change := preview_identity(self.manager, self.store, self.name, policy):
            self._set_policy(policy)
            self.report(f"identity {self.name}", self._change(*change))

    def _env_file_text(self, key: AccessKey, info: KeyInfo) -> str:
        settings = self.plan.settings(self.identity, key)
        return files.render(settings, self.config.environment, self.identity.name, info)

    def _chosen_key(self) -> AccessKey | None:
        """Return the externally managed access key, which the store then has, unless an env file has another."""
        if self.external is None or self.config.credentials not in _PLACE_KEY or self.env_file.exists():
            return None
        if self._place(self.external):
            self._report_key(self.external, "set as configured")
        return self.external

    def _key(
        self, slot_key: SlotKey, other_key_id: str | None, chosen: AccessKey | None
    ) -> tuple[AccessKey | None, KeyInfo]:
        """Return the access key for a slot: the one in an env file, the chosen one, or a new one."""
        stored = files.access_key_in(self.env_file, slot_key.slot)
        wanted = SlotState(active=slot_key.active, other_key_id=other_key_id, disposable=self.config.disposable)
        known = stored.access_key if stored else chosen
        planned = self._preview_key(known, wanted, chosen)
        self._begin(planned)
        self._report_deleted(planned)
        key, is_new = self._apply_key(known, wanted, planned)
        created = "taken as configured" if self.config.has_external_keys else "created"
        change = created if is_new else planned.change
        if change == "unchanged":
            state = "unchanged" if slot_key.active else "inactive"
            self._outcomes.append(Outcome(" ".join([*_named(key), state])))
        else:
            self._outcomes.append(self._change(change, *_named(key)))
        if is_new and not self.config.has_external_keys:
            return key, KeyInfo(slot_key.slot, datetime.now(UTC))
        return key, KeyInfo(slot_key.slot, stored.info.created if stored else None)

    def _report_deleted(self, planned: KeyChange) -> None:
        if not self.config.has_external_keys:
            for key_id in planned.deleted:
                self.report(f"identity {self.name}", self._change("deleted", "key", mask(key_id)))

    def _require_unused(self, stored: StoredKey | None) -> None:
        """Refuse to delete the access key in the identity's own env file: only its entry in `slots` is gone.

        Raises:
            UsageError: the store has the access key, and the environment is not disposable.
        """
        if stored is None or stored.file != self.env_file or self.config.disposable:
            return
        if stored.access_key.access_key_id in self.manager.access_keys(self.store, self.name):
            slot = stored.info.slot
            raise UsageError(
                f"{short(self.env_file)} holds the access key of slot {slot}, which the configuration does not "
                f"have, so it would be deleted: write `mpr-storage:slots: {{{self.identity.name}: {{current: "
                f"{slot}}}}}` into {stack_files.path(self.config.environment)}, as a rotation did"
            )

    def _require_no_state(self) -> None:
        """Refuse to create an access key that Pulumi, which has one in its state, does not know.

        Raises:
            UsageError: a state under .local/ is that of this environment.
        """
        state = own_state.state_file(self.config.environment)
        if state.exists():
            raise UsageError(
                f"{self.name} needs a new access key, and Pulumi deployed this environment: run `{COMMAND} up "
                f"{self.config.environment}` with Pulumi on PATH. If that state is of no use any more, move "
                f"{short(state)} away, then run this again"
            )

    def _report_key(self, key: AccessKey | None, verb: str) -> None:
        self.report(f"identity {self.name}", self._change(verb, *_named(key)))

    def _change(self, verb: str, *part: str) -> Outcome:
        return Outcome(" ".join([*part, f"{self.would_be}{verb}"]), is_change=True)

    # What follows changes the store and the files; the preview overrides it.

    def _set_policy(self, policy: Policy) -> None:
        self.manager.ensure_identity(self.store, self.name, policy)

    def _place(self, key: AccessKey) -> bool:
        """Give the store this access key, and return whether it is new there."""
        return _PLACE_KEY[self.config.credentials](self.store, self.name, key)

    def _preview_key(self, known: AccessKey | None, wanted: SlotState, chosen: AccessKey | None) -> KeyChange:  # noqa: ARG002  # the preview uses `chosen`
        return preview_key(self.manager, self.store, self.name, known, wanted)

    def _apply_key(
        self, known: AccessKey | None, wanted: SlotState, planned: KeyChange
    ) -> tuple[AccessKey | None, bool]:
        """Do what is planned; return the access key, and whether it is new."""
        return apply_key(self.manager, self.store, self.name, known, wanted, planned)

    def _begin(self, planned: KeyChange) -> None:
        """Have new access keys deleted if what follows fails before they are in an env file."""
        if planned.change == "created" and not self.config.has_external_keys:
            self._require_no_state()
        if planned.change in {"created", "activated"}:  # one that is refused after its activation is replaced
            self._new_keys.enter_context(new_keys_deleted_on_failure(self.manager, self.store, self.name))

    def _delete_key(self, key: AccessKey) -> None:
        self.manager.delete_key(self.store, self.name, key.access_key_id)

    def _write(self, texts: Mapping[Slot, str | None]) -> dict[Path, bool]:
        """Write the env files; return by file whether its content changes."""
        known = {slot: text for slot, text in texts.items() if text}
        return files.write_used(self.env_file, self.slots, known)

    def _remove_unused(self, used: Collection[Path]) -> None:
        files.remove_unused(self.env_file, used)


def _named(key: AccessKey | None) -> list[str]:
    """Return the words that name an access key; the one that a preview would create has no ID yet."""
    return ["key", key.masked] if key else ["key"]


class IdentityPreview(IdentitySetup):
    """Reports what `IdentitySetup` would do, and changes nothing. A new access key is None."""

    would_be = WOULD_BE

    def _set_policy(self, policy: Policy) -> None:
        pass

    def _place(self, key: AccessKey) -> bool:
        return not _IS_PLACED[self.config.credentials](self.store, self.name, key)

    def _preview_key(self, known: AccessKey | None, wanted: SlotState, chosen: AccessKey | None) -> KeyChange:
        if known is not None and known == chosen:  # the store would have it by now
            return KeyChange("unchanged")
        return super()._preview_key(known, wanted, chosen)

    def _apply_key(
        self,
        known: AccessKey | None,
        wanted: SlotState,  # noqa: ARG002  # the base class uses it
        planned: KeyChange,
    ) -> tuple[AccessKey | None, bool]:
        is_new = planned.change == "created"
        return None if is_new else known, is_new

    def _begin(self, planned: KeyChange) -> None:
        pass

    def _delete_key(self, key: AccessKey) -> None:
        pass

    def _remove_unused(self, used: Collection[Path]) -> None:
        pass

    def _write(self, texts: Mapping[Slot, str | None]) -> dict[Path, bool]:
        known = {slot: text for slot, text in texts.items() if text}
        by_file = files.by_file(self.env_file, self.slots, dict.fromkeys(texts, "") | known)
        return {file: files.would_change(file, text) for file, text in by_file.items()}
