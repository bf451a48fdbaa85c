"""`python -m infra store`, through the command frame that users run it in."""

from __future__ import annotations

import json

import pytest

from infra.cli import cli
from infra.errors import InfraError
from infra.local import store


@pytest.fixture
def run(root, capsys):
    def call(*arguments: str):
        code = cli.main(["store", *arguments], standalone_mode=False, obj=root)
        printed = capsys.readouterr()
        return code or 0, printed.out, printed.err

    return call


def test_the_life_of_a_store_in_sentences(run, root):
    code, out, _ = run("status")
    assert (code, out) == (1, "the store is not running: `python -m infra store start` starts it\n")

    code, out, err = run("start")
    found = store.find(root)
    assert found is not None
    assert (code, out) == (0, f"the store runs at {found.endpoint} (process {found.pid})\n")
    assert err.startswith("starting the store ...\n")
    assert run("start") == (0, f"the store runs already at {found.endpoint} (process {found.pid})\n", "")

    code, out, _ = run("status")
    assert code == 0
    assert out.startswith(f"the store runs at {found.endpoint}\n  process  {found.pid}, for ")
    assert f"  key      ...{found.admin.access_key_id[-4:]}\n" in out
    assert "free on the disk" in out

    assert run("stop") == (0, "the store is stopped; its data stays\n", "")
    assert run("stop") == (0, "the store was not running\n", "")
    code, out, _ = run("status")
    assert code == 1
    assert "  data     " in out


def test_the_life_of_a_store_in_json_without_a_secret(run, root):
    assert json.loads(run("status", "--json")[1]) == {"running": False}
    _, started, err = run("start", "--json")
    found = store.find(root)
    assert found is not None
    expected = {
        "running": True,
        "endpoint": found.endpoint,
        "pid": found.pid,
        "access_key_id": f"...{found.admin.access_key_id[-4:]}",
    }
    assert json.loads(started) == expected
    _, shown, _ = run("status", "--json")
    status = json.loads(shown)
    assert {name: status[name] for name in expected} == expected
    assert 0 <= status["uptime_seconds"] < 60
    assert 0 < status["data_bytes"] < status["free_bytes"]
    assert json.loads(run("stop", "--json")[1]) == {"running": False, "stopped": True}
    printed = started + err + shown
    assert found.admin.secret_access_key not in printed
    assert found.admin.access_key_id not in printed


def test_a_failure_is_raised_for_the_frame_to_print(run, fake_weed):
    fake_weed("echo broken; exit 1")
    with pytest.raises(InfraError, match="broken"):
        run("start")
