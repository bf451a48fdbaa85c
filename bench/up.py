"""Measure `pulumi up`, the first one and one without a change, as ratios to an empty Python Pulumi program.

    python -m bench.up [--rounds N] [--json FILE]

Every program is a git checkout (Pulumi reads the commit), run in one virtual environment, on file backends of one
kind, with the same flags. Their runs alternate, so that a slow phase of the machine affects all of them. The store
runs before the first measurement. A program with one dynamic resource that does nothing shows what such a resource
costs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.job import REPO
from bench.report import markdown
from bench.results import JSON_HELP, part, save
from bench.store import KEYS, store

#: The ratio of our median to that of the empty program, at most.
TARGETS = {"fresh": 2.0, "no-op": 1.3}
STACK = "local"
UP = ("up", "--yes", "--non-interactive", "--stack", STACK)
_NOTHING = """
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class Provider(ResourceProvider):
    def diff(self, _id, olds, news):
        return DiffResult(changes=False)

    def create(self, props):
        return CreateResult("a", props)


class Nothing(Resource):
    pass
"""


@dataclass
class Program:
    """A Pulumi project in a folder of its own, and the seconds that its runs took."""

    folder: Path
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TARGETS})

    def pulumi(self, *arguments: str) -> float:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),
            "PULUMI_HOME": str(self.folder.parent / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder.with_suffix('.state')}",
            "PULUMI_CONFIG_PASSPHRASE": "bench",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "MPR_ADMIN_ACCESS_KEY_ID": KEYS["AWS_ACCESS_KEY_ID"],
            "MPR_ADMIN_SECRET_ACCESS_KEY": KEYS["AWS_SECRET_ACCESS_KEY"],
        }
        start = time.perf_counter()
        done = subprocess.run(
            ["pulumi", *arguments],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(f"pulumi {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return round(seconds, 3)

    def measure(self) -> None:
        """Deploy, deploy once more without a change, and destroy; only the first two are measured."""
        self.pulumi("stack", "init", "--non-interactive", STACK)
        self.seconds["fresh"].append(self.pulumi(*UP))
        self.seconds["no-op"].append(self.pulumi(*UP))
        self.pulumi("destroy", "--skip-preview", *UP[1:])
        self.pulumi("stack", "rm", "--yes", "--preserve-config", STACK)


def _project(folder: Path) -> Program:
    (folder / "environments").mkdir(parents=True)
    folder.with_suffix(".state").mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copy(REPO / "Pulumi.yaml", folder)
    return Program(folder)


def empty(folder: Path) -> Program:
    program = _project(folder)
    (folder / "__main__.py").write_text('"""Nothing."""\n')
    return _committed(program)


def one_dynamic_resource(folder: Path) -> Program:
    """Create a program that starts the process of a dynamic provider, and does nothing else."""
    program = _project(folder)
    (folder / "nothing.py").write_text(_NOTHING)
    (folder / "__main__.py").write_text("from nothing import Nothing, Provider\n\nNothing(Provider(), 'a', {})\n")
    return _committed(program)


def _committed(program: Program) -> Program:
    """Make the program a git checkout, if git is installed."""
    if shutil.which("git"):
        me = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
        for command in (["init", "--quiet"], ["add", "--all"], [*me, "commit", "--quiet", "--message", "bench"]):
            subprocess.run(["git", *command], cwd=program.folder, check=True)
    return program


def ours(folder: Path, endpoint: str) -> Program:
    program = _project(folder)
    for name in ("core", "infra"):
        shutil.copytree(REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "__main__.py", folder)
    content = yaml.safe_load((REPO / "environments" / f"Pulumi.{STACK}.yaml").read_text())
    config = content["config"] | {"mpr-storage:endpoint": endpoint}
    (folder / "environments" / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))
    return _committed(program)


def measured(rounds: int) -> dict[str, Any]:
    """Return the seconds of every run by program."""
    with tempfile.TemporaryDirectory() as folder, store() as endpoints:
        here = Path(folder)
        programs = {
            "empty": empty(here / "empty"),
            "one dynamic resource": one_dynamic_resource(here / "dynamic"),
            "mpr-storage": ours(here / "ours", endpoints["http"]),
        }
        for number in range(rounds):
            for program in programs.values() if number % 2 else reversed(programs.values()):
                program.measure()
    return {name: program.seconds for name, program in programs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help=JSON_HELP)
    asked = parser.parse_args()
    if shutil.which("pulumi") is None:
        figures = part([], absent="the `pulumi` command is not on PATH")
    else:
        names = ["core.storage", "pulumi", "SeaweedFS"]
        figures = part(names, rounds=asked.rounds, targets=TARGETS, seconds=measured(asked.rounds))
    print(markdown({"up": figures}))
    if asked.json:
        save(asked.json, "up", figures)


if __name__ == "__main__":
    main()
