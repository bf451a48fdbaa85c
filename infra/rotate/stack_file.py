"""Writing where identities stand into the stack's file, with everything else in it left as it is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from infra import config as configuration
from infra import private_file
from infra.config import NAMESPACE
from infra.errors import UsageError
from infra.slots import Slots

_KEY = f"{NAMESPACE}:slots"


def write_slots(environment: str, changed: Mapping[str, Slots]) -> None:
    """Write the slots of these identities, atomically. Comments and the order of the rest stay.

    Raises:
        UsageError: the file cannot be written.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415  # only a step of a rotation writes configuration

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # no line is broken that was not
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = configuration.stack_file(environment)
    content = yaml.load(path.read_text(encoding="utf-8"))
    slots = content["config"].setdefault(_KEY, {})
    for name, one in changed.items():
        if one == Slots():
            slots.pop(name, None)
        else:
            slots[name] = one.to_config()
    if not slots:
        del content["config"][_KEY]
    text = io.StringIO()
    yaml.dump(content, text)
    _replace(path, text.getvalue())


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode
    try:
        private_file.write(path, text)
        path.chmod(mode)  # it is committed, and no secret
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; nothing was changed") from error
