"""Where the objects of a bucket are: a host, and the start of a path."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from core.storage._boto.clients import get_s3_client
from core.storage._config.validate import bucket_name_problem
from core.storage._errors import StorageConfigError
from core.storage._http.proxy import Host
from core.storage.settings import Settings


class Address(NamedTuple):
    """The place of a bucket."""

    host: Host
    #: What stands before the key: ``/`` or ``/bucket/``.
    start: str

    def path(self, key: str | None) -> str:
        """The path of an object, or of the bucket itself, encoded as it is signed and sent."""
        return self.start + quote(key, safe="/~") if key else self.start.removesuffix("/") or "/"


@lru_cache(maxsize=64)
def address_of(settings: Settings, bucket: str) -> Address:
    """The address of a bucket, by botocore's rules.

    With an endpoint and the bucket in the path, they come to joining the two; the rest (regions, partitions, the
    bucket in the host) is botocore's to say, from a client whose making costs the time of a hundred requests.
    """
    if problem := bucket_name_problem(bucket):
        raise StorageConfigError(f"the bucket name {bucket!r} {problem}", bucket=bucket)
    if settings.endpoint_url and (settings.addressing_style or settings.dialect.addressing) == "path":
        url = f"{settings.endpoint_url.rstrip('/')}/{bucket}"
    else:
        url = get_s3_client(settings).generate_presigned_url("list_objects_v2", Params={"Bucket": bucket})
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return Address(Host(parts.scheme, parts.hostname or "", port), parts.path.rstrip("/") + "/")
