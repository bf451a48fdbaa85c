"""What both servers refuse, and the headers of their responses."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from examples.pipeline.guard import LONGEST_BODY
from tests.example.test_web import ask

WANTED = {"name": "a.mp4", "content_type": "video/mp4"}


@dataclass(frozen=True)
class Server:
    """One of the two servers, with a path that takes a body."""

    address: str
    path: str

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 80

    def request(
        self,
        method: str = "POST",
        path: str | None = None,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request as it is; return the status, the headers and the body of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {"Content-Type": "application/json"} | (headers or {})
            connection.putrequest(method, path or self.path, skip_host="Host" in sent)
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is None:
                connection.endheaders()
            else:
                connection.endheaders(body, encode_chunked="Transfer-Encoding" in sent)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def post(self, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.request(body=body, headers={"Content-Length": str(len(body))} | headers)


@pytest.fixture(params=["page", "intake"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    if request.param == "page":
        return Server(request.getfixturevalue("address"), "/api/uploads")
    return Server(request.getfixturevalue("intake"), "/uploads")


def sentence(body: bytes) -> str:
    detail = json.loads(body)["detail"]
    assert isinstance(detail, str)
    return detail


@pytest.mark.parametrize(
    "host",
    ["rebound.example:{port}", "rebound.example", "localhost", "localhost:1", "127.0.0.1:{port}.rebound.example",
     "localhost.rebound.example:{port}", "rebound.example@localhost:{port}", "[::2]:{port}", "10.0.0.1:{port}",
     ""],
)  # fmt: skip
def test_a_request_for_another_host_or_port_is_refused_with_a_sentence(server: Server, host):
    named = host.format(port=server.port)
    status, _, body = server.post(json.dumps(WANTED).encode(), Host=named)
    assert status == 421
    assert (
        f"this server responds to localhost:{server.port}, 127.0.0.1:{server.port}, [::1]:{server.port} only"
        in (sentence(body))
    )


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LocalHost"])
def test_a_request_for_this_machine_is_passed_on(server: Server, name):
    status, _, body = server.post(json.dumps(WANTED).encode(), Host=f"{name}:{server.port}")
    assert (status, json.loads(body)["content_type"]) == (200, "video/mp4")


@pytest.mark.parametrize("header", ["x-content-type-options", "content-security-policy"])
def test_every_response_has_the_headers_that_browsers_obey(server: Server, header):
    responses = [
        server.post(json.dumps(WANTED).encode()),
        server.post(b"no JSON"),
        server.post(b"", Host="rebound.example"),
        server.post(b"x" * (LONGEST_BODY + 1)),
        server.request("GET", "/nothing"),
        server.request("GET", "/"),
        server.request("GET", "/page/page.js"),
        server.request("DELETE"),
    ]
    statuses = [status for status, _, _ in responses]
    assert statuses[:5] == [200, 422, 421, 413, 404]
    values = [headers.get(header, "") for _, headers, _ in responses]
    if header == "x-content-type-options":
        assert set(values) == {"nosniff"}
    else:
        assert all(value.startswith("default-src 'none'") and "'unsafe" not in value for value in values)


def test_the_page_may_load_its_own_files_and_what_the_store_has(place, address):
    _, headers, _ = Server(address, "").request("GET", "/")
    policy = dict(one.strip().split(" ", 1) for one in headers["content-security-policy"].split(";"))
    store = place.environment.store.endpoint
    assert policy["default-src"] == "'none'"
    assert (policy["script-src"], policy["style-src"]) == ("'self'", "'self'")
    assert policy["img-src"].split() == ["data:", store]
    assert policy["connect-src"].split() == ["'self'", store]
    _, signed = ask(f"{address}/api/uploads", WANTED)
    assert signed["url"].startswith(f"{store}/")


def test_the_page_has_no_inline_script_or_style(address):
    _, _, page = Server(address, "").request("GET", "/")
    assert b"<style" not in page
    assert b" style=" not in page
    assert not re.search(rb"\son\w+=", page)
    assert page.count(b"<script") == page.count(b'<script src="/page/') == 1


def test_the_files_of_the_page_have_the_types_that_nosniff_asks_for(address):
    for name, content_type in (("page.js", "text/javascript"), ("style.css", "text/css")):
        status, headers, _ = Server(address, "").request("GET", f"/page/{name}")
        assert (status, headers["content-type"].partition(";")[0]) == (200, content_type)


def test_a_body_of_the_greatest_length_is_read(server: Server):
    body = json.dumps(WANTED).encode()
    status, _, _ = server.post(body + b" " * (LONGEST_BODY - len(body)))
    assert status == 200


def test_a_longer_body_is_refused_with_a_sentence(server: Server):
    body = json.dumps(WANTED).encode()
    status, _, refusal = server.post(body + b" " * (LONGEST_BODY + 1 - len(body)))
    assert status == 413
    assert f"has more than {LONGEST_BODY} bytes" in sentence(refusal)


def test_a_long_body_is_refused_before_it_is_sent(server: Server):
    status, _, refusal = server.request(headers={"Content-Length": str(10**12)})
    assert status == 413
    assert "bytes" in sentence(refusal)


def test_a_long_body_of_unknown_length_is_refused(server: Server):
    chunks = [b" " * 1000] * (LONGEST_BODY // 1000 + 1)
    status, _, refusal = server.request(body=chunks, headers={"Transfer-Encoding": "chunked"})
    assert status == 413
    assert "bytes" in sentence(refusal)


def test_a_short_body_of_unknown_length_is_read(server: Server):
    body = json.dumps(WANTED).encode()
    status, _, _ = server.request(body=[body[:5], body[5:]], headers={"Transfer-Encoding": "chunked"})
    assert status == 200
