"""`python -m infra store console`: SeaweedFS' administration page, for the user who has the password."""

from __future__ import annotations

import json
import re
import stat
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from infra.cli import cli
from infra.errors import InfraError
from infra.local import store
from infra.local.running import is_open
from infra.local.store import Console, EmbeddedStore
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("console") / ".local"


@pytest.fixture(scope="module")
def before(local: Path) -> EmbeddedStore:
    """The store as it ran before its console was switched on."""
    return store.start(local)


@pytest.fixture(scope="module")
def console(local: Path, before: EmbeddedStore) -> Iterator[Console]:
    assert store.find_console(local) is None
    messages: list[str] = []
    try:
        yield store.start_console(local, report=messages.append)
        assert messages == ["restarting the store with its console; requests fail for a few seconds"]
    finally:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "_GRACE", 0.1)
            store.stop(local)


@pytest.fixture(scope="module")
def password(console: Console) -> str:
    return console.password_file.read_text().strip()


class Browser:
    """Keeps cookies, as a browser does."""

    def __init__(self, console: Console) -> None:
        self._url = console.url
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def request(
        self, path: str, form: dict[str, str] | None = None, method: str | None = None, csrf_token: str = ""
    ) -> tuple[int, str]:
        data = urllib.parse.urlencode(form).encode() if form else None
        asked = urllib.request.Request(self._url + path, data=data, method=method)
        asked.add_header("X-CSRF-Token", csrf_token)
        try:
            with self._opener.open(asked, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def login(self, password: str, token: str | None = None) -> None:
        form = {"username": "admin", "password": password, "csrf_token": token or self.csrf_token("/login")}
        assert self.request("/login", form)[0] == 200

    def csrf_token(self, path: str) -> str:
        found = re.search(r'csrf[-_]token"[^>]*(?:content|value)="([^"]+)"', self.request(path)[1])
        assert found
        return found[1]

    def is_logged_in(self) -> bool:
        return self.request("/api/users")[0] == 200


def test_the_password_logs_in(console, password):
    browser = Browser(console)
    browser.login(password)
    assert browser.is_logged_in()
    assert "SeaweedFS Admin" in browser.request("/admin")[1]


@pytest.mark.parametrize(
    ("wrong", "token"), [("", None), ("admin", None), ("right", "another token")], ids=["empty", "wrong", "csrf"]
)
def test_nothing_else_logs_in(console, password, wrong, token):
    browser = Browser(console)
    browser.login(password if wrong == "right" else wrong, token)
    assert not browser.is_logged_in()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users"),
        ("POST", "/api/users"),
        ("GET", "/api/s3/buckets"),
        ("DELETE", "/api/s3/buckets/media"),
        ("GET", "/api/files/download?path=/etc/iam/identities/app.json"),
        ("GET", "/api/config"),
    ],
)
def test_without_the_password_there_is_no_response_with_content(console, method, path):
    assert Browser(console).request(path, method=method)[0] in {401, 404, 405}


def test_a_browser_sends_the_session_to_no_other_site(console, password):
    browser = Browser(console)
    browser.login(password)
    (session,) = browser.cookies
    assert session.has_nonstandard_attr("HttpOnly")
    assert session.get_nonstandard_attr("SameSite") in {"Lax", "Strict"}


def test_the_password_is_in_its_private_file_alone(local, console, password):
    assert len(password) == 32
    assert stat.S_IMODE(console.password_file.stat().st_mode) == 0o600
    commands = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended
            commands.append(process.read_text(errors="replace"))
    assert not [command for command in commands if password in command]
    texts = [
        path for path in (local / "store").rglob("*") if path.is_file() and password.encode() in path.read_bytes()
    ]
    assert texts == [console.password_file]
    assert password not in repr(console)


def test_the_port_is_on_loopback_alone(local, console):
    running = store.find(local)
    assert running is not None
    table = Path(f"/proc/{running.pid}/net/tcp")
    if not table.exists():
        pytest.skip("no /proc to see listening ports by")
    rows = [line.split() for line in (table.read_text() + table.with_name("tcp6").read_text()).splitlines()]
    port = f":{console.port:04X}"
    assert {row[1] for row in rows if row[1].endswith(port) and row[3] == "0A"} == {f"0100007F{port}"}


def test_the_restart_keeps_endpoint_and_key(local, before, console, client):
    running = store.find(local)
    assert running is not None
    assert (running.endpoint, running.admin) == (before.endpoint, before.admin)
    assert running.pid != before.pid
    assert client("s3", running).list_buckets()["Buckets"] == []


def test_the_maintenance_worker_reaches_the_other_servers_with_the_certificate(local, console, password, client):
    s3 = client("s3", store.find(local))
    s3.create_bucket(Bucket="expired")
    rule = {
        "ID": "a",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Date": "2020-01-01T00:00:00Z"},
    }
    s3.put_bucket_lifecycle_configuration(Bucket="expired", LifecycleConfiguration={"Rules": [rule]})
    s3.put_object(Bucket="expired", Key="a", Body=b"old")
    browser = Browser(console)
    browser.login(password)
    run = "/api/plugin/job-types/s3_lifecycle/run"
    token = browser.csrf_token("/plugin/lanes/lifecycle")
    wait_until(
        lambda: browser.request(run, method="POST", csrf_token=token)[0] == 200, 30
    )  # the worker registers first
    wait_until(lambda: "Contents" not in s3.list_objects_v2(Bucket="expired"), 30)
    s3.delete_bucket(Bucket="expired")


def test_it_is_switched_on_once(local, console, monkeypatch):
    monkeypatch.setattr(store, "_start", None)  # would fail
    assert store.start_console(local) == console
    assert store.find_console(local) == console


def test_a_console_that_does_not_listen_is_a_sentence(local, console, monkeypatch):
    monkeypatch.setattr(store, "is_open", lambda _port: False)
    monkeypatch.setattr(store, "_START_TIMEOUT", 0.1)
    with pytest.raises(
        InfraError, match=r"did not respond in 0.1 seconds\. Its log is .*store\.log\. Run `python"
    ):
        store.start_console(local)


def run(capsys, root: Path, *arguments: str) -> str:
    assert not cli.main(["store", *arguments], standalone_mode=False, obj=root)
    printed: str = capsys.readouterr().out
    return printed


def test_the_command_prints_where_the_password_is_and_not_the_password(local, console, password, capsys):
    sentences = run(capsys, local, "console")
    assert sentences.startswith(
        f"the console runs at {console.url} and can read and delete everything in the store\n"
    )
    assert f"  user      admin\n  password  in the file {console.password_file}\n" in sentences
    facts = {"url": console.url, "user": "admin", "password_file": str(console.password_file)}
    machine = run(capsys, local, "console", "--json")
    assert json.loads(machine) == facts
    status = run(capsys, local, "status")
    assert f"  console  {console.url}\n" in status
    assert password not in sentences + machine + status


@pytest.mark.usefixtures("impatient")
def test_the_next_start_is_without_the_console(root):
    first = store.start_console(root)  # of a store that does not run
    password = first.password_file.read_text()
    store.stop(root)
    assert store.find_console(root) is None
    store.start(root)
    assert store.find_console(root) is None
    assert not first.password_file.exists()
    wait_until(lambda: is_open(first.port), 30)  # the admin server starts after S3, also without its console
    assert Browser(first).request("/login")[0] == 404
    second = store.start_console(root)
    assert second.password_file.read_text() != password
