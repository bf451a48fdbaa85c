"""The probes: one small attempt each, with the right on the bucket that allows it.

A probe does no harm, whether it is allowed or denied: it writes below a prefix of its own, which is deleted
afterwards, and sends what must be denied in a form that would change nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from botocore.exceptions import ClientError

from core.storage import get_s3_client
from core.storage._internal import READ_TIMEOUT, authorities, presign_client, tls_context
from infra.aws_clients import aws_client
from infra.errors import UnreachableError
from infra.stores.access_key import AccessKey
from infra.stores.codes import code_of, means
from infra.stores.store import Store

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

    from core.storage.settings import Settings

PREFIX = "mpr-probe/"
_BODY = b"probe"
_FORBIDDEN, _NOT_FOUND = 403, 404
#: Statuses of a failed server, which neither allow nor deny. 501 means that the store has no policies.
_FAILED = {500, 502, 503, 504}


@dataclass(frozen=True)
class Scope:
    """The identity and the place that a probe tries."""

    settings: Settings
    #: The bucket; of the probes `OUT_OF_REACH`, one on which the identity has no right.
    bucket: str
    #: The buckets whose names the identity may know.
    known: frozenset[str]
    #: The prefix in the bucket, which ends in a slash; or empty.
    prefix: str = ""
    name: str = field(default_factory=lambda: f"{PREFIX}{secrets.token_hex(8)}/probe")
    #: The bucket that a probe tries to create.
    new_bucket: str = field(default_factory=lambda: f"mpr-probe-{secrets.token_hex(8)}")

    @property
    def key(self) -> str:
        """The key of the object that a probe tries."""
        return f"{self.prefix}{self.name}"

    @property
    def s3(self) -> S3Client:
        """The identity's S3 client, as applications use it."""
        return get_s3_client(self.settings)


@dataclass(frozen=True)
class Probe:
    """An attempt. `run` returns if it was allowed, and raises `Denied` or a ClientError if not."""

    name: str
    #: The right on the bucket that allows it; empty if none does.
    right: str
    run: Callable[[Scope], None]


class Denied(Exception):  # noqa: N818  # a result, not an error
    """The store denied the request."""


class Unclear(Exception):  # noqa: N818  # as above
    """The response neither allows nor denies the request; the message says what it was."""


def attempt(probe: Probe, scope: Scope) -> bool | str:
    """Return whether the store allows the probe, or the code of an error that neither allows nor denies it.

    Raises:
        ClientError: no probe of this identity can succeed.
    """
    try:
        probe.run(scope)
    except Denied:
        return False
    except Unclear as error:
        return str(error)
    except ClientError as error:
        if means(error, "access denied"):
            return False
        if means(error, "no object"):  # the identity may read, and an earlier probe could not write
            return True
        if means(error, "wrong access key", "clock skew", "no bucket"):
            raise
        return code_of(error)
    return True


def elsewhere() -> str:
    """Return a prefix that no identity may access if it has prefixes."""
    return f"mpr-probe-{secrets.token_hex(8)}/"


def clean_up(scope: Scope) -> None:
    """Delete the object that the probes may have left."""
    attempt(Probe("delete", "write", _delete), scope)


def _list(scope: Scope) -> None:
    scope.s3.list_objects_v2(Bucket=scope.bucket, Prefix=f"{scope.prefix}{PREFIX}", MaxKeys=1)


def _list_all(scope: Scope) -> None:
    scope.s3.list_objects_v2(Bucket=scope.bucket, MaxKeys=1)


def _put(scope: Scope) -> None:
    scope.s3.put_object(Bucket=scope.bucket, Key=scope.key, Body=_BODY)


def _get(scope: Scope) -> None:
    scope.s3.get_object(Bucket=scope.bucket, Key=scope.key)["Body"].close()


def _delete(scope: Scope) -> None:
    scope.s3.delete_object(Bucket=scope.bucket, Key=scope.key)


def _multipart(scope: Scope) -> None:
    """Start an upload and abort it: without the second permission, a failed upload leaves parts behind."""
    s3, bucket, key = scope.s3, scope.bucket, scope.key
    try:
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    except KeyError:  # botocore takes any XML document for a response
        raise Unclear("not a response of S3") from None
    s3.upload_part(Bucket=bucket, Key=key, PartNumber=1, UploadId=upload, Body=_BODY)
    s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def _presign(scope: Scope) -> None:
    """Request a presigned URL without an S3 library, as a browser would."""
    url = presign_client(scope.settings).generate_presigned_url(
        "get_object", Params={"Bucket": scope.bucket, "Key": scope.key}, ExpiresIn=60
    )
    try:
        trusted = tls_context(authorities()) if url.startswith("https:") else None
        # S310: it is a URL of the store, signed above.
        with urlopen(url, timeout=READ_TIMEOUT, context=trusted) as response:  # noqa: S310
            if response.read(len(_BODY) + 1) != _BODY:
                raise Unclear("another body")
    except HTTPError as error:
        error.close()
        if error.code == _FORBIDDEN:
            raise Denied from error
        if error.code != _NOT_FOUND:  # the identity may read, and an earlier probe could not write
            raise Unclear(f"status {error.code}") from error
    except (OSError, HTTPException) as error:
        address = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        raise UnreachableError(f"a presigned URL got no useful response from {address} ({error})") from error


def _create_bucket(scope: Scope) -> None:
    scope.s3.create_bucket(Bucket=scope.new_bucket)
    with suppress(ClientError):  # the identity may not be allowed to delete it
        scope.s3.delete_bucket(Bucket=scope.new_bucket)


def _list_buckets(scope: Scope) -> None:
    """List the buckets; a list of none but the identity's own buckets counts as denied."""
    names = {bucket.get("Name", "") for bucket in scope.s3.list_buckets().get("Buckets", [])}
    if names <= scope.known:
        raise Denied


def _change_bucket_policy(scope: Scope) -> None:
    _malformed(lambda: scope.s3.put_bucket_policy(Bucket=scope.bucket, Policy="{}"))


def _change_own_policy(scope: Scope) -> None:
    """Change a policy over the IAM API of the store, if it has one."""
    iam = _iam(scope.settings)
    _malformed(lambda: iam.put_user_policy(UserName="mpr-probe", PolicyName="mpr-probe", PolicyDocument="{}"))


def _iam(settings: Settings) -> IAMClient:
    if settings.access_key_id is None:  # a role that this process has: botocore finds its credentials
        client: IAMClient = aws_client("iam", settings.region)
        return client
    keys = AccessKey(settings.access_key_id, settings.secret_access_key or "", settings.session_token)
    return Store(settings.endpoint_url or "", settings.region, keys).iam


def _malformed(request: Callable[[], object]) -> None:
    """Send a policy that no store accepts: who may change policies gets an error other than access denied."""
    try:
        request()
    except ClientError as error:
        if means(error, "malformed policy", "no identity"):
            return
        if error.response["ResponseMetadata"].get("HTTPStatusCode", 0) in _FAILED:
            raise
        raise Denied from error


#: In this order: `get` reads the object of `put`, and `delete` deletes it.
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
OUTSIDE_PREFIXES = (Probe("list all", "", _list_all), *OUT_OF_REACH)
ON_THE_STORE = (
    Probe("create bucket", "", _create_bucket),
    Probe("list buckets", "", _list_buckets),
    Probe("change own rights", "", _change_own_policy),
)
