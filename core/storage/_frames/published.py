"""The manifest of a timeline in the store: whoever's is there first makes the cache."""

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

#: What a store says when ``If-None-Match: *`` does not hold, or when that is being decided for another request
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
#: What it says when it does not know the condition.
_UNKNOWN = "NotImplemented"


class Timeline(NamedTuple):
    """A timeline in a bucket, with the settings of one operation on it."""

    bucket: str
    id: str
    settings: Settings

    @property
    def manifest_key(self) -> str:
        """The object key of its manifest."""
        return ManifestKey(self.id).key


def is_there(timeline: Timeline) -> bool:
    """Whether the timeline has a manifest; nothing of it is read.

    By a listing of one key, because that tells an absent object from one that must not be seen also to an identity
    that is held to prefixes.
    """
    key = timeline.manifest_key
    return any(one.key == key for one in listed(timeline.bucket, key, limit=1, settings=timeline.settings))


def read(timeline: Timeline) -> FrameManifest:
    """The manifest that the timeline has.

    Raises:
        ObjectNotFoundError: it has none.
        LayoutError: something else stands there.
    """
    key = timeline.manifest_key
    try:
        with temporary(timeline.bucket, key, timeline.settings) as path:
            return decoded(path.read_bytes(), timeline.bucket, timeline.id)
    except AccessDeniedError:
        # As AWS answers for what does not exist, to whoever may list no more than a prefix.
        if is_there(timeline):
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
    """Put the manifest in place if the timeline has none; what is there then, and whether ours was refused.

    Two that publish at once are told apart by the store, in one step, with ``If-None-Match: *``. Where it does not
    know that, it is looked up just before, and of two that fall into that gap the later one stays.
    """
    body = encoded(manifest)
    failures = 0
    while True:
        refused = not _put(timeline, body)
        try:
            # Also after a refusal: the answer to an earlier try of the same request may have been lost.
            return read(timeline), refused
        except ObjectNotFoundError:  # discarded since, or refused for the sake of one that came to nothing
            failures += 1
            if failures == retry.ATTEMPTS:
                raise
            run(retry.pause(failures))


def withdraw(timeline: Timeline) -> None:
    """Remove the manifest; nothing happens when there is none."""
    call(Request("DeleteObject", timeline.bucket, timeline.manifest_key), timeline.settings)


def _put(timeline: Timeline, body: bytes) -> bool:
    """Whether the store took it."""
    if timeline.settings.dialect.creates:
        try:
            _send(timeline, body, {"If-None-Match": "*"})
        except StorageError as error:
            if error.code in _TAKEN:
                return False
            if error.code != _UNKNOWN:
                raise
        else:
            return True
    if is_there(timeline):
        return False
    _send(timeline, body, {})
    return True


def _send(timeline: Timeline, body: bytes, condition: dict[str, str]) -> None:
    # In one request, however large: fewer stores know the condition for an object in parts.
    headers = {"Content-Type": "application/json", "Content-MD5": content_md5(md5(body).digest()), **condition}
    call(
        Request("PutObject", timeline.bucket, timeline.manifest_key, signed=headers, body=body), timeline.settings
    )
