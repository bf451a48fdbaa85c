"""Properties as Pulumi sends them: what its runtime calls a struct, to plain dictionaries and back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from google.protobuf import struct_pb2  # type: ignore[import-untyped]

from tests.doubles.handler import UNKNOWN, Props

# Pulumi's own markers (sdk/python/lib/pulumi/runtime/rpc.py).
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


def decode(message: struct_pb2.Struct) -> Props:
    """Plain properties: secrets unwrapped, what is not known yet as `UNKNOWN`, None left out."""
    found = {name: _plain(value) for name, value in message.fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def secret_names(message: struct_pb2.Struct) -> set[str]:
    """The top-level properties that are secret, or hold a secret."""
    return {name for name, value in message.fields.items() if _holds_secret(value)}


def encode(properties: Props, secret: Collection[str] = ()) -> struct_pb2.Struct:
    """The struct of plain properties, those named marked secret."""
    message = struct_pb2.Struct()
    for name, value in properties.items():
        sent = _sendable(value)
        message.update({name: {_SIGNATURE: _SECRET, "value": sent} if name in secret else sent})
    return message


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _mapping(value.struct_value)
    if kind == "list_value":
        return [_plain(one) for one in value.list_value.values]
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "null_value":
        return None
    found = getattr(value, kind)
    return UNKNOWN if found == _UNKNOWN else found


def _mapping(message: struct_pb2.Struct) -> Any:
    special = message.fields.get(_SIGNATURE)
    if special is None:
        return decode(message)
    if special.string_value not in {_SECRET, _OUTPUT}:
        raise NotImplementedError("the doubles take no assets, archives or resources as inputs")
    return _plain(message.fields["value"]) if "value" in message.fields else UNKNOWN


def _holds_secret(value: struct_pb2.Value) -> bool:
    message = value.struct_value.fields
    marked = _SIGNATURE in message and message[_SIGNATURE].string_value == _SECRET
    return marked or ("secret" in message and _is_secret_output(value)) or any(map(_holds_secret, _inside(value)))


def _is_secret_output(value: struct_pb2.Value) -> bool:
    message = value.struct_value.fields
    return bool(message[_SIGNATURE].string_value == _OUTPUT and message["secret"].bool_value)


def _inside(value: struct_pb2.Value) -> Iterator[struct_pb2.Value]:
    yield from value.struct_value.fields.values()
    yield from value.list_value.values


def _sendable(value: Any) -> Any:
    if value is UNKNOWN:
        return _UNKNOWN
    if isinstance(value, dict):
        return {key: _sendable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(one) for one in value]
    return value
