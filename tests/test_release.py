"""The version of a release is the same everywhere, and the address of the repository is in one place."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPO

PROJECT: dict[str, Any] = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def test_every_file_has_the_version_of_the_project():
    version = PROJECT["version"]
    assert yaml.safe_load((REPO / "CITATION.cff").read_text())["version"] == version
    first = re.search(r"^## (\S+)", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first
    assert first[1] == version


def test_the_placeholder_of_the_owner_is_in_one_file():
    found = subprocess.run(
        [
            "grep",
            "--recursive",
            "--files-with-matches",
            "--exclude-dir=.*",
            "-I",
            "--include=*.*",
            "/OWNER/",
            str(REPO),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert {Path(line).name for line in found.stdout.splitlines()} <= {"pyproject.toml", "test_release.py"}
