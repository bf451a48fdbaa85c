"""Reading a stack file: as Pulumi reads it, and without what only Pulumi or only this project would understand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import yaml

from infra.command_name import COMMAND
from infra.config import stack_files
from infra.config.environment import ConfigError
from infra.config.reader import Reader, close, nearest
from infra.config.stack_files import NAMESPACE
from infra.targets.registry import TARGETS

#: What Pulumi knows, of which it writes all but `environment`
#: (https://www.pulumi.com/docs/iac/concepts/projects/stack-settings-file/).
TOP_LEVEL = ("config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment")
#: Of Pulumi's own settings, and of those of the targets' providers.
OTHER_NAMESPACES = ("pulumi", *(spec.package for spec in TARGETS.values() if spec.package))

_DATE, _TIME = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}", "[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}"
#: The types of plain scalars (https://yaml.org/spec/1.2.2/#103-core-schema), and the characters that start them.
_SCALARS = {
    "null": ("~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": ("true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": ("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    "merge": ("<<", ["<"]),
    "timestamp": (rf"{_DATE}([Tt ]{_TIME}\S*)?", list("0123456789")),
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the one in C, if it was built
    """YAML 1.2, as Pulumi reads it: `yes` is text.

    A key that is defined twice is an error, and so is a date without quotes, of which Pulumi makes another text.
    """

    yaml_implicit_resolvers: dict[str, list[object]] = {}  # noqa: RUF012  # PyYAML's own name

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> object:
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value} is a date to Pulumi: put it in quotes", node.start_mark
        )

    def construct_mapping(self, node: yaml.MappingNode, *, deep: bool = False) -> object:
        keys: list[object] = []
        for key, _ in node.value:
            if key.value in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is defined twice", key.start_mark
                )
            keys.append(key.value)
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """Puts a text in quotes where `_Loader` would read another type."""

    yaml_implicit_resolvers: dict[str, list[object]] = {}  # noqa: RUF012  # PyYAML's own name


for _name, (_pattern, _first) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^({_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


def read(environment: str) -> Reader:
    """Return the settings in an environment's file by their bare names, and what is wrong with other keys.

    Raises:
        ConfigError: there is no such environment, or its file holds no configuration.
    """
    file = stack_files.path(environment)
    return _settings(_content(file, environment), str(file))


def parse(text: str, source: str) -> Reader:
    """Return the settings in the text of a stack file, as `read` does.

    Raises:
        ConfigError: the text holds no configuration.
    """
    return _settings(load(text, source), source)


def load(text: str | BinaryIO, source: str) -> dict[object, object]:
    """Return the content of a stack file, as Pulumi reads it; empty if it holds no mapping.

    Raises:
        ConfigError: it cannot be read, or is no YAML.
    """
    try:
        content = yaml.load(text, _Loader)  # noqa: S506  # a subclass of SafeLoader
    except (OSError, ValueError, KeyError, yaml.YAMLError) as error:  # a number, or a truth value, that is none
        raise ConfigError(source, [f"cannot be read: {' '.join(str(error).split())}"]) from error
    return content if isinstance(content, dict) else {}


def dump(content: Mapping[object, object]) -> str:
    """Return the text from which `load` and Pulumi read this content."""
    text: str = yaml.dump(content, Dumper=_Dumper)
    return text


def _settings(content: Mapping[object, object], source: str) -> Reader:
    problems = [f"{key}: unknown key, {nearest(str(key), TOP_LEVEL)}" for key in content if key not in TOP_LEVEL]
    config = content.get("config")
    if not isinstance(config, dict):
        raise ConfigError(source, [*problems, "must hold a mapping under `config:`"])
    reader = Reader({}, problems=problems, is_file=True)
    names = {key: _setting(reader, str(key)) for key in config}
    reader.values = {name: config[key] for key, name in names.items() if name is not None}
    return reader


def _content(file: Path, environment: str) -> dict[object, object]:
    try:
        with file.open("rb") as stream:
            return load(stream, str(file))
    except FileNotFoundError:
        if file.is_symlink():
            raise ConfigError(str(file), [f"is a link to {file.readlink()}, which does not exist"]) from None
        raise ConfigError(str(file), [_unknown(environment, stack_files.names())]) from None
    except OSError as error:
        raise ConfigError(str(file), [f"cannot be read: {' '.join(str(error).split())}"]) from error


def _unknown(environment: str, names: list[str]) -> str:
    """Return the problem of an environment without a file."""
    others = f"there are: {', '.join(names) or 'none'}"
    if stack_files.NAME.fullmatch(environment):
        others += f"; `{COMMAND} new {environment} --target <target>` creates one"
    return f"there is no environment {environment!r}; {close(environment, names) or others}"


def _setting(reader: Reader, key: str) -> str | None:
    """Return the bare name of a key of this project; None for others. Note keys that only Pulumi understands."""
    namespace, colon, name = key.partition(":")
    if not colon:
        reader.note(key, f"has no namespace: write {NAMESPACE}:{key}")
        return key
    if namespace in (NAMESPACE, *OTHER_NAMESPACES):
        return name if namespace == NAMESPACE else None
    suggestion = nearest(namespace, (NAMESPACE, *OTHER_NAMESPACES))
    reader.note(key, f"unknown namespace, {suggestion}")
    return name if suggestion.endswith(f" {NAMESPACE}?") else None
