"""Adverse conditions: full disks, limits, signals, leftovers of killed processes, keys that expire in between."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from urllib.parse import urlsplit

import pytest

from core.storage import (
    AccessDeniedError,
    ClockSkewError,
    ExpiredCredentialsError,
    InvalidCredentialsError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    download_file,
    download_many,
    list_objects,
    upload_file,
)
from tests.core._fake_s3 import Fault, truncated
from tests.core._fault_proxy import FaultProxy
from tests.core.transport import requests_of

MIB = 1024 * 1024
BODY = os.urandom(3 * MIB)


@pytest.fixture
def served(fake):
    fake.put("/bucket/k.mp4", BODY)
    return fake


# --- disks ----------------------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_said_before_anything_is_downloaded(served, small_disk):
    target = small_disk / "k.mp4"
    with pytest.raises(OSError, match="the object has 3145728 bytes") as caught:
        download_file("bucket", "k.mp4", target)
    assert caught.value.errno == errno.ENOSPC
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file(served, small_disk):
    served.put("/bucket/small", BODY[: MIB // 2])
    target = small_disk / "small"
    target.write_bytes(b"old")
    (small_disk / "other").write_bytes(bytes(700_000))
    with pytest.raises(OSError, match="No space left"):
        download_file("bucket", "small", target)
    assert target.read_bytes() == b"old"
    assert {one.name for one in small_disk.iterdir()} == {"small", "other"}


def test_many_on_a_disk_that_fills_up_have_a_result_each(served, small_disk):
    for number in range(10):
        served.put(f"/bucket/{number}", BODY[:300_000])
    results = list(download_many([("bucket", str(number)) for number in range(10)], small_disk, workers=3))
    failed = [one.error for one in results if one.error]
    assert len(results) == 10
    assert 0 < len(failed) < 10
    assert all(isinstance(one, OSError) and one.errno == errno.ENOSPC for one in failed)
    assert all(one.stat().st_size == 300_000 for one in small_disk.iterdir())


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser writes everywhere")
def test_a_folder_that_may_not_be_written_is_an_error(served, tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError):
        download_file("bucket", "k.mp4", tmp_path / "k.mp4")
    (result,) = download_many([("bucket", "k.mp4")], tmp_path)
    assert isinstance(result.error, PermissionError)


def test_a_limit_on_the_size_of_files_is_an_error_and_leaves_nothing(served, tmp_path):
    code = """
        import resource, signal, sys
        from core.storage import download_file
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            download_file("bucket", "k.mp4", sys.argv[1])
        except OSError as error:
            print(error.errno)
    """
    done = python(code, str(tmp_path / "k.mp4"))
    assert done == str(errno.EFBIG)
    assert list(tmp_path.iterdir()) == []


def python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


# --- signals, and what the killed left ------------------------------------------------------------------


def test_a_process_that_ends_on_sigterm_leaves_nothing(served, tmp_path):
    code = """
        import signal, sys, time
        from core.storage import download_many
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))  # as servers and workers do
        served = [("bucket", "k.mp4")]
        def wait(_progress):
            print("on", flush=True)
            for _ in range(600):  # a signal just before one long sleep would be handled after it
                time.sleep(0.1)
        for _ in download_many(served * 1000, sys.argv[1], progress=wait):
            pass
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        assert child.stdout.readline() == b"on\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 7
    assert {one.name for one in tmp_path.iterdir()} <= {"k.mp4"}


def test_a_process_that_ends_without_a_word_leaves_nothing(served, tmp_path):
    code = """
        import sys
        from core.storage import download_many
        results = download_many([("bucket", "k.mp4")] * 1000, sys.argv[1])
        next(results)
    """
    python(code, str(tmp_path))
    assert {one.name for one in tmp_path.iterdir()} <= {"k.mp4"}


@pytest.fixture
def parts(tmp_path):
    """A part that was left over; one that is written to right now, and what only looks like one."""
    old = time.time() - 2 * 3600
    names = [".mpr-00000000.part", ".mpr-11111111.part", ".mprs.part", "mpr-3.part", ".mpr-notes.part"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (old, old))
    os.utime(tmp_path / names[1])  # just now
    return set(names[1:])


def test_what_a_killed_process_left_is_swept_and_nothing_else(served, tmp_path, parts):
    download_file("bucket", "k.mp4", tmp_path / "k.mp4")
    assert {one.name for one in tmp_path.iterdir()} == {"k.mp4", *parts}


