"""`python -m infra env`. `pulumi` is a double here; with the real one: tests/engine/test_env.py."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from core.storage.settings import Settings
from infra import cli, private_file
from infra.config import stack_files
from infra.env import files
from infra.env.formats import FORMATS
from infra.errors import UnreachableError
from tests.conftest import REPO
from tests.infra.conftest import Project
from tests.infra.env.conftest import Pulumi
from tests.infra.env.support import ODD, SHAPES, rendered, secrets_of

STORE, ROLE = SHAPES["store"], SHAPES["aws role"]
OTHER = replace(STORE, access_key_id="AKIAOTHER", secret_access_key="another-hush")
VALUES = {
    "target": "s3-compatible",
    "endpoint": "http://127.0.0.1:8333",
    "identities": ["app", "viewer"],
    "buckets": {"in": {"name": "media-in"}, "out": {"name": "media.out"}},
}

ALONE = "must be scheme://host[:port] alone, without user, path or query"

Call = Callable[..., tuple[int, str, str]]


def configure(folder: Path) -> None:
    values = {"config": {f"mpr-storage:{key}": value for key, value in VALUES.items()}}
    (folder / "Pulumi.prod.yaml").write_text(yaml.safe_dump(values))


def write(identity: str, settings: Settings) -> Path:
    file = files.path("prod", identity)
    files.write(file, files.render(settings, "prod", identity))
    return file


def _no_store(*_: object) -> bool:
    raise UnreachableError("a store of this machine is none of these tests")


@pytest.fixture
def call(environments: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that runs `env prod <arguments>` and returns the exit code, stdout and stderr.

    They hold no secret, except stdout with `shows`.
    """
    configure(environments)
    monkeypatch.setattr("infra.env.deployed.is_accepted", _no_store)

    def run(*arguments: str, shows: bool = False) -> tuple[int, str, str]:
        code = cli.run(["env", "prod", *arguments])
        out, err = capsys.readouterr()
        for secret in (*secrets_of(ODD), *secrets_of(OTHER)):
            assert secret not in err
            assert shows or secret not in out
        assert "Traceback" not in err
        return code, out, err

    return run


# --- --format -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "github-actions"])
def test_a_format_is_rendered_from_the_env_file_on_disk(call: Call, name):
    write("app", STORE)
    write("viewer", ODD)
    assert call("--format", name, shows=True) == (0, rendered(name, STORE, "prod"), "")
    viewer = rendered(name, ODD, "prod", "viewer")
    assert call("--format", name, "--identity", "viewer", shows=True) == (0, viewer, "")


def test_the_endpoint_option_replaces_the_address_in_the_output(call: Call):
    write("app", STORE)
    moved = replace(STORE, endpoint_url="http://minio:9000")
    for endpoint in ("http://minio:9000", "http://minio:9000/"):
        result = call("--format", "kubernetes", "--endpoint", endpoint, shows=True)
        assert result == (0, rendered("kubernetes", moved, "prod"), "")


def test_an_endpoint_option_without_a_scheme_is_refused(call: Call):
    write("app", STORE)
    code, out, err = call("--format", "json", "--endpoint", "minio:9000")
    assert (code, out) == (2, "")
    assert "--endpoint must" in err


def test_the_endpoint_option_is_refused_for_aws(call: Call):
    write("app", ROLE)
    code, out, err = call("--format", "json", "--endpoint", "http://minio:9000")
    assert (code, out) == (2, "")
    assert "remove --endpoint" in err


def test_without_a_file_the_deployed_stack_is_read(call: Call, pulumi: Pulumi):
    pulumi.deploy("prod", {**STORE.to_env(), "viewer": ODD.to_env()})
    assert call("--format", "json", shows=True) == (0, rendered("json", STORE), "")
    assert call("--format", "json", "--identity", "viewer", shows=True) == (0, rendered("json", ODD), "")
    assert list(files.path("prod", "app").parent.glob("*.env")) == [], "nothing is written by it"


def test_with_an_env_file_pulumi_is_not_started(call: Call, pulumi: Pulumi):
    write("app", STORE)
    assert call("--format", "json", shows=True)[0] == 0
    assert not (pulumi.folder / "calls").exists()


def test_without_an_env_file_and_pulumi_the_error_names_both(call: Call, pulumi: Pulumi):
    pulumi.command.unlink()
    code, out, err = call("--format", "json")
    assert (code, out) == (3, "")
    assert "prod.env is missing, and the deployed stack cannot be read without Pulumi: https://" in err


def test_without_an_env_file_and_a_stack_the_error_names_both(call: Call, pulumi: Pulumi):
    code, out, err = call("--format", "json")
    assert (code, out) == (1, "")
    assert "prod.env is missing, and prod is not deployed; `python -m infra up prod` deploys it" in err


