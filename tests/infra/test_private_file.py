from __future__ import annotations

import errno
import os
import secrets
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import private_file
from infra.errors import UsageError
from tests.conftest import REPO


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def _open_umask():
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("_open_umask")
def test_the_mode_is_0600_from_the_first_byte_whatever_the_umask(tmp_path, monkeypatch):
    modes = []
    opened = os.open

    def spy(path, *arguments, **named):
        descriptor = opened(path, *arguments, **named)
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", spy)
    private_file.write(tmp_path / "x.env", "secret")
    assert modes == [0o600]
    assert mode(tmp_path / "x.env") == 0o600


@pytest.mark.usefixtures("_open_umask")
def test_a_file_that_others_could_read_becomes_private(tmp_path):
    file = tmp_path / "x.env"
    file.write_text("old")
    assert mode(file) == 0o666
    private_file.write(file, "new")
    assert (file.read_text(), mode(file)) == ("new", 0o600)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_what_is_written_is_what_is_read(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "round.env"
    private_file.write(file, text)
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("step", ["fsync", "fdopen"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_failure_leaves_the_old_file_and_no_temporary_file(tmp_path, monkeypatch, step, error):
    file = tmp_path / "x.env"
    file.write_text("old")

    def fail(*_arguments, **_named):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        private_file.write(file, "new")
    assert [one.name for one in tmp_path.iterdir()] == ["x.env"]
    assert file.read_text() == "old"


def test_a_failing_rename_leaves_no_temporary_file(tmp_path):
    (tmp_path / "x.env").mkdir()
    with pytest.raises(IsADirectoryError):
        private_file.write(tmp_path / "x.env", "secret")
    assert [one.name for one in tmp_path.iterdir()] == ["x.env"]


def test_the_content_is_synced_before_the_file_is_renamed(tmp_path, monkeypatch):
    steps = []

    def noted(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*arguments: Any) -> object:
            steps.append(name)
            return function(*arguments)

        return wrapper

    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("replace", Path.replace))
    private_file.write(tmp_path / "x.env", "secret")
    assert steps == ["fsync", "replace"]


def test_a_symbolic_link_at_the_path_is_replaced_and_not_followed(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    file = tmp_path / "x.env"
    file.symlink_to(theirs)
    private_file.write(file, "secret")
    assert theirs.read_text() == "theirs"
    assert not file.is_symlink()
    assert (file.read_text(), mode(file)) == ("secret", 0o600)


@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_planted_at_the_temporary_name_is_refused(tmp_path, monkeypatch, dangling):
    monkeypatch.setattr(secrets, "token_hex", lambda _: "guessed")
    theirs = tmp_path / "theirs"
    if not dangling:
        theirs.write_text("theirs")
    planted = tmp_path / ".guessed.x.env"
    planted.symlink_to(theirs)
    with pytest.raises(FileExistsError):
        private_file.write(tmp_path / "x.env", "secret")
    assert theirs.exists() is not dangling
    assert dangling or theirs.read_text() == "theirs"
    assert not (tmp_path / "x.env").exists()


def test_the_temporary_file_matches_the_pattern_that_git_ignores(tmp_path, monkeypatch):
    seen: list[str] = []
    fsync = os.fsync

    def look(descriptor):
        seen.extend(one.name for one in tmp_path.iterdir())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    private_file.write(tmp_path / "x.env", "secret")
    (part,) = seen
    assert part.startswith(".")
    assert Path(part).match("*.env")


def test_two_writers_never_share_a_temporary_file(tmp_path, monkeypatch):
    file = tmp_path / "x.env"
    fsync = os.fsync
    inner = iter(["inner"])

    def interleave(descriptor):
        for text in inner:
            private_file.write(file, text)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", interleave)
    private_file.write(file, "outer")
    assert file.read_text() == "outer"
    assert [one.name for one in tmp_path.iterdir()] == ["x.env"]


def test_write_once_keeps_a_file_that_exists(tmp_path):
    file = tmp_path / "new" / "deep" / "x"
    assert private_file.write_once(file, "one") == file
    assert private_file.write_once(file, "two") == file
    assert (file.read_text(), mode(file), mode(file.parent)) == ("one", 0o600, 0o700)
    assert [one.name for one in file.parent.iterdir()] == ["x"]


def test_write_once_keeps_what_another_process_wrote_meanwhile(tmp_path, monkeypatch):
    file = tmp_path / "x"
    fsync = os.fsync
    inner = iter(["the first"])

    def interleave(descriptor):
        for text in inner:
            private_file.write_once(file, text)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", interleave)
    private_file.write_once(file, "the second")
    assert file.read_text() == "the first"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_processes_that_write_once_at_the_same_time_read_the_same_text(tmp_path):
    code = f"""
import os, sys
from pathlib import Path
from infra import private_file
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    print(private_file.write_once(Path({str(tmp_path)!r}, "folder", str(number)), str(os.getpid())).read_text())
"""
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, cwd=REPO, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    read = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    assert len(read[0]) == 60
    assert read == [read[0]] * 6


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
def test_new_folders_and_their_parents_are_private_whatever_the_umask(tmp_path, umask):
    old = os.umask(umask)
    try:
        private_file.make_folders(tmp_path / "a" / "b", tmp_path / "a" / "c" / "d")
    finally:
        os.umask(old)
    created = [tmp_path / name for name in ("a", "a/b", "a/c", "a/c/d")]
    assert {path.name: oct(mode(path)) for path in created} == dict.fromkeys("abcd", "0o700")


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o700), (0o770, 0o700), (0o2775, 0o700), (0o500, 0o500)])
def test_a_folder_that_exists_loses_what_others_may_do(tmp_path, monkeypatch, before, after):
    monkeypatch.setattr(os, "access", lambda *_: True)
    folder = tmp_path / "wide"
    folder.mkdir()
    folder.chmod(before)
    private_file.make_folders(folder)
    assert oct(mode(folder)) == oct(after)


def test_the_target_of_a_symbolic_link_keeps_its_mode_and_a_folder_in_it_is_private(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(shared)
    private_file.make_folders(link, link / "own")
    assert (oct(mode(shared)), oct(mode(shared / "own"))) == ("0o755", "0o700")


def test_a_folder_that_another_process_creates_meanwhile_is_used(tmp_path, monkeypatch):
    mkdir = Path.mkdir

    def faster(path, *arguments):
        mkdir(path, *arguments)
        mkdir(path, *arguments)

    monkeypatch.setattr(Path, "mkdir", faster)
    private_file.make_folders(tmp_path / "a")
    assert oct(mode(tmp_path / "a")) == "0o700"


def test_a_file_in_place_of_a_folder_is_a_sentence(tmp_path):
    (tmp_path / "a").write_text("a file")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(
            UsageError, match=f"the folder {path} cannot be used: Not a directory. It is for private"
        ):
            private_file.make_folders(path)


def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may write everywhere
    with pytest.raises(UsageError, match="cannot be used: Permission denied"):
        private_file.make_folders(tmp_path)


def test_a_folder_of_another_user_is_a_sentence(tmp_path, monkeypatch):
    def refuse(path, _mode):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    tmp_path.chmod(0o777)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(UsageError, match=r"cannot be used: Operation not permitted.* belongs to you"):
        private_file.make_folders(tmp_path)
