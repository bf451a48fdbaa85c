"""The env files of one identity: its own with the current key, and while there is another, one with that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infra.env import files
from infra.slots import Slot, Slots


def place(environment: str, identity: str, slots: Slots, texts: Mapping[Slot, str]) -> dict[Path, bool]:
    """Write the env files, and remove those of slots that need none.

    In an order in which no key is ever without a file: its secret can be read nowhere else.

    Args:
        environment: whose identity.
        identity: whose files.
        slots: which keys there are.
        texts: the content for each of them.

    Returns:
        The files, each with whether it changed.
    """
    main = files.path(environment, identity)
    wanted = {main if slot == slots.current else files.slot_file(main, slot): text for slot, text in texts.items()}
    done = {file: files.write(file, wanted[file]) for file in sorted(wanted, key=lambda file: file == main)}
    for file in (files.slot_file(main, "a"), files.slot_file(main, "b")):
        if file not in wanted:
            files.remove(file)
    return done
