"""What is in the buckets: first contact with a side, and all of its objects."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from core.storage import ObjectInfo
from core.storage._internal import Request, call, parsed_page
from infra.copy.side import Side
from infra.errors import InfraError
from infra.identities import Role
from infra.stores.kinds import Kind, named


def contact(side: Side, role: Role) -> Kind:
    """The kind of the store, which has let these keys list the bucket.

    Raises:
        InfraError: it did not; as `Side.told`.
        UnreachableError: it did not answer.
    """
    with side.told():
        answer = call(Request("ListObjectsV2", side.bucket(role), query="list-type=2&max-keys=1"), side.settings)
    return named(answer.headers.get("server", ""))


def objects(side: Side, role: Role) -> Iterator[ObjectInfo]:
    """Every object of a bucket, folder markers included.

    Raises:
        InfraError, UnreachableError: during the iteration, as `contact`.
    """
    bucket, start = side.bucket(role), "list-type=2&encoding-type=url&max-keys=1000"
    query, token = start, None
    while True:
        with side.told():
            page = parsed_page(call(Request("ListObjectsV2", bucket, query=query), side.settings).body, bucket)
        yield from page.objects
        if not page.truncated:
            return
        if page.token in {None, "", token}:
            raise InfraError(
                f"{side.environment}: the listing of {bucket} goes on, but the store does not say where"
            )
        token = page.token
        query = f"{start}&continuation-token={quote(token or '', safe='')}"
