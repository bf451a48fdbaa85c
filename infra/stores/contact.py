"""The first contact with a store: one signed request before anything is created.

It tells whether the store answers, of which kind it is, whether it takes the administrator's key, and whether
the clocks agree. Signed and sent without botocore: importing botocore would cost the Pulumi program
0.1 s, in its preview and in its update.
"""

from __future__ import annotations

import http.client
import os
import re
import ssl
from urllib.parse import SplitResult, urlsplit

from core.storage._internal import SigningKeys, payload_hash, sign
from infra.errors import UnreachableError, UsageError
from infra.stores.kinds import Kind, named
from infra.stores.store import ACCEPTED_CODES, Store, refusal

_TIMEOUT = 5.0  # seconds; a store that is up answers this at once
_MOST = 65536  # bytes of an answer that are read; an error has far fewer


def contact(store: Store) -> Kind:
    """The kind of the store, once it has accepted the administrator's key.

    Raises:
        UnreachableError: nothing answers there within 5 seconds, or what answers speaks no HTTP.
        UsageError: it does not take the key, or the clocks or regions differ.
    """
    server, code, message = _list_buckets(store)
    if code not in ACCEPTED_CODES:
        raise refusal(store, "first contact", code, message)
    return named(server)


def _list_buckets(store: Store) -> tuple[str, str, str]:
    """The Server header of the answer, and the code and message of its error, if it is one."""
    url = urlsplit(store.endpoint)
    connection = _connection(url)
    try:
        connection.request("GET", "/", headers=_signed_headers(store, url.netloc))
        answer = connection.getresponse()
        body = answer.read(_MOST).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        reason = f"no answer within {_TIMEOUT:g} s" if isinstance(error, TimeoutError) else error
        raise UnreachableError(
            f"cannot reach the store at {store.endpoint} ({reason}); start it, or correct mpr-storage:endpoint"
        ) from error
    finally:
        connection.close()
    return answer.headers.get("Server", ""), _element(body, "Code"), _element(body, "Message")


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme != "https":
        return http.client.HTTPConnection(host, url.port, timeout=_TIMEOUT)
    authorities = os.environ.get("AWS_CA_BUNDLE") or None  # what boto3 goes by, in all that follows
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise UsageError(
            f"AWS_CA_BUNDLE={authorities} holds no certificates that can be read ({error.strerror or error}); "
            "name a PEM file, or unset it"
        ) from error
    return http.client.HTTPSConnection(host, url.port, timeout=_TIMEOUT, context=context)


def _signed_headers(store: Store, host: str) -> dict[str, str]:
    """Return the headers of ``GET /``, signed."""
    keys = SigningKeys(store.admin.access_key_id, store.admin.secret_access_key)
    return sign(keys, store.region, "GET", "/", "", {"host": host}, payload_hash("http", b""))


def _element(body: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]*)</{name}>", body)
    return found[1] if found else ""
