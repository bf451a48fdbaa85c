"""The manifest of a timeline in the store: the run that writes it first makes the cache."""

from __future__ import annotations

from typing import NamedTuple

from core.storage._engine import run
from core.storage._errors import AccessDeniedError, ObjectNotFoundError, StorageError
from core.storage._frames.manifest import FrameManifest, decoded, encoded
from core.storage._http import retry
from core.storage._http.request import Request, call
from core.storage._listing.list_objects import listed
from core.storage._transfer.checksums import content_md5, md5
from core.storage._transfer.temporary import temporary
from core.storage.keys import ManifestKey
from core.storage.settings import Settings

#: Error codes of a store that has a manifest, or is deciding that for another request
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
_REFUSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class Timeline(NamedTuple):
    """A timeline in a bucket, with the settings of one operation on it."""

    bucket: str
    id: str
    settings: Settings

    @property
    def manifest_key(self) -> str:
        """The object key of its manifest."""
        return ManifestKey(self.id).key


def exists(timeline: Timeline) -> bool:
    """Return whether the timeline has a manifest, whatever its content.

    It is listed, because only a listing tells an absent object from a denied one to an identity that may access no
    more than a prefix.
    """
    key = timeline.manifest_key
    return any(info.key == key for info in listed(timeline.bucket, key, limit=1, settings=timeline.settings))


def read(timeline: Timeline) -> FrameManifest:
    """Return the manifest of the timeline.

    Raises:
        ObjectNotFoundError: it has none.
        LayoutError: another object has the manifest's key.
    """
    key = timeline.manifest_key
    try:
        with temporary(timeline.bucket, key, timeline.settings) as path:
            return decoded(path.read_bytes(), timeline.bucket, timeline.id)
    except AccessDeniedError:
        # AWS' response for an absent object too, without s3:ListBucket on the whole bucket.
        if exists(timeline):
            raise
    except ObjectNotFoundError:
        pass
    raise ObjectNotFoundError(
        f"no run has written all frames of timeline {timeline.id} into {timeline.bucket} yet: there is no {key}; "
        "FrameCache.write_once writes them",
        bucket=timeline.bucket,
        key=key,
        operation="GetObject",
    )


def publish(timeline: Timeline, manifest: FrameManifest) -> tuple[FrameManifest, bool]:
    """Write the manifest if the timeline has none; return the one that it has then, and whether ours was refused.

    Of two runs that publish at once the store accepts one, atomically, by ``If-None-Match: *``. On a store without
    that condition `exists` is called just before, and of two runs within that gap the later one stays.
    """
    body = encoded(manifest)
    failures = 0
    while True:
        refused = not _put(timeline, body)
        try:
            # Also after a refusal: an earlier attempt may have succeeded and its response be lost.
            return read(timeline), refused
        except ObjectNotFoundError:  # discarded since, or refused because of another request that failed
            failures += 1
            if failures == retry.ATTEMPTS:
                raise
            run(retry.pause(failures))


def discard(timeline: Timeline) -> None:
    """Delete the manifest, if there is one."""
    call(Request("DeleteObject", timeline.bucket, timeline.manifest_key), timeline.settings)


def _put(timeline: Timeline, body: bytes) -> bool:
    """Return whether the store accepted the manifest."""
    # In one request, whatever its size: fewer stores support the condition for an upload in parts.
    headers = {"Content-Type": "application/json", "Content-MD5": content_md5(md5(body).digest())}
    request = Request("PutObject", timeline.bucket, timeline.manifest_key, signed=headers, body=body)
    if timeline.settings.dialect.creates:
        try:
            call(request._replace(signed=headers | {"If-None-Match": "*"}), timeline.settings)
        except StorageError as error:
            if error.code in _REFUSED:
                return False
            if error.code != "NotImplemented":
                raise
        else:
            return True
    if exists(timeline):
        return False
    call(request, timeline.settings)
    return True
