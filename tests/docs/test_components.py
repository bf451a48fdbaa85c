"""The programs of docs/how-to/components.md agree. tests/engine/test_component.py deploys two of them."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from typing import Any

import yaml

from infra.config.load import parse
from tests.conftest import REPO
from tests.docs._blocks import blocks

PAGE = (REPO / "docs" / "how-to" / "components.md").read_text(encoding="utf-8")


def of_yaml() -> Any:
    return yaml.safe_load(blocks(PAGE, "yaml")[0])["resources"]["prod"]["properties"]


def test_the_settings_in_yaml_are_valid():
    assert parse("prod", of_yaml(), "the page").target == "aws"


def test_the_python_program_has_the_same_settings():
    block, _ = blocks(PAGE, "python")
    (call,) = (
        node
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Storage"
    )
    assert [ast.literal_eval(argument) for argument in call.args] == ["prod", of_yaml()]


#: Runs a program with mocks: the stack that it refers to has these outputs. Prints what it exports.
_WITH_MOCKS = """
import sys
import pulumi

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        viewer = {"S3_BUCKET_OUT": "mpr-prod-out", "AWS_SECRET_ACCESS_KEY": "hush"}
        return args.name, args.inputs | {"outputs": {"identities": {"viewer": viewer}}, "secretOutputNames": []}

    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Mocks())
exported = {}
pulumi.export = exported.__setitem__

@pulumi.runtime.test
def run():
    exec(sys.stdin.read(), {})
    return exported["frames"].apply(print)

run()
"""


def test_the_program_with_a_stack_reference_reads_the_variables_of_an_identity():
    _, block = blocks(PAGE, "python")
    command = [sys.executable, "-c", _WITH_MOCKS]
    done = subprocess.run(command, input=block, capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout.strip() == "mpr-prod-out"


def test_the_typescript_program_has_the_same_settings():
    (block,) = blocks(PAGE, "typescript")
    found = re.search(r'new Storage\("prod", (\{\n.*?^\})\)', block, re.DOTALL | re.MULTILINE)
    assert found
    quoted = re.sub(r"(\w+): ", r'"\1": ', found[1])
    assert json.loads(re.sub(r",\s*(?=[}\]])", "", quoted)) == of_yaml()
