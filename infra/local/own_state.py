"""The state that Pulumi keeps under ``.local/pulumi/``, encrypted with a passphrase that is generated there.

It is used without a Pulumi backend of the user's own. No other machine has it.
"""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
from contextlib import suppress
from pathlib import Path

import click
import yaml

from infra import private_file
from infra.config import stack_files, stack_yaml
from infra.errors import InfraError
from infra.local import process
from infra.local.folder import local_folder

#: The variable with a passphrase of the user's own, even an empty one, which Pulumi would use instead of the file.
OVERRIDE = "PULUMI_CONFIG_PASSPHRASE"


def home() -> Path:
    """Return the folder of the state, which may not exist yet."""
    return local_folder() / "pulumi"


def create_home() -> Path:
    """Create the folder of the state, and return it."""
    private_file.make_folders(local_folder(), home())
    return home()


def backend() -> dict[str, str]:
    """Return the environment variables with which `pulumi` uses the state; create its folder and passphrase."""
    state = create_home() / "state"
    private_file.make_folders(state)
    passphrase = private_file.write_once(home() / "passphrase", secrets.token_urlsafe(32))
    return {"PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase)}


def by_hand(environment: str) -> list[str]:
    """Return the shell commands with which the user runs `pulumi` with the state under .local/.

    They name the configuration under .local/: into the committed file, `pulumi` would write this machine's salt.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in backend().items()]
    file = shlex.quote(str(settings_file(environment).relative_to(stack_files.ROOT)))
    return [f"unset {OVERRIDE}", *exports, f"pulumi up --stack {environment} --config-file {file}"]


def state_file(environment: str) -> Path:
    """Return the path of the stack's state under .local/."""
    return _stacks() / f"{environment}.json"


def _stacks() -> Path:
    return home() / "state" / ".pulumi" / "stacks" / stack_files.NAMESPACE


def settings_file(environment: str) -> Path:
    """Return the path of the copy of the stack file, see `write_settings`."""
    return home() / f"Pulumi.{environment}.yaml"


def write_settings(environment: str) -> None:
    """Write the environment's configuration with the salt of this machine's passphrase.

    Pulumi keeps the salt in the stack's file. In the committed one it would be a change in every clone, and not
    match the passphrase of other machines.
    """
    copy, committed = settings_file(environment), stack_files.path(environment)
    salt = _salt(copy)
    shared = stack_yaml.load(committed.read_text(encoding="utf-8"), str(committed))
    own = {"encryptionsalt": salt} if salt else {}  # without a salt, Pulumi writes a new one
    private_file.write(copy, stack_yaml.dump(own | shared))


def _salt(copy: Path) -> str | None:
    """Return the salt in a copy; None if it has none, does not exist, or is damaged: Pulumi then takes another."""
    try:
        content = yaml.safe_load(copy.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return None
    salt = content.get("encryptionsalt") if isinstance(content, dict) else None
    return salt if isinstance(salt, str) else None


def restore() -> None:
    """Restore each state under .local/ that is empty or truncated from Pulumi's own backup, one checkpoint older.

    Pulumi does not sync the file, so a crash of the machine can leave it so. One such file is enough for
    `pulumi stack ls` to fail for every environment.
    """
    for backup in _stacks().glob("*.json.bak"):
        state = backup.with_suffix("")
        if state.exists() and not _is_json(state) and _is_json(backup):
            shutil.copyfile(backup, state)
            click.echo(f"the state {state.stem} was incomplete and is restored from its backup", err=True)


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def is_locked_by_killed_update(environment: str) -> bool:
    """Return whether the state under .local/ has a lock of a process that ended without removing it.

    Raises:
        InfraError: the process runs.
    """
    locks = list((home() / "state" / ".pulumi" / "locks").rglob(f"{environment}/*.json"))
    for lock in locks:
        with suppress(OSError, ValueError, KeyError, TypeError):  # removed meanwhile, or of another version
            process_id = int(json.loads(lock.read_text(encoding="utf-8"))["pid"])
            if process.start_time(process_id) is not None:
                raise InfraError(
                    f"`pulumi` (process {process_id}) changes {environment} now: run this again when it has "
                    f"ended. If that process is another program, remove {lock} first"
                )
    return bool(locks)
