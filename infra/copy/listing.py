"""The first request to a side, and the listing of its objects."""

from __future__ import annotations

from collections.abc import Iterator

from core.storage import ObjectInfo
from core.storage._internal import call, iterate, pages
from infra.config.identities import Role
from infra.copy.side import Side
from infra.stores.contact import listing
from infra.stores.kinds import Kind, named


def contact(side: Side, role: Role) -> Kind:
    """Return the kind of the store, after a request that lists the bucket.

    Raises:
        StorageError: the store did not respond, or did not allow it.
    """
    with side.named_in_errors():
        return named(call(listing(side.bucket(role)), side.settings).headers.get("server", ""))


def objects(side: Side, role: Role) -> Iterator[ObjectInfo]:
    """Yield every object of a bucket, folder markers included: the library's `list_objects` leaves those out.

    Raises:
        StorageError: during the iteration, as `contact`.
    """
    with side.named_in_errors():
        for page in iterate(pages(side.bucket(role), "", side.settings)):
            yield from page.objects
