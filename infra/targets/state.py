"""The state of the stack after its last update, as far as the program of a cloud target depends on it.

Which buckets the environment adopted must be known also after the setting `adopt` was removed. So that is an
output of the component `Bucket`, and is read from the state here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.env.outputs import ADOPTED, BUCKET_COMPONENT

_FUNCTION = "pulumi:pulumi:readStackResourceOutputs"


@dataclass(frozen=True)
class State:
    """The resources in the state, each with its `type` and `outputs`."""

    resources: Sequence[Mapping[str, Any]] = ()

    @property
    def adopted(self) -> frozenset[str]:
        """The names of the adopted buckets."""
        return frozenset(outputs["name"] for outputs in self._outputs(BUCKET_COMPONENT) if outputs.get(ADOPTED))

    def names(self, kind: str) -> frozenset[str]:
        """Return the names of the resources of a type."""
        return frozenset(outputs["name"] for outputs in self._outputs(kind))

    def _outputs(self, kind: str) -> list[Mapping[str, Any]]:
        return [
            resource["outputs"]
            for resource in self.resources
            if resource["type"] == kind and "name" in resource["outputs"]
        ]


def read() -> State:
    """Return the state of the current stack; it is empty before the first update."""
    try:
        outputs = _read(f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}")
    except Exception:  # noqa: BLE001  # Pulumi raises no other: a file backend in its first layout has short names
        outputs = _read(pulumi.get_stack())
    return State(list(outputs.values()))


def _read(stack: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the resources of a stack by their URNs."""
    result = pulumi.runtime.invoke(_FUNCTION, {"stackName": stack}).value or {}
    outputs: Mapping[str, Mapping[str, Any]] | None = result.get("outputs")
    return outputs or {}
