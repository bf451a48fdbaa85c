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
from typing import Any, Literal

from infra.config.reader import Reader
from infra.config.setting import Either, List, Section, Text
from infra.config.trust import TRUST, Trust

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


#: Part of env file names, variables (MPR_<IDENTITY>_..., as MPR_ADMIN_...), stack outputs (as `identities`) and
#: user names on every cloud.
_NAME = "(?!(admin|identities)$)[a-z][a-z0-9]{1,15}"
#: ``*`` and ``?`` are wildcards of policies, ``$`` starts their variables.
_PREFIX = re.compile(r"[^*?$\x00-\x1f]{1,512}/")


def _prefix_problem(prefix: str) -> str | None:
    parts = prefix.split("/")
    if _PREFIX.fullmatch(prefix) and not {".", ".."} & set(parts) and all(parts[:-1]):
        return None
    return "must end with / (frames/4 would cover frames/42), start with none and hold no *, ?, $, //, . or .."


def _check(reader: Reader, values: dict[str, Any]) -> None:
    name = values.get("name", "")
    if name and name not in RIGHTS and "rights" not in reader.values:
        reader.note("rights", f"is required, one of {', '.join(RIGHTS)}")
    rights = RIGHTS.get(values.get("rights", name), {})
    for role in values.get("prefixes", ()):
        if rights and role not in rights:
            reader.note(f"prefixes.{role}", "these rights do not include this bucket")


def _build(values: dict[str, Any]) -> Identity | None:
    rights = RIGHTS.get(values.get("rights", values["name"]))
    return None if rights is None else Identity(**values | {"rights": rights})


_PREFIXES = List(
    description="Prefixes that limit the identity; without them, it may access the whole bucket.",
    empty="must name a prefix; leave it out for the whole bucket",
    of=Text(pattern=r"[^*?$/][^*?$]*/", check=_prefix_problem),
)

IDENTITIES = List(
    description="Identities, each with its env file: the name of a set of rights, or a mapping.",
    default=["app"],
    unique=lambda identity: identity.name,
    advice="; give one of them another `name`",
    of=Either(
        word=Text(
            description="A set of rights, which is the name of the identity too.",
            choices=tuple(RIGHTS),
            build=lambda word: Identity(name=word, rights=RIGHTS[word]),
        ),
        section=Section(
            check=_check,
            build=_build,
            keys={
                "name": Text(
                    description="Its name: part of its env file's name and of its variables.",
                    required=True,
                    pattern=_NAME,
                    words="2 to 16 of a-z and 0-9, start with a letter and not be admin or identities",
                ),
                "rights": Text(
                    description="What it may do; by default, the rights of that name.", choices=tuple(RIGHTS)
                ),
                "prefixes": Section(
                    description="Prefixes that limit it, by bucket.", keys=dict.fromkeys(ROLES, _PREFIXES)
                ),
                "trust": replace(TRUST, description="Who may assume its role, instead of `trust` at the top."),
            },
        ),
    ),
)
