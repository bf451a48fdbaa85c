"""Write the slots of identities to the stack's file, with every other setting and comment in it."""

from __future__ import annotations

import io
from collections.abc import Mapping

from infra import private_file
from infra.config import stack_files
from infra.config.slots import Slots
from infra.config.stack_files import NAMESPACE
from infra.errors import UsageError

_KEY = f"{NAMESPACE}:slots"


def write_slots(environment: str, changed: Mapping[str, Slots]) -> None:
    """Write the slots of these identities atomically. Comments, quotes and the order stay; indentation may change.

    Raises:
        UsageError: the file cannot be written.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415  # only a step of a rotation writes configuration

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # breaks no line
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = stack_files.path(environment).resolve()  # of a link, its target is replaced
    content = yaml.load(path.read_text(encoding="utf-8"))
    slots = content["config"].setdefault(_KEY, {})
    for name, state in changed.items():
        if state == Slots():
            slots.pop(name, None)
        else:
            slots[name] = state.to_config()
    if not slots:
        del content["config"][_KEY]
    text = io.StringIO()
    yaml.dump(content, text)
    mode = path.stat().st_mode
    try:
        private_file.write(path, text.getvalue())
        path.chmod(mode)  # it is committed, and holds no secret
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; nothing was changed") from error
