"""Env files: one for each identity, private, written atomically, and never over an edit by hand.

The header has a digest of what follows, which shows whether a file was edited.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from core.storage import StorageConfigError
from core.storage._internal import env_file_permissions, render_env_file
from core.storage.settings import Settings, read_env_file
from infra import private_file
from infra.command_name import COMMAND
from infra.config import stack_files
from infra.config.environment import EnvironmentConfig
from infra.config.slots import SLOTS, Slot, Slots
from infra.config.stack_files import short
from infra.env import key_info
from infra.env.key_info import KeyInfo
from infra.errors import UsageError
from infra.stores.access_key import AccessKey

_DIGEST = "# digest: "
_OTHERS = 0o077  # the permissions of other users

#: `foreign`: without a header of this project. `edited`: the digest in the header is not that of the content.
State = Literal["missing", "unreadable", "foreign", "edited", "as written"]
#: Why a file cannot be replaced, by its state.
_IRREPLACEABLE: Mapping[State, str] = {
    "unreadable": "cannot read {}: move it away, then run this again",
    "foreign": "{} was not written by mpr-storage: move it away, then run this again",
    "edited": "{} was edited by hand: put the change into the stack's configuration, move the file away, "
    "then run this again",
}


class StoredKey(NamedTuple):
    """An access key in an env file."""

    file: Path
    access_key: AccessKey
    info: KeyInfo


def path(environment: str, identity: str) -> Path:
    """Return ``<environment>.env`` for the identity `app`, and ``<environment>.<identity>.env`` for any other."""
    name = f"{environment}.env" if identity == "app" else f"{environment}.{identity}.env"
    return stack_files.ENVIRONMENTS / name


def slot_file(main: Path, slot: Slot) -> Path:
    """Return the path of the env file that holds the secondary access key, which is in this slot."""
    return main.with_suffix(f".{slot}{main.suffix}")


def load(file: Path, environment: str) -> Settings:
    """Return the settings in an env file, for a command that uses its access key.

    Raises:
        UsageError: it is missing, not valid, or not private.
    """
    if not file.exists():
        raise UsageError(
            f"{short(file)} is missing; create it with `{COMMAND} up {environment}` or "
            f"`pulumi up -s {environment}`"
        )
    try:
        settings = _settings(file)
    except StorageConfigError as error:
        raise UsageError(f"{short(file)} cannot be used: {error}") from error
    require_private(file)
    return settings


def _settings(file: Path) -> Settings:
    """Return the settings in an env file.

    Raises:
        StorageConfigError: it is not valid, or not a regular file: reading a pipe could wait without end.
    """
    if not file.is_file():
        raise StorageConfigError(f"{short(file)} is not a regular file")
    return Settings.from_env(read_env_file(file))


def access_key(file: Path) -> AccessKey | None:
    """Return the access key in an env file, or None if the file is missing, not valid, or has none.

    Its permissions are not checked: the callers replace the file with a private one, or only compare it.
    """
    try:
        settings = _settings(file)
    except StorageConfigError:
        return None
    if settings.access_key_id is None or settings.secret_access_key is None:
        return None
    return AccessKey(settings.access_key_id, settings.secret_access_key)


def credential(file: Path) -> str | None:
    """Return the access key ID in an env file, or the ARN of its role; None if it has neither or is not valid."""
    try:
        settings = _settings(file)
    except StorageConfigError:
        return None
    return settings.access_key_id or settings.role_arn


def all_of(main: Path) -> list[Path]:
    """Return the paths of the env files that an identity may have: its own, and one for each slot."""
    return [main, *(slot_file(main, slot) for slot in SLOTS)]


def environment_and_identity(file: Path) -> tuple[str, str]:
    """Return the environment and the identity that the name of an env file holds, also of the file of a slot."""
    environment, _, rest = file.stem.partition(".")
    identity = rest.partition(".")[0]
    return environment, "app" if identity in {"", *SLOTS} else identity


def former(config: EnvironmentConfig) -> list[str]:
    """Return the identities that have an env file here and are no longer configured."""
    names = {identity for environment, identity in _written_here() if environment == config.environment}
    return sorted(names - {*config.names})


def environments() -> set[str]:
    """Return the environments that have an env file here, also those without a stack file."""
    return {environment for environment, _ in _written_here()}


def buckets() -> Iterator[tuple[str, str]]:
    """Yield the buckets in the env files that this project wrote here, each with the environment of its file."""
    for environment, identity in _written_here():
        with suppress(StorageConfigError):
            settings = _settings(path(environment, identity))
            for bucket in filter(None, (settings.bucket_in, settings.bucket_out)):
                yield bucket, environment


def _written_here() -> Iterator[tuple[str, str]]:
    """Yield the environment and the identity of each env file. A copy under another name is not one."""
    for file in stack_files.ENVIRONMENTS.glob("*.env"):
        environment, identity = environment_and_identity(file)
        if state(file) == "as written" and file.read_text().startswith(_title(environment, identity)):
            yield environment, identity


def access_key_in(main: Path, slot: Slot) -> StoredKey | None:
    """Return the access key of a slot, from the identity's env file or from that of the slot."""
    for file in (main, slot_file(main, slot)):
        if (key := access_key(file)) and (info := key_info.read(file)).slot == slot:
            return StoredKey(file, key, info)
    return None


