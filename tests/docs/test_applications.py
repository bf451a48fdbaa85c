"""Check docs/how-to/applications.md: the blocks of each section are the files and commands of an application."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.docs._blocks import commands, matches

PAGE = (REPO / "docs" / "how-to" / "applications.md").read_text(encoding="utf-8")
SECTIONS = dict(section.split("\n", 1) for section in PAGE.split("\n## ")[1:])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE_NAME = re.compile(r"# (\S+)\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for PYTHONPATH with the content of the wheel: the library, and nothing else of the clone."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(REPO / "core/storage", folder / "core/storage", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("title", SECTIONS)
def test_the_files_and_commands_of_each_section_do_what_the_page_shows(title, installed, tmp_path):
    blocks = _BLOCK.findall(SECTIONS[title])
    assert "console" in dict(blocks)
    for language, content in blocks:
        if language == "console":
            shown = "".join(line for line in content.splitlines(keepends=True) if not line.startswith("$ "))
            printed = run(commands(content), tmp_path, installed)
            assert matches(shown, printed), f"{content}\nprinted instead:\n{printed}"
        else:
            write(content, tmp_path)


def write(content: str, folder: Path) -> None:
    """Write the file that a block shows; its name is in the first line."""
    name = _FILE_NAME.match(content)
    assert name, f"the first line must be a comment with the name of the file:\n{content}"
    file = folder / name[1]
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8")


def run(lines: list[str], folder: Path, installed: Path) -> str:
    """Run the commands of one block in one shell, and return what they print."""
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout
