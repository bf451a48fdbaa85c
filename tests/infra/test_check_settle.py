"""Waiting for a new key. The cloud is a tiny server that knows the key after so many requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import pytest

from core.storage.settings import Settings
from infra.check import settle
from infra.check.settle import wait_until_known
from infra.config.identities import RIGHTS, Identity
from tests.infra.conftest import fresh, http_server, identity_of, responding

EMPTY = "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, without waiting: the clock goes on by as much."""
    pauses: list[float] = []
    monkeypatch.setattr(settle, "time", SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses)))
    return pauses


@contextmanager
def cloud(
    refusals: int, status: int = 403, code: str = "InvalidAccessKeyId"
) -> Iterator[tuple[Settings, list[str]]]:
    """A store that refuses so many requests; the settings for it, and the paths that were asked for."""
    asked: list[str] = []

    def response(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        refusal = f"<Error><Code>{code}</Code></Error>"
        (responding(status, refusal) if len(asked) <= refusals else responding(200, EMPTY))(request)

    with http_server(response) as endpoint:
        yield (
            Settings(
                endpoint_url=endpoint,
                region="auto",
                bucket_in="media-in",
                bucket_out="media-out",
                access_key_id="APPKEY",
                secret_access_key=fresh(),  # so that no two tests share a client
            ),
            asked,
        )


@pytest.mark.parametrize("target", ["aws", "gcp", "r2"])
def test_there_is_no_wait_for_an_access_key_that_works(target, slept, capsys):
    with cloud(0) as (settings, asked):
        wait_until_known(target, identity_of("app"), settings)
    assert (slept, len(asked)) == ([], 1)
    assert capsys.readouterr() == ("", "")


def test_on_an_s3_compatible_store_no_request_tries_the_access_key(slept):
    with cloud(9) as (settings, asked):
        wait_until_known("s3-compatible", identity_of("app"), settings)
    assert (slept, asked) == ([], [])


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (403, "AccessDenied"), (401, "Unauthorized")],
)
def test_a_refused_access_key_is_tried_until_it_works_and_stderr_says_so(slept, capsys, status, code):
    with cloud(3, status, code) as (settings, asked):
        wait_until_known("gcp", identity_of("app"), settings)
    assert (len(slept), len(asked)) == (2, 4)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "waiting until gcp knows the key of app everywhere (120 s at most)\n")


def test_the_wait_for_an_access_key_that_never_works_ends(slept):
    with cloud(1000) as (settings, _):
        wait_until_known("aws", identity_of("app"), settings)
    assert 30 <= sum(slept) < 40


def test_an_error_other_than_a_refused_access_key_ends_the_wait(slept):
    with cloud(1000, 404, "NoSuchBucket") as (settings, asked):
        wait_until_known("aws", identity_of("app"), settings)
    assert (slept, len(asked)) == ([], 1)


def test_the_access_key_is_tried_with_a_request_that_the_identity_may_send(slept):
    web = Identity(name="web", rights=RIGHTS["viewer"], prefixes={"in": ("clips/",)})
    with cloud(0) as (settings, asked):
        wait_until_known("aws", web, settings)
    assert asked[0].startswith("/media-in?")
    assert "prefix=clips%2F" in asked[0]