def test_a_bulk_download_sweeps_what_a_killed_process_left_and_nothing_else(served, tmp_path, parts):
    assert [one.ok for one in download_many([("bucket", "k.mp4")], tmp_path)] == [True]
    assert {one.name for one in tmp_path.iterdir()} == {"k.mp4", *parts}


# --- keys and clocks in mid-transfer --------------------------------------------------------------------


def refusing(status: int, code: str) -> Fault:
    return lambda handler, _body, _start: handler.send_error_document(status, code)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ExpiredToken", ExpiredCredentialsError),
        (403, "InvalidAccessKeyId", InvalidCredentialsError),
        (403, "AccessDenied", AccessDeniedError),
        (403, "RequestTimeTooSkewed", ClockSkewError),
    ],
)
def test_credentials_that_end_in_the_middle_are_an_error_at_once(served, tmp_path, status, code, kind):
    served.faults.extend([truncated(MIB), refusing(status, code)])
    with pytest.raises(kind):
        download_file("bucket", "k.mp4", tmp_path / "k.mp4")
    assert len(served.seen("GET")) == 2  # it does not get better by asking again
    assert list(tmp_path.iterdir()) == []


# --- connections ----------------------------------------------------------------------------------------


def test_connections_that_the_store_has_closed_are_no_failure(served, use, tmp_path, pauses):
    proxy = FaultProxy("127.0.0.1", int(served.endpoint.rpartition(":")[2]))
    use(proxy.endpoint, "bucket")
    for _ in range(3):
        download_file("bucket", "k.mp4", tmp_path / "k.mp4")
        proxy.drop_all()
    assert pauses == []
    assert (tmp_path / "k.mp4").read_bytes() == BODY
    proxy.close()


def test_a_connection_is_used_again(served, use, tmp_path):
    proxy = FaultProxy("127.0.0.1", int(served.endpoint.rpartition(":")[2]))
    use(proxy.endpoint, "bucket")
    for _ in range(5):
        download_file("bucket", "k.mp4", tmp_path / "k.mp4")
    assert proxy.connections == 1
    proxy.close()


