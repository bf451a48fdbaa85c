"""Every block of code in the documentation is run or checked by a test, or says why it is not."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from core.storage import __main__ as library
from tests.command_line import read_arguments
from tests.conftest import REPO
from tests.docs._blocks import all_blocks, blocks, commands

PAGES = [
    REPO / "README.md",
    *sorted((REPO / "docs").rglob("*.md")),
    *sorted(REPO.glob("examples/*/README.md")),
]
LANGUAGES = ("console", "python", "yaml", "sh")
SCHEMA = "tests/infra/config/test_schema.py"

#: The number of blocks of a page and a language that a test runs or checks, and the test. All others have the
#: comment `<!-- not run: reason -->` in the line before them.
TESTED: dict[tuple[str, str], tuple[int, str]] = {
    ("README.md", "console"): (3, "tests/docs/test_readme.py"),
    ("README.md", "python"): (1, "tests/docs/test_readme.py"),
    ("docs/how-to/applications.md", "console"): (8, "tests/docs/test_applications.py"),
    ("docs/how-to/applications.md", "python"): (9, "tests/docs/test_applications.py"),
    ("docs/how-to/applications.md", "sh"): (2, "tests/docs/test_applications.py"),
    ("docs/how-to/asyncio.md", "python"): (3, "tests/docs/test_asyncio.py"),
    ("docs/how-to/ci.md", "sh"): (3, "tests/test_workflows.py"),
    ("docs/how-to/clouds.md", "yaml"): (5, SCHEMA),
    ("docs/how-to/commands.md", "console"): (2, "tests/docs/test_commands.py"),
    ("docs/how-to/components.md", "python"): (2, "tests/docs/test_components.py"),
    ("docs/how-to/components.md", "yaml"): (2, "tests/docs/test_components.py"),
    ("docs/how-to/frame-cache.md", "python"): (2, "tests/docs/test_own_files.py"),
    ("docs/how-to/keys.md", "python"): (1, "tests/docs/test_own_files.py"),
    ("docs/how-to/kubernetes.md", "yaml"): (1, "tests/docs/test_every_block.py"),
    ("docs/how-to/moving.md", "yaml"): (1, SCHEMA),
    ("docs/how-to/objects.md", "python"): (7, "tests/docs/test_objects.py"),
    ("docs/how-to/operating.md", "python"): (1, "tests/docs/test_own_files.py"),
    ("docs/how-to/operating.md", "yaml"): (1, "tests/docs/test_every_block.py"),
    ("docs/how-to/rotation.md", "yaml"): (1, SCHEMA),
    ("docs/reference/errors.md", "python"): (1, "tests/docs/test_examples.py"),
    ("docs/reference/library.md", "python"): (24, "tests/docs/test_examples.py"),
    ("docs/reference/settings.md", "yaml"): (2, "tests/docs/test_settings.py"),
    ("docs/reference/transfers.md", "python"): (2, "tests/docs/test_own_files.py"),
    ("docs/tutorial.md", "console"): (4, "tests/docs/test_tutorial.py"),
    ("docs/tutorial.md", "python"): (1, "tests/docs/test_tutorial.py"),
    ("examples/cluster/README.md", "yaml"): (1, "tests/docs/test_every_block.py"),
}


def name_of(page: Path) -> str:
    return str(page.relative_to(REPO))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_run_by_a_test_or_says_why_not(page):
    unmarked = Counter(
        block.language
        for block in all_blocks(page.read_text(encoding="utf-8"))
        if block.language in LANGUAGES and not block.not_run
    )
    tested = {language: number for (name, language), (number, _) in TESTED.items() if name == name_of(page)}
    advice = "run a new block in a test and count it in TESTED, or write `<!-- not run: reason -->` before it"
    assert dict(unmarked) == tested, advice


@pytest.mark.parametrize(("page", "language"), TESTED, ids=" ".join)
def test_the_test_of_a_block_reads_its_page(page, language):
    source = (REPO / TESTED[page, language][1]).read_text(encoding="utf-8")
    assert Path(page).stem in source or "rglob" in source


def test_each_reason_is_a_clause():
    reasons = [block.not_run for page in PAGES for block in all_blocks(page.read_text(encoding="utf-8"))]
    assert [reason for reason in reasons if reason and len(reason.split()) < 3] == []
    written = sum(page.read_text(encoding="utf-8").count("<!-- not run:") for page in PAGES)
    assert len([reason for reason in reasons if reason]) == written, "a comment is not right before its block"


def shown_commands(*programs: str) -> list[Any]:
    """Return the words after one of the programs, for each command of a console or sh block."""
    found = []
    for page in PAGES:
        for block in all_blocks(page.read_text(encoding="utf-8")):
            if block.language not in ("console", "sh"):
                continue
            for line in commands(block.content) if block.language == "console" else block.content.splitlines():
                text = re.sub(r"<(\w+)>", r"\1", line.partition(" #")[0])
                for program in programs:
                    calls = re.findall(rf"(?:^|\s){re.escape(program)} ([^|;&>\n]+)", text)
                    found += [pytest.param(shlex.split(words), id=f"{page.name}: {line}") for words in calls]
    return found


@pytest.mark.parametrize("words", shown_commands("python -m infra", ".venv/bin/python -m infra", "./mpr"))
def test_the_command_line_accepts_every_command_that_is_shown(words):
    read_arguments(words)


@pytest.mark.parametrize("words", shown_commands("python -m core.storage", ".venv/bin/python -m core.storage"))
def test_the_library_accepts_every_command_that_is_shown(words):
    library._parser().parse_args(words)


@pytest.mark.parametrize("words", shown_commands("make"))
def test_make_has_every_target_that_is_shown(words):
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for target in (word for word in words if "=" not in word):
        assert re.search(rf"^([\w./ -]+ )?{re.escape(target)}( [\w./ -]+)?:", makefile, re.MULTILINE), target


def test_the_stack_is_created_before_it_is_deployed():
    page = (REPO / "docs/how-to/stores.md").read_text(encoding="utf-8")
    (sequence,) = [commands(block) for block in blocks(page, "console") if "pulumi up" in block]
    stack = next(command for command in sequence if command.startswith("pulumi up -s ")).split()[-1]
    assert sequence.index(f"pulumi stack init {stack}") < sequence.index(f"pulumi up -s {stack}")


def pod_specs() -> Iterator[Any]:
    """Yield the parts of pods that pages show, as whole pods."""
    container = {"name": "frames", "image": "registry.example/frames:1"}
    page = {name: (REPO / name).read_text(encoding="utf-8") for name, _ in TESTED}
    (part,) = map(yaml.safe_load, blocks(page["docs/how-to/kubernetes.md"], "yaml"))
    yield pytest.param({"containers": [container | part["containers"][0]]}, id="kubernetes.md")
    (part,) = map(yaml.safe_load, blocks(page["docs/how-to/operating.md"], "yaml"))
    yield pytest.param({"containers": [container | part]}, id="operating.md")
    (cluster,) = map(yaml.safe_load, blocks(page["examples/cluster/README.md"], "yaml"))
    yield pytest.param(cluster["spec"]["worker"]["spec"], id="cluster/README.md")


@pytest.mark.parametrize("spec", list(pod_specs()))
def test_the_parts_of_a_pod_that_a_page_shows_are_valid(spec):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shown"}, "spec": spec}
    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
