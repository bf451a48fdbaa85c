"""What a resource type, a function or a provider takes, by the signatures of the SDK that programs use.

Unknown types, unknown properties at any depth, missing ones and values of a wrong basic type are found here.
Stricter than the real providers in one point: those turn "3" into 3 and true into "true".
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from importlib import import_module
from threading import RLock
from typing import Any, Union

import pulumi
from pulumi._types import input_type_py_to_pulumi_names, input_type_types, is_input_type
from pulumi.runtime import rpc

from tests.doubles.handler import UNKNOWN, Props, Refused

#: Properties that the engine and Pulumi's runtime themselves add.
_INTERNAL = "__"
#: What the engine adds to the configuration of a provider.
_OF_PROVIDERS = frozenset({"version", "pluginDownloadURL"})
_BASIC: Mapping[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


class Mistake(typing.NamedTuple):
    """A property that the SDK's signature does not allow, and why."""

    path: str
    reason: str


#: The SDKs import their modules when they are first used, which two threads must not do at once.
_IMPORTING = RLock()


def arguments(token: str) -> type:
    """The SDK's class of arguments of a resource type, such as `pulumi_aws.s3.BucketArgs`.

    Raises:
        Refused: there is no such type.
    """
    with _IMPORTING:
        return _arguments(token)


@cache
def _arguments(token: str) -> type:
    package, _, name = token.partition(":")[0], *token.rpartition(":")[1:]
    if package == "pulumi":
        return _class(f"pulumi_{name}", "Provider", token)
    sdk = import_module(f"pulumi_{package}")
    module = token.split(":")[1]
    registered: list[Any] = list(rpc._RESOURCE_MODULES.get(rpc._module_key(package, module), []))
    for one in registered:
        if token in one.mod_info["classes"]:
            return _class(one.mod_info["fqn"], one.mod_info["classes"][token], token)
    raise Refused(f"unrecognized resource type (Check): {token}: {sdk.__name__} has none of this name")


def names(token: str) -> frozenset[str]:
    """The inputs of a resource type."""
    return frozenset(input_type_types(arguments(token)))


def mistakes(token: str, inputs: Props) -> list[Mistake]:
    """Everything in the inputs of a resource that the SDK's signature does not allow."""
    return list(_of_arguments(arguments(token), inputs, ""))


def configuration_mistakes(package: str, inputs: Mapping[str, Any]) -> list[Mistake]:
    """The same of a provider's configuration. All its values are text, so that names are all that counts."""
    known = names(f"pulumi:providers:{package}") | _OF_PROVIDERS
    unknown = [one for one in inputs if one not in known and not one.startswith(_INTERNAL)]
    return [_unexpected(one, known) for one in unknown]


def require_function(token: str, args: Props) -> None:
    """Refuse a function that the SDK does not have, or an argument that it does not take."""
    with _IMPORTING:
        function = _function(token)
    if function is None:
        raise Refused(f"unrecognized data function (Invoke): {token}")
    known = {_snake_to_camel(one) for one in inspect.signature(function).parameters} - {"opts"}
    for one in args:
        if one not in known:
            raise Refused(f"{token}: {_unexpected(one, known).reason}")


def _function(token: str) -> Callable[..., Any] | None:
    package, module, name = token.split(":")
    inner = module.split("/")[0]
    where = import_module(f"pulumi_{package}" if inner == "index" else f"pulumi_{package}.{inner}")
    return getattr(where, _snake(name), None)


def _class(module: str, name: str, token: str) -> type:
    try:
        home = import_module(getattr(import_module(module), name).__module__)
    except (ImportError, AttributeError) as error:
        raise Refused(f"unrecognized resource type (Check): {token}") from error
    # Where a nested type has the name already, the SDK calls the resource's own arguments otherwise.
    found: type = getattr(home, f"{name}InitArgs", None) or getattr(home, f"{name}Args")
    return found


