"""The manifest of a timeline in the store: whoever's is there first makes the cache."""

from __future__ import annotations

from core.storage._boto.clients import current_settings
from core.storage._errors import AccessDeniedError, ObjectNotFoundError, StorageError
from core.storage._frames.manifest import FrameManifest, decoded, encoded
from core.storage._http import retry
from core.storage._http.request import Request, call
from core.storage._listing.list_objects import list_objects
from core.storage._transfer.checksums import content_md5, md5
from core.storage._transfer.temporary import temporary_download
from core.storage.keys import ManifestKey

#: What a store says when ``If-None-Match: *`` does not hold, or when that is being decided for another request
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
#: What it says when it does not know the condition.
_UNKNOWN = "NotImplemented"


def is_there(bucket: str, timeline_id: str) -> bool:
    """Whether the timeline has a manifest; nothing of it is read.

    By a listing of one key, because that tells an absent object from one that must not be seen also to an identity
    that is held to prefixes.
    """
    key = ManifestKey(timeline_id).key
    return any(one.key == key for one in list_objects(bucket, key, limit=1))


def read(bucket: str, timeline_id: str) -> FrameManifest:
    """The manifest that the timeline has.

    Raises:
        ObjectNotFoundError: it has none.
        LayoutError: something else stands there.
    """
    key = ManifestKey(timeline_id).key
    try:
        with temporary_download(bucket, key) as path:
            return decoded(path.read_bytes(), bucket, timeline_id)
    except AccessDeniedError:
        # As AWS answers for what does not exist, to whoever may list no more than a prefix.
        if is_there(bucket, timeline_id):
            raise
    except ObjectNotFoundError:
        pass
    raise ObjectNotFoundError(
        f"no run has written all frames of timeline {timeline_id} into {bucket} yet: there is no {key}; "
        "FrameCache.write_once writes them",
        bucket=bucket,
        key=key,
        operation="GetObject",
    )


def publish(manifest: FrameManifest) -> tuple[FrameManifest, bool]:
    """Put the manifest in place if the timeline has none; what is there then, and whether ours was refused.

    Two that publish at once are told apart by the store, in one step, with ``If-None-Match: *``. Where it does not
    know that, it is looked up just before, and of two that fall into that gap the later one stays.
    """
    place = (manifest.bucket, manifest.timeline_id)
    body = encoded(manifest)
    failures = 0
    while True:
        refused = not _put(manifest, body)
        try:
            # Also after a refusal: the answer to an earlier try of the same request may have been lost.
            return read(*place), refused
        except ObjectNotFoundError:  # discarded since, or refused for the sake of one that came to nothing
            failures += 1
            if failures == retry.ATTEMPTS:
                raise
            retry.pause(failures)


def withdraw(bucket: str, timeline_id: str) -> None:
    """Remove the manifest; nothing happens when there is none."""
    call(Request("DeleteObject", bucket, ManifestKey(timeline_id).key))


def _put(manifest: FrameManifest, body: bytes) -> bool:
    """Whether the store took it."""
    if current_settings().dialect.creates:
        try:
            _send(manifest, body, {"If-None-Match": "*"})
        except StorageError as error:
            if error.code in _TAKEN:
                return False
            if error.code != _UNKNOWN:
                raise
        else:
            return True
    if is_there(manifest.bucket, manifest.timeline_id):
        return False
    _send(manifest, body, {})
    return True


def _send(manifest: FrameManifest, body: bytes, condition: dict[str, str]) -> None:
    # In one request, however large: fewer stores know the condition for an object in parts.
    headers = {"Content-Type": "application/json", "Content-MD5": content_md5(md5(body).digest()), **condition}
    call(Request("PutObject", manifest.bucket, ManifestKey(manifest.timeline_id).key, signed=headers, body=body))
