"""The script `mpr`: it runs `python -m infra` from anywhere, and creates .venv where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPO

#: Instead of the Makefile: creates a .venv that is complete at once, and notes that it ran.
MAKEFILE = """
.venv/local:
\t@echo "a line of pip"
\t@echo made >>made.log
\t@mkdir -p .venv/bin
\t@ln -sf '{python}' .venv/bin/python
\t@touch .venv/made $@
"""


@dataclass(frozen=True)
class Clone:
    """A copy of the project whose .venv, once there, is the one that runs these tests."""

    root: Path

    def run(
        self, *arguments: str, cwd: Path | None = None, command: str = "./mpr", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments],
            cwd=cwd or self.root,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root), "COLUMNS": "200"} | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def times_made(self) -> int:
        log = self.root / "made.log"
        return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def fresh_clone(project, tmp_path: Path) -> Clone:
    """A clone in a folder with blanks in its name, without .venv."""
    root = tmp_path / "a clone's folder"
    project.root.rename(root)
    shutil.copy(REPO / "mpr", root / "mpr")
    python = tmp_path / "python"
    # A link to the interpreter alone would not find its packages.
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    (root / "Makefile").write_text(MAKEFILE.format(python=python))
    return Clone(root)


@pytest.fixture
def clone(fresh_clone: Clone) -> Clone:
    """The same with its .venv."""
    assert fresh_clone.run("--help").returncode == 0
    return fresh_clone


def succeeds(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert [word for word in words if word not in done.stderr] == []


def test_the_first_use_creates_venv_with_one_line_and_the_second_says_nothing(fresh_clone):
    first = fresh_clone.run("--help")
    assert first.returncode == 0
    assert first.stderr == "creating .venv and installing the requirements (once, a minute or less)\n"
    assert first.stdout.startswith("Usage: ./mpr [OPTIONS] COMMAND")
    (fresh_clone.root / "Makefile").unlink()  # nothing needs it from now on
    assert succeeds(fresh_clone.run("--help")) == first.stdout
    assert fresh_clone.times_made() == 1


def test_two_at_once_create_it_once(fresh_clone):
    slow = (fresh_clone.root / "Makefile").read_text().replace("\t@mkdir", "\t@sleep 0.5\n\t@mkdir")
    (fresh_clone.root / "Makefile").write_text(slow)
    processes = [
        subprocess.Popen(["./mpr", "--help"], cwd=fresh_clone.root, stdout=subprocess.PIPE) for _ in range(3)
    ]
    assert [(process.communicate(timeout=60)[0][:6], process.returncode) for process in processes] == [
        (b"Usage:", 0)
    ] * 3
    assert fresh_clone.times_made() == 1


def test_a_python_that_is_gone_is_replaced(clone):
    python = clone.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    assert clone.run("--help").returncode == 0
    assert clone.times_made() == 2


def test_a_failed_creation_shows_why_and_exits_with_2(fresh_clone):
    (fresh_clone.root / "Makefile").write_text(".venv/local:\n\t@echo no space left; exit 1\n")
    refused(fresh_clone.run("up"), "no space left", "make could not create .venv")


def test_the_python_named_by_the_user_is_the_one_that_make_gets(fresh_clone, tmp_path):
    text = (fresh_clone.root / "Makefile").read_text()
    (fresh_clone.root / "Makefile").write_text(text.replace("echo made", 'echo "$(PYTHON)"'))
    assert fresh_clone.run("--help", PYTHON=sys.executable).returncode == 0
    assert (fresh_clone.root / "made.log").read_text() == f"{sys.executable}\n"


def test_a_missing_python_and_a_missing_make_are_sentences(fresh_clone, tmp_path):
    refused(fresh_clone.run("up", PYTHON="python9.9"), "there is no command python9.9", "PYTHON=python3.12 ./mpr")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (programs / name).symlink_to(str(shutil.which(name)))
    refused(fresh_clone.run("up", PATH=str(programs)), "make creates .venv, and is not on PATH")
    (programs / "make").symlink_to(str(shutil.which("make")))
    refused(fresh_clone.run("up", PATH=str(programs)), "there is no command python3 ")


def test_it_runs_from_any_folder_and_through_links_and_messages_name_what_was_typed(clone, tmp_path):
    elsewhere = tmp_path / "else where"
    (elsewhere / "infra").mkdir(parents=True)  # a package of the same name, in the folder of the user
    (elsewhere / "infra/__init__.py").write_text("raise SystemExit('the wrong one')")
    quoted = f"'{clone.root}/mpr'".replace("clone's", "clone'\"'\"'s")
    assert succeeds(clone.run("--help", cwd=elsewhere, command=str(clone.root / "mpr"))).startswith(
        f"Usage: {quoted} "
    )
    relative = Path("..") / clone.root.name / "mpr"
    (elsewhere / "one").symlink_to(relative)
    (elsewhere / "mpr").symlink_to("one")
    assert succeeds(clone.run("--help", cwd=elsewhere, command="./mpr")).startswith("Usage: ./mpr ")
    on_path = clone.run("--help", cwd=tmp_path, command="mpr", PATH=f"{elsewhere}:{os.environ['PATH']}")
    assert succeeds(on_path).startswith("Usage: mpr ")
    store = clone.run("store", "status", cwd=elsewhere)
    assert store.stdout == "the store is not running: `./mpr store start` starts it\n"


def test_arguments_arrive_as_they_are_and_the_exit_code_comes_back(clone):
    done = clone.run("check", "no such * 'one'")
    assert (done.returncode, "there is no environment \"no such * 'one'\"" in done.stderr) == (2, True)
    assert clone.run("store", "status").returncode == 1


def test_a_completion_creates_nothing(fresh_clone):
    done = fresh_clone.run(_MPR_COMPLETE="bash_complete", COMP_WORDS="./mpr ", COMP_CWORD="1")
    assert (succeeds(done), fresh_clone.times_made()) == ("", 0)


def test_a_module_that_is_missing_in_venv_is_a_sentence_that_says_how_to_install_it(clone):
    python = clone.root / ".venv/bin/python"
    python.unlink()
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -S \"$@\"\n")  # without site-packages
    python.chmod(0o755)
    refused(clone.run("up"), "error: ./mpr needs the module click", "rm .venv/local")


def test_it_is_a_script_of_the_posix_shell():
    assert os.access(REPO / "mpr", os.X_OK)
    for shell in filter(None, map(shutil.which, ("dash", "bash", "busybox"))):
        arguments = ["sh", "-n"] if shell.endswith("busybox") else ["-n"]
        assert subprocess.run([shell, *arguments, REPO / "mpr"], check=False).returncode == 0