def test_a_forked_process_uses_none_of_its_parents(bucket, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x")
    upload_file(source, bucket, "k")
    child = os.fork()
    if not child:
        keys = [one.key for one in list_objects(bucket)]
        os._exit(0 if keys == ["k"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert [one.key for one in list_objects(bucket)] == ["k"]


def test_threads_share_connections_and_never_a_response(bucket, tmp_path):
    contents = {f"{number}": os.urandom(2000) for number in range(40)}
    for key, content in contents.items():
        (tmp_path / key).write_bytes(content)
        upload_file(tmp_path / key, bucket, key)
    wrong = []

    def work(turn: int) -> None:
        folder = tmp_path / f"t{turn}"
        folder.mkdir()
        for key, content in contents.items():
            download_file(bucket, key, folder / key)
            if (folder / key).read_bytes() != content:
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


@pytest.mark.usefixtures("small_parts", "pauses")
def test_an_upload_whose_last_response_was_lost_is_found_complete(any_bucket, tmp_path, transport):
    source = tmp_path / "large"
    source.write_bytes(os.urandom(11 * MIB))
    lost = transport.lose(requests_of("CompleteMultipartUpload"))
    info = upload_file(source, any_bucket, "large")
    assert lost == [200]
    assert (info.size, info.verified_by) == (11 * MIB, "md5")
    assert [one.size for one in list_objects(any_bucket)] == [11 * MIB]


# --- proxies --------------------------------------------------------------------------------------------


@pytest.fixture
def proxy_server():
    """Run a proxy that records its requests and sends the responses that a test gives it."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[str] = []
    responses: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near:
                asked.append(near.recv(65536).decode())
                near.sendall(responses[min(len(asked), len(responses)) - 1])

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], asked, responses
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_an_http_proxy_gets_the_absolute_url(use, monkeypatch, tmp_path, proxy_server):
    port, asked, responses = proxy_server
    responses.append(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: "x"\r\nConnection: close\r\n\r\nx')
    use("http://store.example:9000", "bucket")
    for name in ("no_proxy", "NO_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", f"http://me:pass%21@127.0.0.1:{port}")
    download_file("bucket", "k", tmp_path / "k")
    lines = asked[0].split("\r\n")
    assert lines[0] == "GET http://store.example:9000/bucket/k HTTP/1.1"
    assert "Host: store.example:9000" in lines
    assert "Proxy-Authorization: Basic bWU6cGFzcyE=" in lines


@pytest.mark.parametrize(
    ("host", "expected"), [("storage.googleapis.com", ["gzip", "identity"]), ("store.example", ["identity"] * 2)]
)
def test_gzip_is_accepted_for_objects_of_google_alone(use, monkeypatch, tmp_path, proxy_server, host, expected):
    port, asked, responses = proxy_server
    responses.append(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: "x"\r\nConnection: close\r\n\r\nx')
    use(f"http://{host}", "bucket")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    download_file("bucket", "k", tmp_path / "k")
    with pytest.raises(StorageError):
        list(list_objects("bucket"))
    found = [
        line.removeprefix("Accept-Encoding: ")
        for head in asked
        for line in head.split("\r\n")
        if "Accept-E" in line
    ]
    assert found == expected


@pytest.mark.usefixtures("pauses")
def test_a_proxy_for_tls_is_asked_for_a_tunnel(use, monkeypatch, tmp_path, proxy_server):
    port, asked, responses = proxy_server
    responses.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    use("https://store.example", "bucket")
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
    with pytest.raises(
        StoreUnreachableError, match=r"the proxy cannot be reached .* check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    ):
        download_file("bucket", "k", tmp_path / "k")
    assert asked[0].startswith("CONNECT store.example:443 HTTP/1.")


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("response", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "it requires a login"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", r"it refuses a tunnel to .* \(status 403\)"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurplus", "sent something through it at once"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_named_with_its_reason(use, monkeypatch, proxy_server, response, said):
    port, _, responses = proxy_server
    responses.append(response)
    use("https://store.example", "bucket")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(StoreUnreachableError, match=said):
        list(list_objects("bucket"))


@pytest.mark.usefixtures("pauses")
def test_the_address_of_an_ipv6_store_is_in_brackets(use, monkeypatch, proxy_server):
    port, asked, responses = proxy_server
    responses.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    use("https://[2001:db8::1]:9000", "bucket")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(StoreUnreachableError):
        list(list_objects("bucket"))
    assert asked[0].startswith("CONNECT [2001:db8::1]:9000 HTTP/1.1\r\nHost: [2001:db8::1]:9000\r\n")


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_a_proxy_that_is_not_reached_by_plain_http_gets_no_credentials(use, monkeypatch, proxy_server, scheme):
    port, asked, _ = proxy_server
    use("https://store.example", "bucket")
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://me:password@127.0.0.1:{port}")
    with pytest.raises(StorageConfigError, match=rf"HTTPS_PROXY names a proxy with {scheme}://") as caught:
        list(list_objects("bucket"))
    assert "password" not in str(caught.value)
    assert asked == []


def test_a_connection_made_without_a_proxy_is_not_used_with_one(served, monkeypatch, tmp_path, proxy_server):
    port, asked, responses = proxy_server
    responses.append(b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: "x"\r\nConnection: close\r\n\r\nx')
    download_file("bucket", "k.mp4", tmp_path / "k")
    monkeypatch.setenv("HTTP_PROXY", f"http://me:password@127.0.0.1:{port}")
    download_file("bucket", "k.mp4", tmp_path / "k")
    assert "Proxy-Authorization" in asked[0]
    assert not any("Proxy-Authorization" in headers for _, _, headers in served.requests)


def test_a_proxy_that_does_not_use_http_is_an_error(use, monkeypatch, proxy_server, pauses):
    port, _, responses = proxy_server
    use("https://store.example", "bucket")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    responses.append(b"SSH-2.0-OpenSSH_9.6\r\n")
    with pytest.raises(StoreUnreachableError, match="the proxy cannot be reached"):
        list(list_objects("bucket"))
    assert pauses


def test_a_host_in_no_proxy_is_reached_directly(served, monkeypatch, tmp_path):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for no_proxy in ("127.0.0.1", urlsplit(served.endpoint).netloc):
        monkeypatch.setenv("NO_PROXY", no_proxy)
        assert download_file("bucket", "k.mp4", tmp_path / "k").size == len(BODY)
