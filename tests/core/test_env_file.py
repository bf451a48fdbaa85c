"""Every tool that reads env files reads the same values from what `render` writes.

sh, bash and python-dotenv are the real ones. docker and systemd are small readers after their documentation:
https://docs.docker.com/reference/cli/docker/container/run/#env and
https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#EnvironmentFile=.
"""

from __future__ import annotations

import io
import shutil
import string
import subprocess
from pathlib import Path

import dotenv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.storage import StorageConfigError
from core.storage._config.env_file import is_plain, parse, render

PLAIN = string.ascii_letters + string.digits + "_@%+=:,./-[]"
PRINTABLE = string.printable[:95]
values = st.one_of(
    st.text(PLAIN, max_size=40),
    st.text(PRINTABLE, max_size=10),
    st.text(max_size=10),
    # One special character among plain ones: the likeliest mistake.
    st.tuples(st.text(PLAIN, max_size=5), st.characters(), st.text(PLAIN, max_size=5)).map("".join),
)
names = st.text(string.ascii_uppercase + string.digits + "_", max_size=8).map("X{}".format)
environments = st.dictionaries(names, values, max_size=6)


def by_shell(text: str, tmp_path: Path, shell: str = "sh") -> dict[str, str]:
    """A process started after ``set -a; . file`` sees these."""
    file = tmp_path / "file.env"
    file.write_text(text, encoding="utf-8")
    # Without PATH and the like, so that only what the file sets is there.
    done = subprocess.run(
        [shutil.which(shell), "-c", 'set -a; . "$1"; exec "$2" -0', shell, str(file), shutil.which("env")],  # type: ignore[list-item]
        env={"HOME": "/home", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )
    pairs = (line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    return {name: value for name, value in pairs if name.startswith("X")}


def by_dotenv(text: str) -> dict[str, str | None]:
    return {
        name: value for name, value in dotenv.dotenv_values(stream=io.StringIO(text)).items() if name[0] == "X"
    }


def by_docker(text: str) -> dict[str, str]:
    """Lines that start with # are comments; everything behind the first = is the value, quotes included."""
    found = {}
    for line in text.removesuffix("\n").split("\n"):
        line = line.lstrip()  # noqa: PLW2901
        if line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if equals:
                found[name] = value
    return found


def by_systemd(text: str) -> dict[str, str]:
    """Comments start with # or ;, quotes and backslashes as in sh, a backslash at the end joins lines."""
    found = {}
    for line in text.replace("\\\n", "").split("\n"):
        line = line.strip()  # noqa: PLW2901
        if line and line[0] not in "#;" and "=" in line:
            name, _, value = line.partition("=")
            found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    result, quote, escaped = "", "", False
    for one in value:
        if escaped:
            # In double quotes a backslash stays, except before what it can escape.
            result += one if quote != '"' or one in '"\\`$' else "\\" + one
            escaped = False
        elif one == "\\" and quote != "'":
            escaped = True
        elif one == quote:
            quote = ""
        elif not quote and one in "'\"":
            quote = one
        else:
            result += one
    return result


@given(environments)
@settings(max_examples=150, deadline=None)
def test_what_is_rendered_is_read_alike_by_all(tmp_path_factory, environment):
    folder = tmp_path_factory.getbasetemp()
    refused = [name for name, value in environment.items() if not is_plain(value)]
    if refused:
        with pytest.raises(StorageConfigError, match=f"^{refused[0]} "):
            render(environment)
        return
    text = render(environment, ["a header", "with X=1 in it"])
    assert parse(text) == environment
    assert by_docker(text) == environment
    assert by_systemd(text) == environment
    assert by_dotenv(text) == environment
    assert by_shell(text, folder) == environment


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_every_character_that_is_accepted(tmp_path, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    # Each at the start, in the middle and at the end, and every pair of two that are no letters.
    signs = [one for one in PLAIN if not one.isalnum()]
    environment = {f"X{n}": one + "a" + one + "b" + one for n, one in enumerate(PLAIN)}
    environment |= {f"XX{n}": a + b for n, (a, b) in enumerate((a, b) for a in signs for b in signs)}
    text = render(environment)
    assert by_shell(text, tmp_path, shell) == environment
    assert by_dotenv(text) == by_docker(text) == by_systemd(text) == parse(text) == environment


@pytest.mark.parametrize(
    "value", ["a b", "'a'", '"a"', "$HOME", "a\\b", "`a`", "a #b", "~/a", "a;b", "a&b", "(a)", "a|b", "a\tb", " a"]
)
def test_the_readers_do_differ_about_what_is_refused(tmp_path, value):
    text = f"X={value}\n"
    read = [by_docker(text), by_systemd(text), by_dotenv(text)]
    try:
        read.append(by_shell(text, tmp_path))
    except subprocess.CalledProcessError:
        read.append({})
    assert any(one != {"X": value} for one in read)
    with pytest.raises(StorageConfigError):
        render({"X": value})


@pytest.mark.parametrize("value", ["two\nlines", "nul\0", "with space", "quo'te", "é", "a\r", "\u2028"])
def test_a_refusal_names_the_variable_and_never_shows_the_value(value):
    with pytest.raises(StorageConfigError) as caught:
        render({"FINE": "x", "XSECRET": value})
    assert "XSECRET" in str(caught.value)
    assert value not in str(caught.value)


def test_no_line_of_the_header_gets_out_of_its_comment(tmp_path):
    text = render({"X": "1"}, ["one\nX=2", "ends in \\", ""])
    assert text == "# one\n# X=2\n# ends in\n#\nX=1\n"
    for read in (parse, by_docker, by_systemd, by_dotenv, lambda text: by_shell(text, tmp_path)):
        assert read(text) == {"X": "1"}


def test_what_people_write_is_read_too():
    text = "\n# a comment\n  A=1  \nexport  B=two\nC='three 3'\nD=\"four\"\nE=\nA=again\r\nF=''\n"
    assert parse(text) == {"A": "again", "B": "two", "C": "three 3", "D": "four", "E": "", "F": ""}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("novalue", "expected NAME=value"),
        ("1A=x", "expected NAME=value"),
        ("A B=x", "expected NAME=value"),
        ("=x", "expected NAME=value"),
        ("A=se cret", r"\(A\): sh, docker"),
        ("A=$secret", r"\(A\): sh, docker"),
        ("A='secret", r"\(A\): sh, docker"),
        ("A='sec'ret", r"\(A\): sh, docker"),
        ('A="$secret"', r"\(A\): sh, docker"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_by_its_number(line, problem):
    with pytest.raises(StorageConfigError, match=rf"my\.env, line 2.*{problem}") as caught:
        parse(f"X=1\n{line}\n", "my.env")
    assert "secret" not in str(caught.value)
    assert "se cret" not in str(caught.value)
