"""The programs of docs/components.md say the same in each language. tests/engine/test_component.py deploys two."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import yaml

from infra.config.load import parse
from tests.conftest import REPO
from tests.docs._blocks import blocks

PAGE = (REPO / "docs" / "components.md").read_text(encoding="utf-8")


def of_yaml() -> Any:
    return yaml.safe_load(blocks(PAGE, "yaml")[0])["resources"]["prod"]["properties"]


def test_the_settings_in_yaml_are_valid():
    assert parse("prod", of_yaml(), "the page").target == "aws"


def test_the_python_program_has_the_same_settings():
    (block,) = blocks(PAGE, "python")
    (call,) = (
        node
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Storage"
    )
    assert [ast.literal_eval(argument) for argument in call.args] == ["prod", of_yaml()]


def test_the_typescript_program_has_the_same_settings():
    (block,) = blocks(PAGE, "typescript")
    found = re.search(r'new Storage\("prod", (\{\n.*?^\})\)', block, re.DOTALL | re.MULTILINE)
    assert found
    quoted = re.sub(r"(\w+): ", r'"\1": ', found[1])
    assert json.loads(re.sub(r",\s*(?=[}\]])", "", quoted)) == of_yaml()
