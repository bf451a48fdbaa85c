"""The address of a bucket: a host, and the start of the path of its objects."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from core.storage._boto.clients import get_s3_client
from core.storage._config.validate import bucket_name_problem
from core.storage._errors import StorageConfigError
from core.storage._http.proxy import PORTS, Host
from core.storage.settings import Settings


class Address(NamedTuple):
    """The address of a bucket."""

    host: Host
    #: The part of the path before the object key: ``/`` or ``/bucket/``.
    start: str

    def path(self, key: str | None) -> str:
        """Return the path of an object, or without a key of the bucket, encoded as it is signed and sent."""
        return self.start + quote(key, safe="/~") if key else self.start.removesuffix("/") or "/"


def check_bucket(bucket: str) -> None:
    """Raise a TypeError or StorageConfigError for what is no name of a bucket."""
    if not isinstance(bucket, str):
        raise TypeError(f"the bucket must be text (a str), got {type(bucket).__name__}")
    if problem := bucket_name_problem(bucket):
        raise StorageConfigError(f"the bucket name {bucket!r} {problem}", bucket=bucket)


@lru_cache(maxsize=64)
def address_of(settings: Settings, bucket: str) -> Address:
    """Return the address of a bucket, by the rules of botocore.

    With an endpoint and the bucket in the path, the two are joined. For everything else (regions, partitions, the
    bucket in the host), a client of botocore is created, which takes as long as a hundred requests.
    """
    check_bucket(bucket)
    if settings.endpoint_url and (settings.addressing_style or settings.dialect.addressing) == "path":
        url = f"{settings.endpoint_url.rstrip('/')}/{bucket}"
    else:
        url = get_s3_client(settings).generate_presigned_url("list_objects_v2", Params={"Bucket": bucket})
    parts = urlsplit(url)
    host = Host(parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme])
    return Address(host, parts.path.rstrip("/") + "/")
