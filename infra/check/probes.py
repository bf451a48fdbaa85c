"""The probes: one small request each, and the right that it takes.

Every probe is harmless whatever comes of it: it writes under a prefix of its own, which is cleaned up, and
tries what must be denied in a way that changes nothing if it is not.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

from botocore.exceptions import ClientError

from core.storage import get_s3_client
from core.storage._internal import presign_client
from infra.stores.store import Keys, Store, code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from core.storage.settings import Settings

PREFIX = "mpr-probe/"
_BODY = b"probe"
_DENIED = {"AccessDenied", "AccessForbidden", "Forbidden", "403", "Unknown", "UnauthorizedAccess"}
_MISSING = {"NoSuchKey", "404"}
#: Of the server, which say neither yes nor no; 501 says that there is no such thing as a policy.
_FAULTS = {500, 502, 503, 504}
#: What only somebody with the right is told of a policy that makes no sense.
_UNDERSTOOD = {"MalformedPolicy", "MalformedPolicyDocument", "NoSuchEntity"}


@dataclass(frozen=True)
class Subject:
    """Who is tried, where."""

    settings: Settings
    #: The bucket that a probe is about; of `foreign` probes, one that the identity has no business with.
    bucket: str
    #: The buckets that it may know of.
    known: frozenset[str]
    #: Where in the bucket: with its slash, or empty.
    prefix: str = ""
    name: str = field(default_factory=lambda: f"{PREFIX}{secrets.token_hex(8)}/probe")
    #: The bucket that it tries to create.
    new_bucket: str = field(default_factory=lambda: f"mpr-probe-{secrets.token_hex(8)}")

    @property
    def key(self) -> str:
        """The object that it tries."""
        return f"{self.prefix}{self.name}"

    @property
    def s3(self) -> S3Client:
        """Its S3 client, the one that applications use."""
        return get_s3_client(self.settings)


@dataclass(frozen=True)
class Probe:
    """One request. `run` returns if it was allowed and raises `Denied` if not."""

    name: str
    #: The right on the bucket that it takes; empty: nobody may.
    right: str
    run: Callable[[Subject], None]


class Denied(Exception):  # noqa: N818  # an answer, not an error
    """The store said no."""


def attempt(probe: Probe, subject: Subject) -> bool:
    """Whether the store allows it. Errors that are neither yes nor no come out as they are."""
    try:
        probe.run(subject)
    except Denied:
        return False
    except ClientError as error:
        code = code_of(error)
        if code in _DENIED:
            return False
        if code in _MISSING:
            return True  # it may look: there is only nothing there
        raise
    return True


def beside() -> str:
    """A prefix that no identity is held to."""
    return f"mpr-probe-{secrets.token_hex(8)}/"


def clean_up(subject: Subject) -> None:
    """Remove what probes of this subject may have left."""
    attempt(Probe("delete", "write", _delete), subject)


def _list(subject: Subject) -> None:
    subject.s3.list_objects_v2(Bucket=subject.bucket, Prefix=f"{subject.prefix}{PREFIX}", MaxKeys=1)


def _list_all(subject: Subject) -> None:
    subject.s3.list_objects_v2(Bucket=subject.bucket, MaxKeys=1)


def _put(subject: Subject) -> None:
    subject.s3.put_object(Bucket=subject.bucket, Key=subject.key, Body=_BODY)


def _get(subject: Subject) -> None:
    subject.s3.get_object(Bucket=subject.bucket, Key=subject.key)["Body"].close()


def _delete(subject: Subject) -> None:
    subject.s3.delete_object(Bucket=subject.bucket, Key=subject.key)


def _multipart(subject: Subject) -> None:
    """Start an upload and give it up again: both rights are needed, or failed uploads leave parts behind."""
    s3, bucket, key = subject.s3, subject.bucket, subject.key
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    s3.upload_part(Bucket=bucket, Key=key, PartNumber=1, UploadId=upload, Body=_BODY)
    s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def _presign(subject: Subject) -> None:
    """Fetch a presigned URL with plain HTTP, as a browser would."""
    url = presign_client(subject.settings).generate_presigned_url(
        "get_object", Params={"Bucket": subject.bucket, "Key": subject.key}, ExpiresIn=60
    )
    try:
        urlopen(url, timeout=20).close()  # noqa: S310  # a URL that was just signed for the store
    except HTTPError as error:
        error.close()
        if error.code == 403:  # noqa: PLR2004  # Forbidden
            raise Denied from error


def _create_bucket(subject: Subject) -> None:
    subject.s3.create_bucket(Bucket=subject.new_bucket)
    with suppress(ClientError):  # whoever may create need not be allowed to delete
        subject.s3.delete_bucket(Bucket=subject.new_bucket)


def _list_buckets(subject: Subject) -> None:
    """Stores that answer with nothing but the identity's own buckets tell it nothing new."""
    seen = {bucket.get("Name", "") for bucket in subject.s3.list_buckets()["Buckets"]}
    if seen <= subject.known:
        raise Denied


def _change_bucket_policy(subject: Subject) -> None:
    """Send a policy that no store accepts: whoever may change policies is told so instead of "denied"."""
    _malformed(lambda: subject.s3.put_bucket_policy(Bucket=subject.bucket, Policy="{}"))


def _change_own_rights(subject: Subject) -> None:
    """The same with the identity's own policy, over the IAM API of the store, if it has one."""
    found = subject.settings
    keys = Keys(found.access_key_id or "", found.secret_access_key or "", found.session_token)
    iam = Store(found.endpoint_url or "", found.region, keys).iam
    _malformed(lambda: iam.put_user_policy(UserName="mpr-probe", PolicyName="mpr-probe", PolicyDocument="{}"))


def _malformed(request: Callable[[], object]) -> None:
    try:
        request()
    except ClientError as error:
        if code_of(error) in _UNDERSTOOD:
            return
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if status in _FAULTS:
            raise
        raise Denied from error


#: In this order: what is written is there to be read, and the last deletes it.
ON_EACH_BUCKET = (
    Probe("list", "read", _list),
    Probe("put", "write", _put),
    Probe("get", "read", _get),
    Probe("presign", "read", _presign),
    Probe("multipart", "write", _multipart),
    Probe("delete", "write", _delete),
    Probe("change policy", "", _change_bucket_policy),
)
OUT_OF_REACH = (Probe("list", "", _list), Probe("get", "", _get), Probe("put", "", _put))
BESIDE_PREFIXES = (Probe("list all", "", _list_all), *OUT_OF_REACH)
ON_THE_STORE = (
    Probe("create bucket", "", _create_bucket),
    Probe("list buckets", "", _list_buckets),
    Probe("change own rights", "", _change_own_rights),
)
