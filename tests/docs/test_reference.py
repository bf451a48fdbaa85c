"""The pages in docs/reference are complete, and their generated parts are those of the code."""

from __future__ import annotations

import re

import pytest

import core.storage
from core.storage import Settings
from core.storage.settings import ENV_FILE_VARIABLE, variables
from docs._generate import errors, library
from docs._generate.regions import PAGES, REGIONS, filled, names
from infra import cli
from infra.errors import InfraError, UnreachableError, UsageError
from tests.conftest import REPO
from tests.docs._blocks import all_blocks

REFERENCE = REPO / "docs/reference"


def text_of(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_generated_parts_of_a_page_are_those_of_the_code(page):
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, f"run `make reference`, which writes {page.name} again"


def test_each_region_is_on_one_page():
    shown = [name for page in PAGES for name in names(page.read_text(encoding="utf-8"))]
    assert sorted(shown) == sorted(REGIONS)


def test_every_public_name_of_the_library_is_on_its_page():
    assert set(library.SECTIONS) <= set(REGIONS)
    page = text_of("library.md")
    assert [name for name in library.WITHOUT_SECTION if f"`{name}`" not in page] == []


def test_every_public_function_has_an_example():
    python = "\n".join(block.content for block in all_blocks(text_of("library.md")) if block.language == "python")
    functions = [name for name in library.SECTIONS if name.islower()]
    assert [name for name in [*functions, "FrameCache"] if f"{name}(" not in python] == []


def test_every_error_of_the_library_has_advice():
    advice = text_of("errors.md").partition("The table says what to do about each.")[2].partition("<!--")[0]
    classes = [name for name in core.storage.__all__ if name.endswith("Error") and name != "StorageError"]
    assert [name for name in classes if f"\n| `{name}` | " not in advice] == []


def test_every_kind_of_mistake_in_a_configuration_is_one():
    assert [mistake for settings, mistake in errors.MISTAKES if not errors.problems(settings | mistake)] == []


def test_the_page_of_the_commands_names_every_command_and_every_exit_code():
    page = text_of("commands.md")
    assert [name for name in cli._COMMANDS if f"python -m infra {name}" not in page] == []
    codes = {0, cli.INTERRUPTED, *(error.exit_code for error in (InfraError, UsageError, UnreachableError))}
    table = page.partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == codes


def test_the_page_of_env_files_names_every_variable():
    table = text_of("env-file.md").partition("## Variables")[2].partition("\n## ")[0]
    written = Settings(endpoint_url="http://127.0.0.1:1", region="us-east-1").to_env()
    every = {name for _, row in variables() for name in row.names} | set(written) | {ENV_FILE_VARIABLE}
    rows = re.findall(r"^\| (`.+?`) \| ", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == every


def test_the_start_page_links_every_page():
    start = (REPO / "docs/index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(REPO / "docs") for page in (REPO / "docs").rglob("*.md")]
    assert [str(page) for page in pages if page.name != "index.md" and f"]({page})" not in start] == []


@pytest.mark.parametrize("page", ["README.md", "examples/pipeline/README.md", "examples/cluster/README.md"])
def test_every_link_of_a_page_outside_the_site_leads_to_a_file(page):
    folder = (REPO / page).parent
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (REPO / page).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (folder / link).exists()] == []
