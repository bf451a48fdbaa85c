"""Run the tests nearest to what differs from a commit: `make test-changed`."""

# ruff: noqa: T201  # a command prints

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.impact.imports import dependencies
from tests.impact.selection import Selection, candidates, is_test, select
from tests.tiers import LEFT_OUT

#: Every test depends on these files.
SHARED = {"tests/conftest.py", "pyproject.toml", "requirements/dev.txt"}


class GitError(Exception):
    """Git refused a command."""


def git(root: Path, *arguments: str) -> list[str]:
    """Return the output of a command of Git, which separates names with NUL."""
    result = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if result.returncode:
        raise GitError(result.stderr.strip())
    return [name for name in result.stdout.strip().split("\0") if name]


def differing(root: Path, base: str) -> list[str]:
    """Return the files that differ from where the branch left `base`, uncommitted and untracked ones too."""
    (start,) = git(root, "merge-base", base, "HEAD")
    tracked = git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", start)
    return sorted({*tracked, *git(root, "ls-files", "--others", "--exclude-standard", "-z")})


def summary(changed: list[str], selection: Selection, total: int) -> str:
    """Return one line that says which rule selected how many files, and what is left."""
    rules = Counter(min(candidate.distance, 2) for candidate in selection.chosen)
    tests = sum(candidate.tests for candidate in selection.chosen)
    further = sum(candidate.tests for candidate in selection.left)
    shared = sorted(SHARED & {*changed})
    return (
        f"Changed files: {len(changed)}. Selected test files: {len(selection.chosen)} of {total} "
        f"({tests} test functions): {rules[0]} changed or named for a changed file, "
        f"{rules[1]} that import or name a changed file, {rules[2]} that depend on one through other modules. "
        f"Left to `make test`: {len(selection.left)} more that depend on a changed file "
        f"({further} test functions)."
        + (f" Every test depends on {' and '.join(shared)}: run `make test`." if shared else "")
    )


def main(arguments: list[str] | None = None, root: Path | None = None) -> int:
    """Select test files, run pytest with them and the other arguments, and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.impact", description=__doc__)
    parser.add_argument("--base", default="main", help="a commit (default: main)")
    parser.add_argument("--tests", type=int, default=120, help="the number of test functions to stop at")
    options, rest = parser.parse_known_args(arguments)
    root = root or Path.cwd()
    try:
        changed = differing(root, options.base)
        files = git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    except GitError as error:
        print(
            f"git cannot compare with {options.base}: {error}. Name a commit with BASE=<commit>.", file=sys.stderr
        )
        return 2
    if not changed:
        print(f"Nothing differs from {options.base}: there is no test to run.")
        return 0
    nearest = candidates(root, dependencies(root, sorted({*files, *changed})), changed, LEFT_OUT)
    selection = select(nearest, options.tests)
    code = 0
    if not selection.chosen:
        print("No test that `make test` runs imports or names a changed file.")
    else:
        chosen = [candidate.path for candidate in selection.chosen]
        command = [sys.executable, "-m", "pytest", *rest, *chosen]
        code = subprocess.run(command, cwd=root, check=False).returncode
    print(summary(changed, selection, sum(is_test(path) for path in files)))
    return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code


if __name__ == "__main__":
    sys.exit(main())
