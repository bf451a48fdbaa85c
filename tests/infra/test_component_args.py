"""The arguments of the component, compared with the settings, and the package that hosts it, without an engine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pulumi
import pytest

from infra.component_args import StorageArgs
from infra.components import Storage
from infra.config.definitions import CONFIGURATION, SECRETS
from infra.config.environment import ConfigError
from infra.config.setting import Days, Either, Flag, List, Map, Section, Setting, Text
from tests.conftest import REPO

AWS: Any = {"target": "aws", "region": "eu-west-1"}


def mismatches(annotation: Any, kind: Setting, path: str = "") -> Iterator[str]:
    """Yield the paths at which the type of an argument is not that of its setting."""
    if isinstance(kind, Section):
        settings = {name: inner for name, inner in kind.keys.items() if path or name not in SECRETS}
        types = get_type_hints(annotation) if is_typeddict(annotation) else {}
        required = {name for name, inner in settings.items() if inner.required}
        if types.keys() != settings.keys() or annotation.__required_keys__ != required:
            yield path
        for name in types.keys() & settings.keys():
            yield from mismatches(types[name], settings[name], f"{path}.{name}".strip("."))
    elif isinstance(kind, List | Map):
        origin, arguments = (list, 1) if isinstance(kind, List) else (dict, 2)
        if get_origin(annotation) is not origin or len(get_args(annotation)) != arguments:
            yield path
        else:
            yield from mismatches(get_args(annotation)[-1], kind.of, f"{path}[]")
    elif annotation is not {Text: str, Flag: bool, Days: int, Either: Any}[type(kind)]:
        yield path


def test_the_arguments_are_the_settings_but_for_secrets_and_have_their_types():
    assert list(mismatches(StorageArgs, CONFIGURATION)) == []


@pytest.mark.parametrize("setting", SECRETS)
def test_an_access_key_is_refused_as_an_argument(setting):
    with pytest.raises(ConfigError, match=f"component x:\n  {setting}: not an argument; set MPR_"):
        Storage("x", AWS | {setting: "AKIA"})


def test_outputs_are_refused_with_their_paths():
    async def define() -> None:
        late = pulumi.Output.from_input("x")
        args: Any = {"tags": {"a": late}, "identities": [{"name": late}], "buckets": {"in": {"name": late}}}
        args |= AWS
        Storage("x", args)

    with pytest.raises(ConfigError) as refused:
        asyncio.run(define())
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "tags.a",
        "identities[0].name",
        "buckets.in.name",
    ]
    assert "is an output, and must be known before the update" in str(refused.value)


def printed(expression: str) -> Any:
    """Return the value of an expression about the provider, which is JSON.

    In a process of its own: Pulumi's providers and the doubles both define the protocol buffers of `google.rpc`.
    """
    code = f"import json; from component.__main__ import Provider; print(json.dumps({expression}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def descriptions(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield the description of every property by its path."""
    storage = schema["resources"]["mpr-storage:index:Storage"]
    sections = {"": storage["inputProperties"], "outputs": storage["properties"]}
    sections |= {name.rpartition(":")[2]: section["properties"] for name, section in schema["types"].items()}
    for section, properties in sections.items():
        for name, value in properties.items():
            yield f"{section}.{name}".strip("."), value.get("description", "")


def test_the_schema_of_the_package_has_the_descriptions_of_the_settings():
    found = dict(descriptions(printed("json.loads(Provider().schema)")))
    assert [path for path, description in found.items() if not description] == []
    assert found["target"] == "The kind of platform. One of s3-compatible, aws, gcp, r2."
    assert found["project"] == CONFIGURATION.keys["project"].description
    assert found["ExpirySettings.days"] == "Days after which they are deleted."
    assert found["EksSettings.serviceAccounts"] == "Its service accounts."


def test_numbers_of_the_engine_are_whole_and_unknown_inputs_are_kept():
    inputs = {"maxKeyAgeDays": 30.0, "buckets": {"out": {"expire": [{"days": 7.0}]}}, "odd": 0.5, "unknown": True}
    mapped = {"maxKeyAgeDays": 30, "buckets": {"out": {"expire": [{"days": 7}]}}, "odd": 0.5, "unknown": True}
    assert json.dumps(printed(f"Provider().map_inputs({inputs}, None)")) == json.dumps(mapped)
