"""The state of the stack after its last update, as far as the program of a cloud target depends on it.

Which buckets the environment adopted must be known also after the setting `adopt` was removed. So that is an
output of the component `Bucket`, and is read from the state here, as is the name that a bucket had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from infra.env.outputs import ADOPTED, BUCKET_COMPONENT

_FUNCTION = "pulumi:pulumi:readStackResourceOutputs"


@dataclass(frozen=True)
class State:
    """The resources in the state by their URNs, each with its `type` and `outputs`."""

    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def adopted(self) -> frozenset[str]:
        """The names of the adopted buckets."""
        return frozenset(outputs["name"] for outputs in self._outputs(BUCKET_COMPONENT) if outputs.get(ADOPTED))

    def bucket_name(self, component: str) -> str | None:
        """Return the name of the bucket in a component of this name; None if there is none."""
        for urn, resource in self.resources.items():
            if urn.endswith(f"{BUCKET_COMPONENT}::{component}"):
                name: str | None = resource["outputs"].get("name")
                return name
        return None

    def names(self, kind: str) -> frozenset[str]:
        """Return the names of the resources of a type."""
        return frozenset(outputs["name"] for outputs in self._outputs(kind))

    def _outputs(self, kind: str) -> list[Mapping[str, Any]]:
        return [
            resource["outputs"]
            for resource in self.resources.values()
            if resource["type"] == kind and "name" in resource["outputs"]
        ]


def read() -> State:
    """Return the state of the current stack; it is empty before the first update."""
    try:
        outputs = _read(f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}")
    except Exception:  # noqa: BLE001  # Pulumi raises no other: a file backend in its first layout has short names
        outputs = _read(pulumi.get_stack())
    return State(outputs)


def _read(stack: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the resources of a stack by their URNs."""
    result = pulumi.runtime.invoke(_FUNCTION, {"stackName": stack}).value or {}
    outputs: Mapping[str, Mapping[str, Any]] | None = result.get("outputs")
    return outputs or {}
