from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.local.relay import relayed


def run(descriptor: int, code: str, folder: Path) -> int:
    with relayed(descriptor) as output:
        return subprocess.Popen([sys.executable, "-c", code], stdout=output, cwd=folder).wait(20)


def test_a_program_runs_to_its_end_if_nothing_reads_its_output_any_more(tmp_path: Path):
    reading, writing = os.pipe()
    os.close(reading)
    code = "import pathlib; [print(n, flush=True) for n in range(20_000)]; pathlib.Path('end').touch()"
    try:
        assert run(writing, code, tmp_path) == 0
    finally:
        os.close(writing)
    assert (tmp_path / "end").exists()


def test_the_whole_output_is_passed_on(tmp_path: Path):
    reading, writing = os.pipe()
    assert run(writing, "print('a'); print('b')", tmp_path) == 0
    os.close(writing)
    with os.fdopen(reading) as output:
        assert output.read() == "a\nb\n"


def test_a_file_is_written_by_the_program_itself(tmp_path: Path):
    with (tmp_path / "output").open("wb") as file, relayed(file.fileno()) as output:
        assert output == file.fileno()
