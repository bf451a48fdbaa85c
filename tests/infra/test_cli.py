from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import closing
from importlib import import_module

import click
import pytest

from core.storage import AccessDeniedError, StorageConfigError, StorageError, StoreUnreachableError
from infra import cli
from infra.config.environment import ConfigError
from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores.access_key import AccessKey
from infra.stores.store import Store
from tests.conftest import REPO
from tests.infra.conftest import ALL, Server, admin_variables, environment_on, remove_environment


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    @click.command()
    def fail() -> None:
        raise error

    module = type(sys)("failing")
    module.fail = fail  # type: ignore[attr-defined]  # a module of this test
    monkeypatch.setitem(sys.modules, "failing", module)
    monkeypatch.setitem(cli._COMMANDS, "fail", "failing:fail")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InfraError("words"), 1, "error: words\n"),
        (UsageError("words"), 2, "error: words\n"),
        (ConfigError("here.yaml", ["a: one", "b: two"]), 2, "error: here.yaml:\n  a: one\n  b: two\n"),
        (UnreachableError("words"), 3, "error: words\n"),
        (StorageConfigError("words"), 2, "error: words\n"),
        (StoreUnreachableError("words"), 3, "error: words\n"),
        (AccessDeniedError("words"), 1, "error: words\n"),
        (StorageError("words"), 1, "error: words\n"),
        (
            OSError(28, "No space left on device", "/data/a"),
            1,
            "error: /data/a: No space left on device; correct that, then run the same command again\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again to continue\n"),
        (click.Abort(), 130, "interrupted; run the same command again to continue\n"),
        (click.UsageError("words"), 2, "Error: words\n"),
        (click.ClickException("words"), 2, "Error: words\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_failure_is_reported_in_one_sentence_and_has_its_exit_code(monkeypatch, capsys, error, code, said):
    failing(monkeypatch, error)
    assert cli.run(["fail"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.lstrip().endswith(said)
    assert "Traceback" not in err


def test_a_mistake_in_the_code_is_not_hidden(monkeypatch):
    failing(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        cli.run(["fail"])


def test_main_exits_with_the_code(monkeypatch):
    failing(monkeypatch, UnreachableError("words"))
    with pytest.raises(SystemExit) as caught:
        cli.main(["fail"])
    assert caught.value.code == 3


def test_help_lists_the_commands(capsys):
    for option in ("--help", "-h"):
        assert cli.run([option]) == 0
        out = capsys.readouterr().out
        for name in cli._COMMANDS:
            assert f"\n  {name} " in out


@pytest.mark.parametrize("name", cli._COMMANDS)
def test_each_command_is_in_the_module_of_the_table_and_has_help(name, capsys):
    module, _, attribute = cli._COMMANDS[name].partition(":")
    assert getattr(import_module(module), attribute).name == name
    assert cli.run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: python -m infra {name}")
    assert len(out.splitlines()) > 4


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], ["init", "a", "b"], []])
def test_wrong_arguments_exit_with_code_2_and_the_usage(arguments, capsys):
    assert cli.run(arguments) == 2
    err = capsys.readouterr().err
    assert "Usage: python -m infra" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chekc"], "there is no command 'chekc'; did you mean check?"),
        (["store", "strat"], "there is no command 'strat'; did you mean start?"),
        (["check", "--jsn"], "--json"),
        (["check", "locla"], "there is no environment 'locla'; did you mean local?"),
        (
            ["check", "production"],
            "there are: local; `python -m infra new production --target <target>` creates one",
        ),
    ],
)
def test_a_misspelt_word_gets_the_nearest(arguments, words, environments, capsys):
    (environments / "Pulumi.local.yaml").touch()
    assert cli.run(arguments) == 2
    assert words in capsys.readouterr().err


