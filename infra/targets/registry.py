"""All targets."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from infra.targets.spec import TargetSpec

#: The folders of the targets, in the order of the table in docs/reference/settings.md.
_FOLDERS = ("s3_compatible", "aws", "gcp", "r2")

_SPECS: tuple[TargetSpec, ...] = tuple(import_module(f"infra.targets.{folder}.spec").SPEC for folder in _FOLDERS)
TARGETS: Mapping[str, TargetSpec] = {spec.name: spec for spec in _SPECS}