def require_private(file: Path) -> None:
    """Refuse an env file that another user may read or change, by the rule of `python -m core.storage check`.

    That check only warns about a file of another user, because a container often runs as another user than wrote
    it. Here it is refused: that user could change where `infra copy` writes.

    Raises:
        UsageError: with the command that repairs it.
    """
    status, message = env_file_permissions(str(short(file)))
    if status != "ok":
        raise UsageError(
            f"{message}; if another user may have read the access key, replace it with "
            f"`{COMMAND} rotate {' '.join(environment_and_identity(file))} --to finish --soak 0`"
        )


def state(file: Path) -> State:
    """Return whether the file is as this project wrote it."""
    if not file.exists():
        return "missing"
    if not file.is_file():
        return "unreadable"
    try:
        text = file.read_bytes().decode(errors="replace")  # no newline is translated: sh reads them as they are
    except OSError:
        return "unreadable"
    _, mark, rest = text.partition(_DIGEST)
    digest, _, body = rest.partition("\n")
    if not mark:
        return "foreign"
    return "as written" if digest == _digest(body) else "edited"


def render(settings: Settings, environment: str, identity: str, key: KeyInfo | None = None) -> str:
    """Return the text of an env file: the same bytes for the same settings."""
    body = render_env_file(settings.to_env())
    header = [
        f"To change it, change {stack_files.path(environment).name} and deploy again.",
        *([str(key)] if key and settings.access_key_id else []),
    ]
    comments = "".join(f"# {line}\n" for line in header)
    return f"{_title(environment, identity)}{comments}{_DIGEST}{_digest(body)}\n{body}"


def _title(environment: str, identity: str) -> str:
    return f"# Storage of environment {environment}, identity {identity}. Generated by mpr-storage: do not edit.\n"


def write(file: Path, text: str) -> bool:
    """Write an env file atomically, with mode 0600; return whether its content or permissions changed.

    Raises:
        UsageError: the folder cannot be written, or the file was edited by hand.
    """
    require_writable([file])
    try:
        if not would_change(file, text):
            return False
        private_file.write(file, text)
    except OSError as error:
        raise UsageError(f"cannot write {short(file)}: {error.strerror}") from error
    return True


def write_all(environment: str, identity: str, slots: Slots, texts: Mapping[Slot, str]) -> dict[Path, bool]:
    """Write the texts of an identity's slots to its env files, and remove the files of other slots.

    The identity's own file is written last, so that every access key is in a file at any time: its secret cannot
    be read again. Return by file whether its content changed.
    """
    main = path(environment, identity)
    changed = write_used(main, slots, texts)
    remove_unused(main, changed)
    return changed


def write_used(main: Path, slots: Slots, texts: Mapping[Slot, str]) -> dict[Path, bool]:
    """Do as `write_all`, and leave the files of other slots."""
    return {file: write(file, text) for file, text in by_file(main, slots, texts).items()}


def remove_unused(main: Path, used: Collection[Path]) -> None:
    """Remove the files of slots that are not among those in use."""
    for file in (slot_file(main, slot) for slot in SLOTS):
        if file not in used:
            remove(file)


def by_file(main: Path, slots: Slots, texts: Mapping[Slot, str]) -> dict[Path, str]:
    """Return the texts of an identity's slots by the env file that holds each, its own file last."""
    ordered = sorted(texts.items(), key=lambda entry: entry[0] == slots.current)
    return {main if slot == slots.current else slot_file(main, slot): text for slot, text in ordered}


def is_open(file: Path) -> bool:
    """Return whether other users of this machine may read or change the file."""
    return bool(file.stat().st_mode & _OTHERS)


def would_change(file: Path, text: str) -> bool:
    """Return whether writing this text would change the content or the permissions of an env file."""
    return not file.exists() or file.read_bytes() != text.encode() or is_open(file)


def to_write(config: EnvironmentConfig) -> Iterator[Path]:
    """Yield the paths of the env files that a deployment writes."""
    for identity in config.names:
        slots = config.slots_of(identity)
        texts = dict.fromkeys((slot_key.slot for slot_key in slots.access_keys()), "")
        yield from by_file(path(config.environment, identity), slots, texts)


def require_writable(files: Iterable[Path]) -> None:
    """Refuse before anything is created, if one of the files could not be written later.

    Raises:
        UsageError: with each of the files, and what to do.
    """
    problems = [problem for file in files if (problem := _problem(file))]
    if problems:
        raise UsageError("\n".join(problems))


def _problem(file: Path) -> str | None:
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK):
        return f"cannot write {short(file)}: make the folder {short(file.parent)} writable, then run this again"
    message = _IRREPLACEABLE.get(state(file))
    return message and message.format(short(file))


def remove(file: Path) -> bool:
    """Remove an env file; return False if there is none, or it is not as this project wrote it."""
    if state(file) != "as written":
        return False
    file.unlink()
    return True


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]