def _of_arguments(cls: type, inputs: Props, path: str) -> Iterator[Mistake]:
    known = _types(cls)
    for name, value in inputs.items():
        if name.startswith(_INTERNAL):
            continue
        at = f"{path}.{name}" if path else name
        if name not in known:
            yield _unexpected(at, known)
        else:
            yield from _of_value(known[name], value, at)
    for name in _required(cls) - inputs.keys():
        at = f"{path}.{name}" if path else name
        yield Mistake(
            at, f'Missing required argument. The argument "{name}" is required, but no definition was found.'
        )


def _unexpected(path: str, known: typing.Collection[str]) -> Mistake:
    name = path.rpartition(".")[2]
    allowed = ", ".join(sorted(known))
    reason = f'Unsupported argument. An argument named "{name}" is not expected here (there are: {allowed}).'
    return Mistake(path, reason)


@cache
def _types(cls: type) -> dict[str, Any]:
    return dict(input_type_types(cls))


@cache
def _required(cls: type) -> frozenset[str]:
    wire = input_type_py_to_pulumi_names(cls)
    parameters = inspect.signature(cls).parameters.values()
    return frozenset(wire[one.name] for one in parameters if one.default is one.empty and one.name in wire)


def _of_value(wanted: Any, value: Any, path: str) -> Iterator[Mistake]:
    if value is UNKNOWN:
        return
    choices = list(_members(wanted))
    tried = [list(_of_one(one, value, path)) for one in choices]
    if tried and not any(not one for one in tried):
        # The best fit says what is wrong: a mistake deep inside rather than "expected another type".
        yield from max(tried, key=lambda one: max(len(mistake.path) for mistake in one))


def _members(wanted: Any) -> Iterator[Any]:
    """The types of which a value may be one, without what is only Pulumi's way of handing them over."""
    if typing.get_origin(wanted) in {Union, types.UnionType}:
        for one in typing.get_args(wanted):
            yield from _members(one)
    elif not _is_plumbing(wanted):
        yield wanted


def _is_plumbing(wanted: Any) -> bool:
    origin = typing.get_origin(wanted) or wanted
    return origin is type(None) or (
        isinstance(origin, type)
        and (issubclass(origin, pulumi.Output | typing.Awaitable) or typing.is_typeddict(origin))
    )


def _of_one(wanted: Any, value: Any, path: str) -> Iterator[Mistake]:
    origin = typing.get_origin(wanted) or wanted
    if origin is Any:
        return
    if isinstance(origin, type) and is_input_type(origin):
        yield from _of_arguments(origin, value, path) if isinstance(value, dict) else _wrong(path, "object", value)
    elif isinstance(origin, type) and issubclass(origin, Enum):
        yield from () if value in [one.value for one in origin] else _wrong(path, origin.__name__, value)
    elif origin in _BASIC:
        yield from () if _is_basic(origin, value) else _wrong(path, origin.__name__, value)
    elif issubclass(origin, Mapping):
        yield from _of_mapping(wanted, value, path)
    elif issubclass(origin, Sequence):
        yield from _of_sequence(wanted, value, path)


def _is_basic(wanted: type, value: Any) -> bool:
    return isinstance(value, _BASIC[wanted]) and (wanted is bool) == isinstance(value, bool)


def _of_mapping(wanted: Any, value: Any, path: str) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield from _wrong(path, "object", value)
        return
    inside = (typing.get_args(wanted) or (str, Any))[1]
    for key, one in value.items():
        yield from _of_value(inside, one, f"{path}.{key}")


def _of_sequence(wanted: Any, value: Any, path: str) -> Iterator[Mistake]:
    if not isinstance(value, list):
        yield from _wrong(path, "list", value)
        return
    inside = (typing.get_args(wanted) or (Any,))[0]
    for index, one in enumerate(value):
        yield from _of_value(inside, one, f"{path}[{index}]")


def _wrong(path: str, wanted: str, value: Any) -> Iterator[Mistake]:
    yield Mistake(path, f"expected {wanted} type, got {type(value).__name__}")


def _snake(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_")


def _snake_to_camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(one.capitalize() for one in rest)
