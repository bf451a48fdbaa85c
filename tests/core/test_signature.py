"""Signatures, compared with those of botocore."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from core.storage._boto.signature import AccessKey, payload_hash, sign

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_names = st.sampled_from(["Content-MD5", "Content-Type", "x-amz-meta-a", "X-Amz-Meta-B", "If-None-Match"])
_queries = st.lists(
    st.tuples(
        st.sampled_from(["prefix", "partNumber", "uploads", "uploadId"]), st.sampled_from(["", "1", "a%2Fb"])
    ),
    max_size=3,
    unique_by=lambda pair: pair[0],
)


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=st.sampled_from(["/", "/bucket", "/bucket/a", "/bucket/a%20b/%C3%BC~", "/bucket/a//b/../c"]),
    queries=_queries,
    headers=st.dictionaries(_names, _texts, max_size=4),
    token=st.sampled_from([None, "token"]),
    secret=st.sampled_from(["secret", "se/cr+et="]),
    body=st.sampled_from([b"", b"body"]),
)
def test_the_signature_is_the_one_of_botocore(method, path, queries, headers, token, secret, body):
    query = "&".join(f"{name}={value}" for name, value in queries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", _NOW.timestamp)
        patch.setattr(botocore.auth, "get_current_datetime", lambda: _NOW.replace(tzinfo=None))
        _compare(method, path, query, headers, token, secret, body)


def _compare(method, path, query, headers, token, secret, body):
    payload = payload_hash("http", body)
    given_headers = {"Host": "store:9000", **headers}
    ours = sign(AccessKey("KEY", secret, token), "eu-west-1", method, path, query, given_headers, payload)

    url = f"http://store:9000{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers=given_headers, data=body)
    botocore.auth.S3SigV4Auth(Credentials("KEY", secret, token), "s3", "eu-west-1").add_auth(request)
    assert ours["Authorization"] == request.headers["Authorization"]
    assert ours["x-amz-content-sha256"] == request.headers["X-Amz-Content-SHA256"]


def test_over_tls_the_body_is_not_signed():
    assert payload_hash("https", b"body") == "UNSIGNED-PAYLOAD"
    assert payload_hash("https", b"") == payload_hash("http", b"")
    assert payload_hash("http", b"body", "known") == "known"
