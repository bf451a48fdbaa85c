"""Settings of each type. A setting reads its value in a configuration, and describes itself as JSON schema.

A mistake is noted and the value left out, so that one pass finds every mistake. The settings themselves are in
`infra.config.definitions`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from infra.config.reader import Reader, nearest, shown
from infra.config.stack_files import NAMESPACE

Schema = dict[str, Any]

#: How the schema refers to a value that Pulumi encrypted.
_ENCRYPTED: Schema = {"$ref": "#/definitions/encrypted"}
_DIGITS = 9
_MOST = 10**_DIGITS - 1  # days; one limit for all readers, as Pulumi changes or refuses very large numbers
_LONGEST = 20  # digits; Python refuses to convert very long numbers


class InvalidError(ValueError):
    """A value that a setting cannot have. The message says what it must be."""


def _unchanged(value: Any) -> Any:
    return value


@dataclass(
    kw_only=True, eq=False, repr=False
)  # not frozen: half of the import would be methods that nothing calls
class Setting(ABC):
    """One setting, or a part of one."""

    description: str = ""
    #: Whether its section must have it. What a target requires is in its `TargetSpec`.
    required: bool = False
    #: What applies without it, as the schema says it.
    default: object = None
    #: Whether a stack file may hold it encrypted, or must. Messages do not show what may be.
    encryption: Literal["refused", "allowed", "required"] = "refused"
    #: Converts a valid value to what `EnvironmentConfig` holds.
    build: Callable[[Any], Any] = _unchanged

    def read(self, reader: Reader, key: str, value: object) -> Any:
        """Return what `EnvironmentConfig` holds for the value; None if it is encrypted, or wrong and noted."""
        if value is None:
            reader.note(key, "has no value: write one, or remove it")
        elif is_encrypted(value):
            if self.encryption == "refused":
                command = _command(reader.at(key), "--plaintext")
                reader.note(key, f"is encrypted, and only Pulumi can read it: write it in plain text, {command}")
        elif reader.is_file and self.encryption == "required":
            reader.note(key, _plain_secret(reader.at(key)))
        else:
            try:
                valid = self._validate(reader, key, value)
                return None if valid is None else self.build(valid)
            except InvalidError as problem:
                got = f", got {shown(value)}" if self.encryption == "refused" else ""
                reader.note(key, f"{problem}{got}")
        return None

    @abstractmethod
    def _validate(self, reader: Reader, key: str, value: object) -> Any:
        """Return the value, typed; None if a problem inside it has been noted.

        Raises:
            InvalidError: it is wrong.
        """

    @property
    def missing(self) -> str:
        """Return the problem of a section without it."""
        return "is required"

    def schema(self) -> Schema:
        """Return the JSON schema of the setting in a stack file."""
        described = {"description": self.description} if self.description else {}
        default = {} if self.default is None else {"default": self.default}
        if self.encryption == "refused":
            return described | default | self._shape()
        return described | {"anyOf": [*([] if self.encryption == "required" else [self._shape()]), _ENCRYPTED]}

    @abstractmethod
    def _shape(self) -> Schema:
        """Return the JSON schema of a valid value in plain text."""


@dataclass(kw_only=True, eq=False, repr=False)
class Text(Setting):
    """A text that is not empty."""

    choices: tuple[str, ...] = ()
    #: What the whole text must match, in the syntax that Python and JSON schema share, and the same in words.
    #: Without words, it is for the schema alone, and `check` is stricter.
    pattern: str = ""
    words: str = ""
    #: Returns what else is wrong with a text.
    check: Callable[[str], str | None] = lambda _text: None

    def _validate(self, _reader: Reader, _key: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise InvalidError("must be text")
        if self.choices and value not in self.choices:
            raise InvalidError(f"must be one of {', '.join(self.choices)}")
        if self.words and not re.fullmatch(self.pattern, value):
            raise InvalidError(f"must be {self.words}")
        if problem := self.check(value):
            raise InvalidError(problem)
        return value

    @property
    def missing(self) -> str:
        """Return the problem of a section without it, with the choices."""
        return "is required" + (f", one of {', '.join(self.choices)}" if self.choices else "")

    def _shape(self) -> Schema:
        if self.choices:
            return {"enum": list(self.choices)}
        if self.pattern:
            error = {"patternErrorMessage": f"must be {self.words}"} if self.words else {}
            return {"type": "string", "pattern": f"^({self.pattern})$"} | error
        return {"type": "string", "minLength": 1}


@dataclass(kw_only=True, eq=False, repr=False)
class Flag(Setting):
    """True or false. Pulumi passes values of the top level to the program as text, and writes them so."""

    def _validate(self, _reader: Reader, _key: str, value: object) -> bool:
        if isinstance(value, bool) or value in ("true", "false"):
            return value in (True, "true")
        raise InvalidError("must be true or false")

    def _shape(self) -> Schema:
        return {"enum": [True, False, "true", "false"]}


@dataclass(kw_only=True, eq=False, repr=False)
class Days(Setting):
    """A number of days, which may be text as a `Flag` may."""

    least: int = 1
    most: int = _MOST
    #: Whether 0 is valid too.
    or_none: bool = False

    def _validate(self, _reader: Reader, _key: str, value: object) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _LONGEST:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidError("must be a whole number of days")
        if (self.or_none and value == 0) or self.least <= value <= self.most:
            return value
        is_bounded = self.most < _MOST or value > _MOST
        bounds = f"{self.least} to {self.most}" if is_bounded else f"at least {self.least}"
        raise InvalidError(f"must be {'0 or ' if self.or_none else ''}{bounds}")

    def _shape(self) -> Schema:
        number: Schema = {"type": "integer", "minimum": self.least, "maximum": self.most}
        none = [{"const": 0}] if self.or_none else []
        digits = f"^[0-9]{{1,{_DIGITS}}}$" if self.or_none else f"^0*[1-9][0-9]{{0,{_DIGITS - 1}}}$"
        return {"anyOf": [number, *none, {"type": "string", "pattern": digits}]}


@dataclass(kw_only=True, eq=False, repr=False)
class List(Setting):
    """A list of different values."""

    of: Setting
    #: What the values differ in.
    unique: Callable[[Any], Hashable] = _unchanged
    #: What to do about two that are the same.
    advice: str = ""
    #: The problem of an empty list, if it must not be empty.
    empty: str = ""

    def _validate(self, reader: Reader, key: str, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise InvalidError("must be a list")
        if not value and self.empty:
            reader.note(key, self.empty)
        items = [self.of.read(reader, f"{key}[{index}]", item) for index, item in enumerate(value)]
        names = [None if item is None else self.unique(item) for item in items]
        for index, name in enumerate(names):
            if name is not None and name in names[:index]:
                reader.note(f"{key}[{index}]", f"{name} is listed twice{self.advice}")
        return tuple(item for item in items if item is not None)

    def _shape(self) -> Schema:
        minimum = {"minItems": 1} if self.empty else {}
        return {"type": "array", "items": self.of.schema(), "uniqueItems": True} | minimum


@dataclass(kw_only=True, eq=False, repr=False)
class Map(Setting):
    """A mapping from names to values of one setting."""

    of: Setting

    def _validate(self, reader: Reader, key: str, value: object) -> dict[str, Any]:
        inner = _nested(reader, key, value)
        items = {str(name): self.of.read(inner, str(name), item) for name, item in inner.values.items()}
        return {name: item for name, item in items.items() if item is not None}

    def _shape(self) -> Schema:
        return {"type": "object", "additionalProperties": self.of.schema()}


@dataclass(kw_only=True, eq=False, repr=False)
class Section(Setting):
    """A mapping with settings of its own."""

    keys: Mapping[str, Setting]
    #: Checks rules about several settings together, and notes problems.
    check: Callable[[Reader, dict[str, Any]], None] = lambda _reader, _values: None

    def _validate(self, reader: Reader, key: str, value: object) -> dict[str, Any] | None:
        values = self.settings(_nested(reader, key, value))
        return values if all(name in values for name in self._required) else None

    def settings(self, reader: Reader) -> dict[str, Any]:
        """Return the valid settings of the section after noting everything that is wrong with it."""
        for name in reader.values:
            if name not in self.keys:
                reader.note(str(name), f"unknown key, {nearest(str(name), tuple(self.keys))}")
        values = {}
        for name, setting in self.keys.items():
            value = reader.values.get(name)
            if value is None and setting.required:
                reader.note(name, setting.missing)
            elif name in reader.values and (valid := setting.read(reader, name, value)) is not None:
                values[name] = valid
        self.check(reader, values)
        return values

    @property
    def _required(self) -> list[str]:
        return [name for name, setting in self.keys.items() if setting.required]

    def _shape(self) -> Schema:
        properties = {name: setting.schema() for name, setting in self.keys.items()}
        required = {"required": self._required} if self._required else {}
        return {"type": "object", "properties": properties, "additionalProperties": False} | required


@dataclass(kw_only=True, eq=False, repr=False)
class Either(Setting):
    """A word, or a mapping that says more."""

    word: Text
    section: Section

    def _validate(self, reader: Reader, key: str, value: object) -> Any:
        if not isinstance(value, Mapping | str) or not value:
            raise InvalidError("must be a word or a mapping")
        return (self.word if isinstance(value, str) else self.section).read(reader, key, value)

    def _shape(self) -> Schema:
        return {"anyOf": [self.word.schema(), self.section.schema()]}


def _nested(reader: Reader, key: str, value: object) -> Reader:
    if not isinstance(value, Mapping):
        raise InvalidError("must be a mapping")
    return reader.nested(key, value)


def is_encrypted(value: object) -> bool:
    """Return whether this is how a stack file holds an encrypted value."""
    return isinstance(value, Mapping) and list(value) == ["secure"]


def _plain_secret(path: str) -> str:
    """Return the problem of a secret in plain text, with the commands that help."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|\.", "_", path.removeprefix("keys."))
    return (
        f"is a secret in plain text, in a file that is committed: remove it, and set it with "
        f"{_command(path, '--secret')}, which asks for it, or in the variable MPR_{words.upper()}"
    )


def _command(path: str, option: str) -> str:
    name = f"{NAMESPACE}:{path}"
    return f"`pulumi config set {option} " + (f"--path '{name}'`" if re.search(r"[.\[]", path) else f"{name}`")
