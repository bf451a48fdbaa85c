"""Check docs/how-to/objects.md: its blocks run in order, as printed."""

from __future__ import annotations


def test_the_blocks_run_as_printed(run_blocks, capsys):
    run_blocks("docs/how-to/objects.md", "docs-objects")
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "b'{\"frames\": 1500}'"
    assert len([line for line in printed if line.endswith(" 1000")]) == 100
    assert "b'one'" in printed
    assert printed[-2:] == ["False", "100 deleted"]
