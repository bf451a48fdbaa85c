# ruff: noqa: INP001  # a folder for Pulumi, not a package of Python
"""The provider of the package `mpr-storage`: the component `Storage` for Pulumi programs in every language.

Pulumi runs this folder with the Python environment that it makes from requirements.txt
(docs/how-to/components.md).
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.analyzer import ComponentDefinition
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # neither `core` nor `infra` is installed

from core.storage import StorageError
from infra import components
from infra.component_args import StorageArgs
from infra.config.definitions import CONFIGURATION
from infra.config.setting import Section, Setting, Text
from infra.errors import InfraError, UsageError

PACKAGE = "mpr-storage"
ROOT = str(Path(__file__).resolve().parent.parent)


# The host reads its annotations, so that this module has no `from __future__ import annotations`.
class Storage(components.Storage):
    """The storage of an environment: its bucket pair, and its identities with their access keys."""

    in_bucket: pulumi.Output[str]
    """The name of the in bucket."""
    out_bucket: pulumi.Output[str]
    """The name of the out bucket."""
    identities: pulumi.Output[dict[str, dict[str, str]]]
    """The variables of the env contract by identity; secret if there are access keys among them."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if args.get("target") == "s3-compatible":
            _require_dynamic_providers(name)
        super().__init__(name, args, opts)


class Provider(ComponentProvider):
    """Pulumi's component provider, with the descriptions and the errors of the configuration."""

    def __init__(self) -> None:
        super().__init__([Storage], PACKAGE)
        schema = json.loads(self.schema or "")
        storage = schema["resources"][f"{PACKAGE}:index:Storage"]
        _describe(schema["types"], storage["inputProperties"], CONFIGURATION)
        self.schema = json.dumps(schema)

    def map_inputs(
        self,
        inputs: pulumi.Inputs,
        component_def: ComponentDefinition,  # noqa: ARG002  # the host passes it
    ) -> pulumi.Inputs:
        """Return all inputs, unknown ones too: the configuration refuses them, and the host would drop them."""
        return {name: _plain(value) for name, value in inputs.items()}

    def construct(
        self, name: str, resource_type: str, inputs: pulumi.Inputs, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """Create the component. Errors that the user can act on are shown without a traceback."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, InfraError | StorageError):
                raise InputPropertiesError(str(error.inner), []) from error
            raise


def _describe(types: Mapping[str, Any], properties: Mapping[str, Any], section: Section) -> None:
    """Add the descriptions of settings to their properties in the schema, and to the types of these."""
    for name, schema in properties.items():
        kind = section.keys[name]
        schema["description"] = _description(kind)
        item = getattr(kind, "of", kind)  # of a list or a map
        if isinstance(item, Section):
            reference = schema.get("items", schema.get("additionalProperties", schema))["$ref"]
            _describe(types, types[reference.rpartition("/")[2]]["properties"], item)


def _description(kind: Setting) -> str:
    choices = kind.choices if isinstance(kind, Text) else ()
    return kind.description + (f" One of {', '.join(choices)}." if choices else "")


def _plain(value: Any) -> Any:
    """Return a value with whole numbers as `int`: all numbers that the engine sends are `float`."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _require_dynamic_providers(name: str) -> None:
    """Refuse a target whose resources Pulumi could not create.

    They have dynamic providers, which Pulumi runs in a Python process of its own: in `python3`, or what
    PULUMI_PYTHON_CMD says, without the folder of this package in its path.

    Raises:
        UsageError: with the variables to set.
    """
    if os.environ.get("PULUMI_PYTHON_CMD") and ROOT in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        return
    raise UsageError(
        f"component {name}: target s3-compatible runs code of this package in a Python process of Pulumi: set "
        f"PULUMI_PYTHON_CMD={sys.executable} and PYTHONPATH={ROOT} for every pulumi command of this stack, or "
        "deploy the environment with the program of mpr-storage itself (docs/how-to/components.md)"
    )


if __name__ == "__main__":
    main(Provider(), sys.argv[1:])
