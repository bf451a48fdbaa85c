"""The JSON schema of stack files, for editors. ``python -m infra.config.schema`` writes the file."""

from __future__ import annotations

import json

from infra.config.definitions import CONFIGURATION
from infra.config.identities import ROLES
from infra.config.setting import Schema
from infra.config.stack_files import ENVIRONMENTS, NAMESPACE
from infra.config.stack_yaml import OTHER_NAMESPACES, TOP_LEVEL
from infra.targets.registry import TARGETS
from infra.targets.spec import TargetSpec

FILE = ENVIRONMENTS / "schema.json"


def schema() -> Schema:
    """Return the schema of a whole file."""
    config = CONFIGURATION.schema()
    config |= {
        "properties": {f"{NAMESPACE}:{name}": setting for name, setting in config["properties"].items()},
        "patternProperties": {f"^({'|'.join(OTHER_NAMESPACES)}):": {}},
        "required": [f"{NAMESPACE}:{name}" for name in config["required"]],
        "allOf": [_restrictions(spec) for spec in TARGETS.values()],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"An environment of {NAMESPACE}",
        "type": "object",
        "properties": {key: config if key == "config" else {} for key in TOP_LEVEL},
        "additionalProperties": False,
        "required": ["config"],
        "definitions": {
            "encrypted": {
                "description": "A value that Pulumi encrypted: `pulumi config set --secret`.",
                "type": "object",
                "properties": {"secure": {"type": "string"}},
                "additionalProperties": False,
                "required": ["secure"],
            }
        },
    }


def text() -> str:
    """Return the content of environments/schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _restrictions(spec: TargetSpec) -> Schema:
    """Return what holds for one target alone."""
    target, credentials = f"{NAMESPACE}:target", f"{NAMESPACE}:credentials"
    restrictions = [
        {"properties": {credentials: {"enum": list(spec.credentials), "default": spec.credentials[0]}}},
        *(_required(setting) for setting in spec.required),
        *(_refused(setting, instead) for setting, instead in spec.refused.items()),
    ]
    return {
        "if": {"properties": {target: {"const": spec.name}}, "required": [target]},
        "then": {"allOf": restrictions},
    }


def _required(setting: str) -> Schema:
    section, _, key = setting.rpartition(".")
    if not section:
        return {"required": [f"{NAMESPACE}:{key}"]}
    inner: Schema = {"required": list(ROLES), "properties": {role: {"required": [key]} for role in ROLES}}
    return {"required": [f"{NAMESPACE}:{section}"], "properties": {f"{NAMESPACE}:{section}": inner}}


def _refused(setting: str, instead: str) -> Schema:
    section, _, key = setting.rpartition(".")
    refusal: Schema = {"not": {}, "errorMessage": f"not supported by this target: {instead}"}
    if not section:
        return {"properties": {f"{NAMESPACE}:{key}": refusal}}
    inner: Schema = {"properties": {key: refusal}}
    inner = {"items": inner} if section == "identities" else {"properties": dict.fromkeys(ROLES, inner)}
    return {"properties": {f"{NAMESPACE}:{section}": inner}}


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
