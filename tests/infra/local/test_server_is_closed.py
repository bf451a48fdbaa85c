"""The running server refuses requests without credentials, and those of a web page in the user's browser."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from tests.waiting import wait_until

FOREIGN = "http://foreign.example"


def request(
    url: str, method: str = "GET", data: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(url, data=data, method=method, headers=names)
    try:
        with urllib.request.urlopen(asked, timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as response:
        with response:
            return response.code, dict(response.headers), response.read()


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def ports_of(root: Path) -> dict[str, int]:
    ports: dict[str, int] = json.loads((root / "store/state.json").read_text())["ports"]
    return ports


@pytest.fixture
def bucket(running, client):
    s3 = client("s3", running[1])
    s3.create_bucket(Bucket="closed")
    s3.put_object(Bucket="closed", Key="a", Body=b"private" * 1000)
    yield s3
    s3.delete_object(Bucket="closed", Key="a")
    s3.delete_bucket(Bucket="closed")


@pytest.mark.parametrize(
    ("server", "method", "path"),
    [
        ("filer", "GET", "/buckets/closed/a"),
        ("filer", "GET", "/"),
        ("filer", "POST", "/buckets/closed/a"),
        ("filer", "DELETE", "/buckets/closed/a"),
        ("filer", "OPTIONS", "/buckets/closed/a"),
        ("master", "GET", "/col/delete?collection=closed"),
        ("master", "GET", "/dir/assign"),
        ("master", "POST", "/submit"),
        ("volume", "GET", "/1,01ffffffff"),
        ("volume", "POST", "/1,01ffffffff"),
        ("volume", "DELETE", "/1,01ffffffff"),
        ("admin", "GET", "/api/users"),
        ("admin", "POST", "/api/users"),
        ("s3", "GET", "/closed/a"),
        ("s3", "PUT", "/closed/a"),
        ("s3", "GET", "/closed"),
        ("s3", "POST", "/?Action=CreateUser&UserName=unrelated&Version=2010-05-08"),
    ],
)
def test_a_request_without_credentials_is_refused_at_every_port(running, bucket, server, method, path):
    port = ports_of(running[0])[f"{server}.port"]
    wait_until(lambda: is_open(port), 10)  # the admin server starts after S3
    data = b"unrelated" if method in {"POST", "PUT"} else None
    status, _, body = request(f"http://127.0.0.1:{port}{path}", method, data, Origin=FOREIGN)
    assert status in ({401} if server == "volume" else {400, 401, 403, 404})  # 401: for want of a token
    assert b"private" not in body
    assert bucket.get_object(Bucket="closed", Key="a")["Body"].read() == b"private" * 1000


def test_it_listens_on_loopback_alone_at_the_chosen_ports(running):
    root, found = running
    table = Path(f"/proc/{found.pid}/net/tcp")
    if not table.exists():
        pytest.skip("no /proc to see listening ports by")
    own = {re.sub(r"\D", "", name) for name in sockets(found.pid)}
    rows = [line.split() for line in (table.read_text() + table.with_name("tcp6").read_text()).splitlines()]
    listening = {row[1] for row in rows if len(row) > 9 and row[3] == "0A" and row[9] in own}
    addresses = {address.split(":")[0] for address in listening}
    assert addresses == {"0100007F"}
    assert {int(address.split(":")[1], 16) for address in listening} <= set(ports_of(root).values())


def sockets(pid: int) -> list[str]:
    """Return the names of a process' sockets, such as ``socket:[4711]``. It may close some meanwhile."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(path.readlink()))
    return [name for name in found if name.startswith("socket:")]


def preflight(url: str, origin: str) -> tuple[int, str | None]:
    status, headers, _ = request(url, "OPTIONS", Origin=origin, Access_Control_Request_Method="GET")
    return status, headers.get("Access-Control-Allow-Origin")


def test_browsers_are_let_in_by_the_rules_of_a_bucket_alone(running, bucket):
    url = f"{running[1].endpoint}/closed/a"
    assert preflight(url, FOREIGN) == (403, None)
    rule = {"AllowedOrigins": ["http://app.example"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*"]}
    bucket.put_bucket_cors(Bucket="closed", CORSConfiguration={"CORSRules": [rule]})
    wait_until_allowed(url)
    assert preflight(url, FOREIGN) == (403, None)
    signed = bucket.generate_presigned_url("get_object", Params={"Bucket": "closed", "Key": "a"})
    assert request(signed, Origin="http://app.example")[1]["Access-Control-Allow-Origin"] == "http://app.example"
    assert "Access-Control-Allow-Origin" not in request(signed, Origin=FOREIGN)[1]


def wait_until_allowed(url: str) -> None:
    wait_until(lambda: preflight(url, "http://app.example") == (200, "http://app.example"), 5)


def test_no_other_user_sees_a_key_in_the_list_of_processes(running):
    ps = shutil.which("ps")
    assert ps
    listed = subprocess.run(
        [ps, "-o", "args=", "-p", str(running[1].pid)], capture_output=True, text=True, check=True
    ).stdout
    assert "mini" in listed
    assert running[1].admin.access_key_id not in listed
    assert running[1].admin.secret_access_key not in listed


def test_a_bucket_that_holds_something_is_not_deleted(bucket):
    with pytest.raises(bucket.exceptions.ClientError, match="BucketNotEmpty"):
        bucket.delete_bucket(Bucket="closed")


def test_an_object_larger_than_one_chunk_is_whole(bucket):
    body = bytes(range(256)) * 100_000
    bucket.put_object(Bucket="closed", Key="big", Body=body)
    assert bucket.get_object(Bucket="closed", Key="big")["Body"].read() == body
    bucket.delete_object(Bucket="closed", Key="big")
