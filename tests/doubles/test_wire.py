from __future__ import annotations

from typing import Any

from google.protobuf import struct_pb2  # type: ignore[import-untyped]

from tests.doubles.handler import UNKNOWN
from tests.doubles.wire import decode, encode, secret_names


def test_encoding_and_decoding_keeps_values_and_their_types():
    values: dict[str, Any] = {
        "text": "t",
        "whole": 3,
        "half": 0.5,
        "flag": True,
        "list": [1, {"deep": UNKNOWN}],
        "empty": {},
    }
    found = decode(encode(values))
    assert found == values
    assert isinstance(found["whole"], int)
    assert found["flag"] is True
    assert found["list"][1]["deep"] is UNKNOWN


def test_encoded_secrets_are_marked_and_decoded_as_plain_values():
    message = encode({"open": "a", "secret": {"inner": "b"}, "later": UNKNOWN}, secret={"secret", "later"})
    assert secret_names(message) == {"secret", "later"}
    assert decode(message) == {"open": "a", "secret": {"inner": "b"}, "later": UNKNOWN}


def test_a_property_with_a_nested_secret_is_a_secret():
    inner = encode({"x": "y"}, secret={"x"})
    message = struct_pb2.Struct()
    message.fields["outer"].list_value.values.add().struct_value.CopyFrom(inner)
    assert secret_names(message) == {"outer"}
