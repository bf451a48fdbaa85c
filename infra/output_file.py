"""The file that an option of a command names for its output, as `env --output` and `check --html` do."""

from __future__ import annotations

from pathlib import Path

from infra import private_file
from infra.config import stack_files
from infra.errors import UsageError


def require_writable(option: str, file: Path) -> None:
    """Refuse a file that must not be replaced, or cannot be written.

    Raises:
        UsageError: it is a folder, a link, a device or a file of an environment, or its folder does not exist.
    """
    try:
        is_usable = private_file.is_replaceable(file) and file.parent.is_dir()
    except OSError as error:  # such as a name that is too long
        raise UsageError(f"{option} {file}: {error.strerror}; name another file") from error
    if not is_usable:
        raise UsageError(f"{option} {file}: name a regular file in a folder that exists")
    if file.resolve().parent == stack_files.ENVIRONMENTS.resolve():
        raise UsageError(
            f"{option} {file}: name a file in another folder: commands and Pulumi write this one, which has the "
            "stack files and env files"
        )


def write(option: str, file: Path, text: str) -> None:
    """Write the file atomically, with mode 0600.

    Raises:
        UsageError: it must not be replaced, or cannot be written.
    """
    require_writable(option, file)
    try:
        private_file.write(file, text)
    except OSError as error:
        raise UsageError(f"{option} {file} could not be written: {error.strerror}; name another file") from error