class TestInProcess:
    """The commands as they are called, in this process."""

    def test_init_then_check(self, seaweed_environment, capsys):
        name = seaweed_environment.name
        seaweed_environment.values["identities"] = ["app"]
        seaweed_environment.save()
        assert cli.run(["init", name]) == 0
        out, err = capsys.readouterr()
        assert out.splitlines()[:2] == [f"bucket {name}-in: created", f"bucket {name}-out: created"]
        assert err == ""
        assert cli.run(["init", name, "--json"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f'{{"bucket {name}-in": "unchanged"')
        assert len(out.splitlines()) == 1
        assert cli.run(["check", name]) == 0
        assert "20 access checks passed" in capsys.readouterr().out
        assert cli.run(["check", name, "--json"]) == 0
        assert capsys.readouterr().out.startswith('[{"identity": "app"')

    def test_check_before_init_is_a_usage_error(self, seaweed_environment, capsys):
        assert cli.run(["check", seaweed_environment.name]) == 2
        assert "is missing; create it with" in capsys.readouterr().err

    @pytest.mark.parametrize("command", ["init", "check"])
    def test_an_unknown_environment_is_a_usage_error(self, environments, capsys, command):
        assert cli.run([command, "nowhere"]) == 2
        assert "there is no environment 'nowhere'; there are: none" in capsys.readouterr().err
        assert list(environments.iterdir()) == []


@pytest.fixture
def configured(project, seaweed_store):
    """A copy of the project with an environment on SeaweedFS."""
    made = environment_on(Server(seaweed_store, "iam"), project.environments)
    made.save()
    yield made
    remove_environment(made)


def test_a_closed_stdin_is_no_terminal():
    """A shell closes it with `<&-`; Python then has none."""
    command = f"{shlex.quote(sys.executable)} -m infra down --delete local <&-"
    done = subprocess.run(["sh", "-c", command], cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "there is no terminal to ask on" in done.stderr) == (2, True), done.stderr


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert "Traceback" not in done.stderr
    assert "Traceback" not in done.stdout
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr


class TestAsUsersRunIt:
    """``python -m infra`` in a copy of the project."""

    def test_an_unknown_command_exits_with_code_2_and_names_it(self, project):
        refused(project.run("nonsense"), 2, "there is no command 'nonsense'; known are check, ")
        refused(project.run(), 2, "Usage: python -m infra")

    @pytest.mark.flow
    def test_init_makes_an_environment_that_check_proves_and_repeats_without_a_change(self, project, configured):
        admin = admin_variables(configured.store)
        first = project.run("init", configured.name, **admin)
        assert (first.returncode, first.stderr) == (0, "")
        assert first.stdout.count("written") == 4
        assert sorted(one.name for one in project.environments.glob("*.env")) == sorted(
            configured.file(identity).name for identity in ALL
        )
        before = {one: one.read_bytes() for one in project.environments.iterdir()}
        again = project.run("init", configured.name, **admin)
        assert (again.returncode, again.stdout.count("unchanged")) == (0, 10)
        assert {one: one.read_bytes() for one in project.environments.iterdir()} == before
        proven = project.run("check", configured.name)  # no administrator needed
        assert (proven.returncode, proven.stderr) == (0, "")
        assert "access checks passed" in proven.stdout

        file = configured.file("app")
        file.write_text(file.read_text().replace("media", "medium") + "MORE=1\n")
        refused(project.run("init", configured.name, **admin), 2, f"environments/{file.name} was edited by hand")

    def test_bad_input_gets_a_sentence_and_an_exit_code_and_changes_nothing(self, project, configured, refusing):
        admin = admin_variables(configured.store)
        name = configured.name

        def init(code: int, *words: str, **variables: str) -> None:
            refused(project.run("init", name, **(admin | variables)), code, *words)
            assert list(project.environments.glob("*.env")) == []
            there = [one["Name"] for one in configured.store.s3.list_buckets()["Buckets"]]
            assert not [one for one in there if one.startswith(name)]

        init(2, "no admin keys", MPR_ADMIN_ACCESS_KEY_ID="", MPR_ADMIN_SECRET_ACCESS_KEY="")
        init(2, "does not accept the admin key", MPR_ADMIN_SECRET_ACCESS_KEY="wrong")
        saved = dict(configured.values)
        buckets = {"in": {"name": "Media_In"}, "out": {"name": f"{name}-out"}}
        configured.values.update(bukets=1, buckets=buckets)
        configured.save()
        init(
            2,
            f"environments/Pulumi.{name}.yaml:",
            "bukets: unknown key, did you mean buckets?",
            "buckets.in.name: ",
        )
        configured.values.update(saved, endpoint=refusing)
        del configured.values["bukets"]
        configured.save()
        init(3, f"cannot reach the store at {refusing}")
        configured.values["endpoint"] = saved["endpoint"]

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    def test_a_closed_stream_is_no_error(self, project, closed):
        command = f"{shlex.quote(sys.executable)} -m infra status {closed}"
        done = subprocess.run(["sh", "-c", command], cwd=project.root, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_reader_that_ends_is_one_sentence(self, project):
        command = f"{{ sleep 1; {shlex.quote(sys.executable)} -m infra status; echo $? >&2; }} | true"
        done = subprocess.run(["sh", "-c", command], cwd=project.root, capture_output=True, text=True, check=False)
        said = "error: nothing reads the output any more, so the command stopped: run it again to continue"
        assert done.stderr == f"{said}\n1\n"

    def test_a_deleted_working_folder_is_said(self, project, tmp_path):
        folder = tmp_path / "gone"
        folder.mkdir()
        command = f"rmdir {folder}; exec {shlex.quote(sys.executable)} -m infra check"
        environ = {**os.environ, "PYTHONPATH": str(project.root)}
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "the working directory does not exist any more: change to another one" in done.stderr

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_an_interruption_says_how_to_go_on(self, project, number):
        with closing(socket.socket()) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            listening.settimeout(20)
            endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
            made = environment_on(
                Server(Store(endpoint, "us-east-1", AccessKey("a", "b")), "iam"), project.environments
            )
            made.save()
            inherited = signal.signal(number, signal.SIG_DFL)  # the tests may run under `nohup`
            process = subprocess.Popen(
                [sys.executable, "-m", "infra", "init", made.name],
                cwd=project.root,
                env={"MPR_ADMIN_ACCESS_KEY_ID": "a", "MPR_ADMIN_SECRET_ACCESS_KEY": "b"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            signal.signal(number, inherited)
            connection, _ = listening.accept()
            with connection:  # it waits for a response now
                process.send_signal(number)
                said, _ = process.communicate(timeout=20)
        assert process.returncode == 130
        assert said.strip() == "interrupted; run the same command again to continue"
