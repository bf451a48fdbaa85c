"""Identities: who reaches the storage, with which rights, and below which prefixes.

An entry of ``identities`` in the configuration is a word (`viewer`), or a mapping that gives a set of rights
another name, narrows it to prefixes, or says who may assume its role::

    identities:
      - app
      - name: web
        rights: viewer
        prefixes: {out: [frames/]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from infra.config_reader import Reader
from infra.trust import Trust, read_trust

Role = Literal["in", "out"]
ROLES: tuple[Role, Role] = ("in", "out")

#: What one identity may do with the bucket of each role; a role that is absent is out of its reach.
Rights = Mapping[Role, frozenset[str]]

READ = frozenset({"read"})
READ_WRITE = frozenset({"read", "write"})

RIGHTS: Mapping[str, Rights] = {
    "app": {"in": READ_WRITE, "out": READ_WRITE},
    "pipeline": {"in": READ, "out": READ_WRITE},
    "ingest": {"in": READ_WRITE},
    "viewer": {"in": READ, "out": READ},
}

#: Part of env file names, of variables (MPR_<IDENTITY>_...) and of user names on every cloud.
_NAME = re.compile(r"[a-z][a-z0-9]{1,15}")
#: What the administrator's keys are called among the MPR_ variables.
_RESERVED = "admin"
#: ``*`` and ``?`` are wildcards of policies, ``$`` starts their variables.
_PREFIX = re.compile(r"[^*?$\x00-\x1f]{1,512}/")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One set of permissions, with its keys or its role."""

    name: str
    rights: Rights
    #: By role, the prefixes that it is held to; a role that is absent: the whole bucket.
    prefixes: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    #: Who may assume its role, where identities are roles.
    trust: Trust | None = None


APP = Identity(name="app", rights=RIGHTS["app"])


def read_identities(read: Reader) -> tuple[Identity, ...]:
    """The identities of an environment; `app` alone where none is named."""
    common = read_trust(read)
    found: dict[str, Identity] = {}
    for index, entry in enumerate(read.words_or_sections("identities")):
        at = f"identities[{index}]"
        identity = _of_word(read, at, entry, common) if isinstance(entry, str) else _of_section(entry, common)
        if identity is None:
            continue
        if identity.name in found:
            read.note(at, f"{identity.name} is listed twice; give one of them another `name`")
        found[identity.name] = identity
    return tuple(found.values()) or (replace(APP, trust=common),)


def _of_word(read: Reader, at: str, word: str, trust: Trust | None) -> Identity | None:
    if word not in RIGHTS:
        read.note(at, f"must be one of {', '.join(RIGHTS)}, got {word}")
        return None
    return Identity(name=word, rights=RIGHTS[word], trust=trust)


def _of_section(read: Reader, common: Trust | None) -> Identity | None:
    read.only("name", "rights", "prefixes", "trust")
    name = read.text("name", required=True)
    if name is not None and (not _NAME.fullmatch(name) or name == _RESERVED):
        read.note("name", f"must be 2 to 16 of a-z and 0-9, start with a letter and not be admin, got {name}")
        name = None
    rights = read.text("rights", choices=tuple(RIGHTS), required=name not in RIGHTS) or name
    trust = read_trust(read) or common
    prefixes = _prefixes(read.section("prefixes"), RIGHTS.get(rights or "", {}))
    if name is None or rights is None or rights not in RIGHTS:
        return None
    return Identity(name=name, rights=RIGHTS[rights], prefixes=prefixes, trust=trust)


def _prefixes(read: Reader, rights: Rights) -> dict[Role, tuple[str, ...]]:
    read.only(*ROLES)
    found = {role: read.texts(role) for role in ROLES if role in read.values}
    for role, prefixes in found.items():
        if rights and role not in rights:
            read.note(role, "these rights do not reach this bucket at all")
        if not read.values[role]:
            read.note(role, "must name a prefix; leave it out for the whole bucket")
        for index, prefix in enumerate(prefixes):
            if not _is_prefix(prefix):
                read.note(
                    f"{role}[{index}]",
                    "must end with / (frames/4 would cover frames/42), start with none and hold no *, ?, $, //, . "
                    f"or .., got {prefix}",
                )
    return found


def _is_prefix(prefix: str) -> bool:
    parts = prefix.split("/")
    return bool(_PREFIX.fullmatch(prefix)) and not {".", ".."} & set(parts) and all(parts[:-1])