def test_an_identity_that_is_configured_and_not_deployed(call: Call, pulumi: Pulumi):
    pulumi.deploy("prod", STORE.to_env())
    code, _, err = call("--format", "json", "--identity", "viewer")
    assert code == 1
    assert "identity viewer is not deployed yet; `python -m infra up prod` deploys it" in err


def test_an_env_file_with_a_syntax_error_is_reported_with_the_line(call: Call):
    write("app", STORE).write_text("S3_BUCKET_IN=media in\n")
    code, _, err = call("--format", "json")
    assert code == 2
    assert "prod.env, line 1 (S3_BUCKET_IN)" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "toml"], "'toml' is not one of 'dotenv', 'shell', 'json'"),
        (["--format", "json", "--identity", "viwer"], "has no identity 'viwer'; did you mean viewer?"),
        (["--format", "json", "--check"], "use exactly one of --format, --check and --write"),
        (["--check", "--write"], "use exactly one of --format, --check and --write"),
        ([], "use exactly one of --format, --check and --write"),
        (["--check", "--identity", "app"], "--identity, --endpoint and --output need --format"),
        (["--check", "--endpoint", "http://x"], "--identity, --endpoint and --output need --format"),
        (["--write", "--output", "x"], "--identity, --endpoint and --output need --format"),
        (["--format", "dotenv", "--json"], "--json needs --check or --write"),
    ],
)
def test_wrong_options_exit_with_code_2_and_say_why(call: Call, arguments, message):
    write("app", STORE)
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_an_unknown_environment_is_reported(environments: Path, capsys):
    configure(environments)
    assert cli.run(["env", "prd", "--check"]) == 2
    assert "there is no environment 'prd'; did you mean prod?" in capsys.readouterr().err


# --- --output -------------------------------------------------------------------------------------------


def test_the_output_file_is_private_and_complete(call: Call, tmp_path: Path):
    write("app", STORE)
    target = tmp_path / "rclone.conf"
    target.write_text("old")
    target.chmod(0o644)
    assert call("--format", "rclone", "--output", str(target)) == (0, "", "")
    assert target.read_text() == rendered("rclone", STORE, "prod")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["environments", "rclone.conf"]


@pytest.mark.parametrize("name", ["prod.env", "Pulumi.prod.yaml", "new.json"])
def test_an_output_among_the_env_files_and_stack_files_is_refused(call: Call, name: str):
    write("app", STORE)
    file = stack_files.ENVIRONMENTS / name
    before = file.read_bytes() if file.exists() else None
    code, _, err = call("--format", "json", "--output", str(file))
    assert (code, "name a file in another folder" in err) == (2, True)
    assert (file.read_bytes() if file.exists() else None) == before


@pytest.mark.parametrize(
    "prepare",
    [
        lambda target: target.mkdir(),
        lambda target: target.symlink_to("/dev/null"),
        lambda target: target.symlink_to("missing"),
        os.mkfifo,
        lambda target: target.parent.rmdir(),
    ],
    ids=["folder", "link", "dangling link", "pipe", "no folder"],
)
def test_an_output_that_cannot_be_written_is_reported_and_unchanged(call: Call, tmp_path: Path, prepare):
    write("app", STORE)
    target = tmp_path / "folder" / "out"
    target.parent.mkdir()
    prepare(target)
    code, out, err = call("--format", "json", "--output", str(target))
    assert (code, out) == (2, "")
    assert err == f"error: --output {target}: name a regular file in a folder that exists\n"
    assert not target.is_file()
    assert not list(tmp_path.glob("**/.*"))


def test_a_name_that_is_too_long_is_reported(call: Call, tmp_path: Path):
    write("app", STORE)
    code, _, err = call("--format", "json", "--output", str(tmp_path / ("a" * 300)))
    assert (code, err.endswith("File name too long; name another file\n")) == (2, True)


def test_an_env_file_that_is_a_pipe_is_refused(call: Call):
    os.mkfifo(files.path("prod", "app"))
    code, _, err = call("--format", "json")
    assert (code, "prod.env is not a regular file" in err) == (2, True)
    assert files.access_key(files.path("prod", "app")) is None


