"""The commands and the program of docs/tutorial.md in a new clone, in order, with the output that it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.docs._blocks import all_blocks, commands, matches, output

PAGE = (REPO / "docs/tutorial.md").read_text(encoding="utf-8")
COPIED = ("core", "infra", "environments", "requirements", "docs/pictures", "mpr", "Makefile", "__main__.py")
_ENDPOINT = re.compile(r"http://127\.0\.0\.1:\d+")


class Clone:
    """A copy of the repository, whose `.venv` is that of these tests, without Pulumi and without a network."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (REPO / name).is_dir():
                shutil.copytree(
                    REPO / name, target, ignore=shutil.ignore_patterns("__pycache__", "*.env", "*.lock")
                )
            else:
                shutil.copy(REPO / name, target)
        for file in (root / "requirements").iterdir():
            os.utime(file, (0, 0))  # older than what is installed
        (root / ".venv").symlink_to(sys.prefix)

    def run(self, lines: list[str]) -> str:
        """Run commands in one shell, and return what they print."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.root), "HTTPS_PROXY": "http://127.0.0.1:1"}
        done = subprocess.run(
            ["bash", "-ec", "\n".join(lines)],
            cwd=self.root,
            env=environment | {"LANG": "C.UTF-8", "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    if not (Path(sys.prefix) / "local").exists():
        pytest.skip("the tests do not run in the .venv of `make .venv/dev`: `make up` would create another one")
    made = Clone(tmp_path / "mpr-storage")
    yield made
    if (made.root / ".local").exists():
        made.run(["./mpr store stop"])


@pytest.mark.flow
@pytest.mark.timeout(400)
def test_the_tutorial_works_word_for_word_in_a_new_clone(clone):
    ran = 0
    for block in all_blocks(PAGE):
        if block.not_run:
            continue
        if block.language == "python":
            (clone.root / "first.py").write_text(block.content, encoding="utf-8")
            continue
        printed = _ENDPOINT.sub("http://127.0.0.1:8333", clone.run(commands(block.content)))
        if shown := output(block.content):
            assert matches(shown, printed), f"{block.content}\nprinted instead:\n{printed}"
        ran += 1
    assert ran == 4
    assert not list((clone.root / "environments").glob("*.env"))
