"""The first contact with a store: one signed request before anything is created.

It tells whether the store answers, of which kind it is, whether it takes the administrator's key, and whether
the clocks agree. botocore signs and the standard library sends: a client would cost the Pulumi program ten times
as much, in its preview and in its update.
"""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlsplit

from infra.errors import UnreachableError
from infra.stores.kinds import Kind, named
from infra.stores.store import ACCEPTED_CODES, Store, refusal

_TIMEOUT = 5.0  # seconds; a store that is up answers this at once


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
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/", headers=_signed_headers(store))
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        reason = "no answer within 5 s" if isinstance(error, TimeoutError) else error
        raise UnreachableError(
            f"cannot reach the store at {store.endpoint} ({reason}); start it, or correct mpr-storage:endpoint"
        ) from error
    finally:
        connection.close()
    return answer.headers.get("Server", ""), _element(body, "Code"), _element(body, "Message")


def _signed_headers(store: Store) -> dict[str, str]:
    from botocore.auth import S3SigV4Auth  # noqa: PLC0415  # 0.1 s that only this needs
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    request = AWSRequest("GET", f"{store.endpoint}/")
    credentials = Credentials(store.admin.access_key_id, store.admin.secret_access_key)
    S3SigV4Auth(credentials, "s3", store.region).add_auth(request)
    return dict(request.headers.items())


def _element(body: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]*)</{name}>", body)
    return found[1] if found else ""
