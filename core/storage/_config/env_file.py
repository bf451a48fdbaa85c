"""The syntax of an env file: the part of it that every reader understands alike.

Four readers matter, and they disagree: `sh` splits, expands and unquotes; ``docker run --env-file`` takes
everything behind the first ``=`` as it stands, quotes included
(https://docs.docker.com/reference/cli/docker/container/run/#env); python-dotenv unquotes, expands ``${X}``
and cuts ``" #"``; systemd unquotes and joins lines that end in a backslash
(https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#EnvironmentFile=). A value
written without quotes, from characters that mean nothing to any of them, is the one form that all four
read the same. So `render` writes only that, and refuses every other value.
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
    """Whether every reader of an env file takes `value` the same way."""
    return _PLAIN.fullmatch(value) is not None


def render(variables: Mapping[str, str], header: Iterable[str] = ()) -> str:
    """The text of an env file: the header as comments, then one ``NAME=value`` line for each variable.

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
    # No line of the header gets out of its comment: not through a line break, nor through a backslash at its
    # end, by which systemd before 254 took the next line for a part of it.
    lines = [f"# {line}".rstrip("\\ \t\r") for text in header for line in text.splitlines() or [""]]
    lines += [f"{name}={value}" for name, value in variables.items()]
    return "\n".join(lines) + "\n"


def parse(text: str, source: str = "env file") -> dict[str, str]:
    """The variables of an env file. The last line of a name wins, as in sh.

    Comments, blank lines, a leading ``export`` and simple quotes are accepted, because people edit these
    files; anything that readers would take differently is refused.

    Raises:
        StorageConfigError: naming `source` and the number of the line, never its content.
    """
    variables: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = _EXPORT.sub("", line, count=1).partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise StorageConfigError(f"{source}, line {number}: expected NAME=value")
        variables[name] = _unquote(value, f"{source}, line {number} ({name})")
    return variables


def _unquote(value: str, place: str) -> str:
    if is_plain(value):
        return value
    quoted = _QUOTED.fullmatch(value)
    if quoted is None:
        raise StorageConfigError(
            f"{place}: sh, docker, python-dotenv and systemd would read this value differently; "
            "make the file anew instead of editing it"
        )
    return quoted[1] if quoted[1] is not None else quoted[2]
