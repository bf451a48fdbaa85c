from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from infra.local.relay import destination, relayed


class Closed(io.StringIO):
    """A stream whose reader ends after the first line."""

    def write(self, text: str) -> int:
        if self.getvalue():
            raise BrokenPipeError
        return super().write(text)


def test_a_program_runs_to_its_end_if_nothing_reads_its_output_any_more(tmp_path: Path):
    code = "import sys, pathlib; [print(n, flush=True) for n in range(20_000)]; pathlib.Path('end').touch()"
    output = Closed()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=destination(output), text=True, cwd=tmp_path)
    with process, relayed((process.stdout, output)):
        assert process.wait(20) == 0
    assert (tmp_path / "end").exists()
    assert output.getvalue() == "0\n"


def test_every_line_is_passed_on_in_order():
    output, errors = io.StringIO(), io.StringIO()
    code = "import sys; print('a'); print('b'); print('c', file=sys.stderr)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=destination(output), stderr=destination(errors), text=True
    )
    with process, relayed((process.stdout, output), (process.stderr, errors)):
        process.wait(20)
    assert (output.getvalue(), errors.getvalue()) == ("a\nb\n", "c\n")