def test_a_full_disk_is_reported(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write("app", STORE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_file, "write", full)
    code, _, err = call("--format", "json", "--output", str(tmp_path / "out"))
    assert code == 2
    assert err.endswith("out could not be written: No space left on device; name another file\n")


# --- a terminal -----------------------------------------------------------------------------------------


def on_a_terminal(project: Project, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run the command on a terminal, and return its exit code and what the terminal shows."""
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra", "env", "prod", *arguments],
            cwd=project.root,
            env={"PATH": os.environ["PATH"], "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1", **variables},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        shown = b""
        try:
            while part := screen.read(4096):
                shown += part
        except OSError:
            pass  # Linux reports the closed terminal as an error
        return process.wait(), shown.decode()


def in_project(project: Project, settings: Settings) -> None:
    configure(project.environments)
    file = project.environments / "prod.env"
    files.write(file, files.render(settings, "prod", "app"))


@pytest.mark.parametrize("name", ["json", "kubernetes", "github-actions"])
def test_a_secret_is_never_shown_on_a_terminal(project: Project, tmp_path: Path, name):
    in_project(project, STORE)
    code, shown = on_a_terminal(project, "--format", name, GITHUB_ENV=str(tmp_path / "github"))
    assert code == 2
    assert "this would show a secret on the terminal: use --output FILE, or a pipe" in shown
    assert len(shown.splitlines()) == 1
    assert not (tmp_path / "github").exists()


def test_what_holds_no_secret_is_shown_on_a_terminal(project: Project):
    in_project(project, ROLE)
    code, shown = on_a_terminal(project, "--format", "json")
    assert (code, json.loads(shown)) == (0, ROLE.to_env())


def test_on_a_terminal_secrets_are_written_to_a_regular_file_alone(project: Project):
    in_project(project, STORE)
    assert on_a_terminal(project, "--format", "json", "--output", "out.json") == (0, "")
    assert json.loads((project.root / "out.json").read_text()) == STORE.to_env()
    (project.root / "stdout").symlink_to("/dev/stdout")
    assert on_a_terminal(project, "--format", "json", "--output", "stdout")[0] == 2
    assert (project.root / "stdout").is_symlink()


def test_a_password_in_an_endpoint_is_not_shown(call: Call):
    write("app", STORE)
    code, _, err = call("--format", "json", "--endpoint", "http://me:pass@127.0.0.1:1")
    assert (code, err) == (2, f"error: --endpoint {ALONE}, got http://***@127.0.0.1:1\n")


# --- github-actions -------------------------------------------------------------------------------------


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in GITHUB_ENV, which holds what an earlier command of the step wrote."""
    file = tmp_path / "set_env"
    file.write_text("EARLIER=1\n")
    monkeypatch.setenv("GITHUB_ENV", str(file))
    return file


def test_github_gets_the_variables_and_the_log_masks_alone(call: Call, github: Path):
    write("app", STORE)
    code, out, err = call("--format", "github-actions", shows=True)
    assert (code, err) == (0, "")
    assert github.read_text() == "EARLIER=1\n" + rendered("github-actions", STORE)
    assert STORE.access_key_id
    assert STORE.secret_access_key
    credentials = (STORE.access_key_id, STORE.secret_access_key)
    assert out.splitlines() == [f"::add-mask::{value.replace('%', '%25')}" for value in credentials]


def test_a_line_without_an_end_is_not_continued(call: Call, github: Path):
    write("app", STORE)
    github.write_text("EARLIER=1")
    assert call("--format", "github-actions", shows=True)[0] == 0
    assert github.read_text() == "EARLIER=1\n" + rendered("github-actions", STORE)
    github.write_text("")
    assert call("--format", "github-actions", shows=True)[0] == 0
    assert github.read_text() == rendered("github-actions", STORE)


def test_github_gets_no_mask_where_there_are_no_keys(call: Call, github: Path):
    write("app", ROLE)
    assert call("--format", "github-actions") == (0, "", "")
    assert f"AWS_ROLE_ARN={ROLE.role_arn}\n" in github.read_text()


def test_the_github_format_is_refused_outside_of_a_github_job(call: Call):
    write("app", STORE)
    code, out, err = call("--format", "github-actions")
    assert (code, out) == (2, "")
    assert "GITHUB_ENV is not set: use the format github-actions in a step of a GitHub Actions job" in err


def test_github_names_the_file_itself(call: Call, github: Path, tmp_path: Path):
    write("app", STORE)
    code, out, err = call("--format", "github-actions", "--output", str(tmp_path / "x"))
    assert (code, out) == (2, "")
    assert "remove --output" in err
    assert github.read_text() == "EARLIER=1\n"


def test_a_github_file_may_be_a_pipe(call: Call, github: Path):
    write("app", STORE)
    github.unlink()
    os.mkfifo(github)
    reading = os.open(github, os.O_RDONLY | os.O_NONBLOCK)
    assert call("--format", "github-actions", shows=True)[0] == 0
    with os.fdopen(reading) as pipe:
        assert pipe.read() == rendered("github-actions", STORE)


def test_a_github_file_that_cannot_be_written_is_reported(call: Call, github: Path):
    write("app", STORE)
    github.unlink()
    github.mkdir()
    code, _, err = call("--format", "github-actions", shows=True)
    assert code == 2
    assert f"cannot write {github}, which GITHUB_ENV names: Is a directory" in err


# --- --check --------------------------------------------------------------------------------------------


def test_check_passes_for_files_with_the_deployed_values(call: Call, pulumi: Pulumi):
    pulumi.deploy("prod", {**STORE.to_env(), "viewer": ODD.to_env()})
    written = [write("app", STORE), write("viewer", ODD)]
    before = [(file.stat().st_mtime_ns, file.stat().st_ino) for file in written]
    code, out, err = call("--check")
    assert (code, err) == (0, "")
    assert [line.rpartition("/")[2] for line in out.splitlines()] == [
        "prod.env: as deployed",
        "prod.viewer.env: as deployed",
    ]
    assert [(file.stat().st_mtime_ns, file.stat().st_ino) for file in written] == before


def test_check_names_what_differs_and_what_to_do(call: Call, pulumi: Pulumi):
    pulumi.deploy("prod", {**OTHER.to_env(), "viewer": ODD.to_env()})
    write("app", STORE)
    code, out, err = call("--check")
    assert code == 1
    app, viewer = out.splitlines()
    assert (
        "with an access key that was replaced (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); `python -m infra env"
        in app
    )
    assert "prod.viewer.env: missing; `python -m infra env prod --write` writes it" in viewer
    assert err == "error: 2 of 2 env files differ from what is deployed\n"
    code, out, _ = call("--check", "--json")
    assert code == 1
    assert [result["reasons"] for result in json.loads(out)] == [["rotated"], ["missing"]]


@pytest.mark.parametrize("option", ["--check", "--write"])
def test_without_an_engine_or_a_backend_nothing_can_be_compared_or_written(call: Call, pulumi: Pulumi, option):
    file = write("app", STORE)
    before = file.read_bytes()
    pulumi.fail("error: no such host")
    code, out, err = call(option)
    assert (code, out, err) == (3, "", "error: `pulumi stack ls` failed: error: no such host\n")
    pulumi.command.unlink()
    code, out, err = call(option)  # without Pulumi, the store is asked
    assert (code, out) == (2, "")
    assert "no admin keys for http://127.0.0.1:8333" in err
    assert file.read_bytes() == before


# --- --write --------------------------------------------------------------------------------------------


def test_write_makes_the_files_of_all_identities(call: Call, pulumi: Pulumi):
    pulumi.deploy("prod", {**STORE.to_env(), "viewer": ODD.to_env()})
    write("app", OTHER)
    assert call("--write") == (0, "env file prod.env: written\nenv file prod.viewer.env: written\n", "")
    assert files.load(files.path("prod", "app"), "prod") == STORE
    assert files.load(files.path("prod", "viewer"), "prod") == ODD
    assert stat.S_IMODE(files.path("prod", "viewer").stat().st_mode) == 0o600
    assert call("--check")[0] == 0
    assert call("--write", "--json") == (0, '{"prod.env": "unchanged", "prod.viewer.env": "unchanged"}\n', "")


def test_write_overwrites_no_edit_and_then_writes_nothing(call: Call, pulumi: Pulumi):
    pulumi.deploy("prod", {**STORE.to_env(), "viewer": ODD.to_env()})
    edited = write("viewer", ODD)
    edited.write_text(edited.read_text() + "MORE=1\n")
    code, out, err = call("--write")
    assert (code, out) == (2, "")
    assert "prod.viewer.env was edited by hand" in err
    assert edited.read_text().endswith("MORE=1\n")
    assert not files.path("prod", "app").exists()


def test_write_reads_the_configuration_again_after_it_waited(
    call: Call, pulumi: Pulumi, environments: Path, monkeypatch: pytest.MonkeyPatch
):
    pulumi.deploy("prod", STORE.to_env())
    seen = []

    @contextmanager
    def lock(*_: object) -> Iterator[None]:
        seen.append((environments / "Pulumi.prod.yaml").read_text())
        (environments / "Pulumi.prod.yaml").write_text("config: {}")  # as another command may leave it
        yield

    monkeypatch.setattr("infra.env.command.environment_lock", lock)
    code, _, err = call("--write")
    assert code == 2
    assert "target" in err
    assert seen


def test_write_refuses_what_no_env_file_can_hold(call: Call, pulumi: Pulumi):
    pulumi.deploy("prod", replace(OTHER, secret_access_key="another-hush with space").to_env())
    code, out, err = call("--write")
    assert (code, out) == (2, "")
    assert "AWS_SECRET_ACCESS_KEY holds a character" in err
    assert not list(files.path("prod", "app").parent.glob("*.env"))


def test_the_command_loads_no_pulumi():
    code = "import sys, infra.env.command; assert 'pulumi' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=REPO, check=True)
