"""The syntax of env files: the part of it that every reader understands in the same way.

Four readers matter, and they differ: `sh` splits, expands and unquotes; ``docker run --env-file`` takes everything
after the first ``=`` literally, with quotes
(https://docs.docker.com/reference/cli/docker/container/run/#env); python-dotenv unquotes, expands ``${X}`` and
cuts ``" #"``; systemd unquotes and joins lines that end in a backslash
(https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#EnvironmentFile=). All four read a
value without quotes, of characters that are special to none of them, in the same way. `render` writes only that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from core.storage._errors import StorageConfigError

_EXPORT = re.compile(r"\Aexport[ \t]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# No ~ (sh expands it), no $ ` \ ' " ( ) < > | & ; # space or glob sign, nothing outside ASCII.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./\-\[\]]*")
_QUOTED = re.compile(r"'([^'\\$`]*)'|\"([^\"\\$`]*)\"")


def is_plain(value: str) -> bool:
    """Return whether every reader of an env file takes `value` in the same way."""
    return _PLAIN.fullmatch(value) is not None


def render(variables: Mapping[str, str], header: Iterable[str] = ()) -> str:
    """Return the text of an env file: the header as comments, then one ``NAME=value`` line for each variable.

    Raises:
        StorageConfigError: a value cannot be written so that all readers agree. The message names the
            variable and never shows the value.
    """
    for name, value in variables.items():
        if not is_plain(value):
            raise StorageConfigError(
                f"{name} holds a character that sh, docker, python-dotenv and systemd read differently; "
                "use a value made of letters, digits and _@%+=:,./-[] only"
            )
    # Neither a line break nor a backslash at the end continues the file outside of the comment: systemd before
    # 254 joins a comment that ends in a backslash with the next line.
    lines = [f"# {line}".rstrip("\\ \t\r") for text in header for line in text.splitlines() or [""]]
    lines += [f"{name}={value}" for name, value in variables.items()]
    return "\n".join(lines) + "\n"


def parse(text: str, source: str = "env file") -> dict[str, str]:
    """Return the variables of an env file. The last line of a name wins, as in sh.

    Comments, blank lines, a leading ``export`` and simple quotes are accepted, because people edit these files;
    a value that readers take differently is refused.

    Raises:
        StorageConfigError: a line is wrong. The message names `source` and the number of the line, never its
            content.
    """
    variables: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = _EXPORT.sub("", line, count=1).partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise StorageConfigError(f"{source}, line {number}: expected NAME=value")
        if not is_plain(value):
            quoted = _QUOTED.fullmatch(value)
            if quoted is None:
                raise StorageConfigError(
                    f"{source}, line {number} ({name}): sh, docker, python-dotenv and systemd would read this "
                    "value differently; create the file again instead of editing it"
                )
            value = quoted[1] or quoted[2] or ""
        variables[name] = value
    return variables
