"""`./mpr completion`: the scripts call the command as it was typed, and complete what it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import cli

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def mpr(project, tmp_path: Path) -> Path:
    """A script `mpr` in a copy of the project, in which there are two environments."""
    for name, identities in (("local", "[app]"), ("prod", "[app, viewer]")):
        file = project.environments / f"Pulumi.{name}.yaml"
        file.write_text(
            "config: {mpr-storage:target: r2, mpr-storage:account: 0123456789abcdef0123456789abcdef, "
            f"mpr-storage:identities: {identities}}}"
        )
    script = Path(project.root / "mpr")
    start = f"PYTHONPATH='{project.root}' exec '{sys.executable}' -P -m infra"
    script.write_text(f'#!/bin/sh\n{start} "$@"\n')
    script.chmod(0o755)
    return script


def script_of(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(mpr: Path, line: str, *, command: str = "./mpr") -> list[str]:
    """What bash completes at the end of a line, in the folder of the script."""
    program = """
        eval "$(./mpr completion bash)"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        complete -p mpr >/dev/null && _mpr_completion "$1" 2>/dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    words = [command, *line.split(" ")]
    done = subprocess.run(
        ["bash", "-c", program, "bash", *words],
        cwd=mpr.parent,
        env={"PATH": f"{mpr.parent}:{os.environ['PATH']}", "HOME": str(mpr.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ch", ["check"]),
        ("check --j", ["--json"]),
        ("check p", ["prod"]),
        ("copy local ", ["local", "prod"]),
        ("rotate prod ", ["app", "viewer"]),
        ("env prod --identity v", ["viewer"]),
        ("store st", ["start", "status", "stop"]),
        ("new prod2 --target mi", ["minio"]),
        ("new l", []),
        ("completion z", ["zsh"]),
    ],
)
def test_bash_completes_commands_options_environments_and_identities(mpr, line, expected):
    assert completed(mpr, line) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_the_command_on_path_as_well(mpr):
    assert completed(mpr, "dri", command="mpr") == ["drift"]


@pytest.mark.parametrize(
    ("shell", "call"),
    [
        ("bash", "_MPR_COMPLETE=bash_complete $1)"),
        ("zsh", "_MPR_COMPLETE=zsh_complete ${~${(Q)words[1]}})"),
        ("fish", "(commandline -t) (commandline -opc)[1])"),
    ],
)
def test_each_script_calls_the_command_as_it_was_typed(capsys, shell, call):
    text = script_of(shell, capsys)
    assert call in text
    assert "$+commands[mpr]" not in text, "zsh would complete only a command on PATH"
    assert text.count("_mpr_completion") >= 2


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_that_is_here_accepts_its_script(capsys, shell):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    done = subprocess.run([program, "-n"], input=script_of(shell, capsys), text=True, check=False, timeout=60)
    assert done.returncode == 0


def test_another_shell_is_refused(capsys):
    assert cli.run(["completion", "tcsh"]) == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err
