"""The frames of a timeline, written once and reused by every replay."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from core.storage._config.current import current_settings
from core.storage._errors import ObjectNotFoundError
from core.storage._frames import published, write
from core.storage._frames.manifest import FrameManifest
from core.storage._frames.published import Timeline
from core.storage._frames.read import download
from core.storage._public import public
from core.storage._results import BulkProgress
from core.storage.keys import ManifestKey


@public
class FrameCache:
    """The frames of one timeline in the store: all of them, or none.

    A run writes its frames into a folder of its own, and then a manifest with their names, sizes and hashes, which
    makes them a cache. Of runs that start at once, the first that writes its manifest makes the cache, and the
    others use it; a run that is killed leaves nothing that is used as a cache. Thread-safe and process-safe.

    ::

        cache = FrameCache("match-01")
        cache.write_once(lambda: decode(video, folder))  # returns at once if a run has done it before
        frames = cache.get(folder)  # what is there already is not downloaded

    Args:
        timeline_id: which timeline; 1 to 128 of ``A-Z a-z 0-9 _ -``, a letter or digit first.
        bucket: its name; by default that of `core.storage.BUCKET_OUT`.

    Raises:
        LayoutError: `timeline_id` cannot be part of an object key.
        StorageConfigError: a variable of the environment is missing or wrong.
    """

    def __init__(self, timeline_id: str, *, bucket: str | None = None) -> None:
        ManifestKey(timeline_id)  # which raises the LayoutError
        self.timeline_id = timeline_id
        self.bucket: str = current_settings().bucket("out") if bucket is None else bucket

    def __repr__(self) -> str:
        return f"FrameCache({self.timeline_id!r}, bucket={self.bucket!r})"

    def exists(self) -> bool:
        """Return whether a run has written all frames. One request, for any number of frames.

        Raises:
            StorageError: as the error tree says.
        """
        return published.exists(self._timeline())

    def manifest(self) -> FrameManifest:
        """Return the cached frames, with their keys, sizes and hashes. One request.

        Raises:
            ObjectNotFoundError: no run has written all frames.
            LayoutError: the object with the manifest's key is no manifest.
            StorageError, OSError: as `download_to_temp`.
        """
        return published.read(self._timeline())

    def write_once(
        self,
        make: Callable[[], Iterable[str | os.PathLike[str]]],
        *,
        progress: Callable[[BulkProgress], object] | None = None,
    ) -> FrameManifest:
        """Return the cached frames; if there are none, call `make` and upload the files that it returns.

        Memory does not grow with their size. After a failure the uploaded frames are removed, after Ctrl-C or a
        kill they are left for `sweep`; the next run starts from the beginning in either case.

        Args:
            make: returns the files of the frames, in any order, named by their number: ``42.jpg`` or
                ``00000042.jpg``. The files of a generator are uploaded while it makes more; each file must stay
                until the end.
            progress: as in `upload_many`.

        Raises:
            LayoutError: a file is not named by a number, or two by the same one; or as `manifest`.
            ValueError: `make` returns no file.
            StorageError, OSError: as `upload_file`. What `make` raises.
        """
        timeline = self._timeline()
        with suppress(ObjectNotFoundError):
            return published.read(timeline)
        return write.write(timeline, make(), progress)

    def get(
        self, folder: str | os.PathLike[str], *, progress: Callable[[BulkProgress], object] | None = None
    ) -> list[Path]:
        """Download all frames to files in `folder`, ``00000042.jpg``; return their paths in the order of numbers.

        A file with the right size and hash is not downloaded again, so the same call continues after an
        interruption. Each file is written atomically and verified against the manifest. Other files in the folder
        are left alone.

        Args:
            folder: must exist.
            progress: as in `download_many`.

        Raises:
            ObjectNotFoundError: no run has written all frames; or a frame was deleted.
            IntegrityError: a frame was replaced by something else.
            StorageError, OSError: as `download_file`, for the first frame that fails.
        """
        timeline = self._timeline()
        return download(published.read(timeline), folder, progress, timeline.settings)

    def discard(self) -> None:
        """Delete the manifest, if there is one: the frames are no cache then, and the next `sweep` removes them.

        Raises:
            StorageError: as the error tree says.
        """
        published.discard(self._timeline())

    def sweep(self) -> int:
        """Remove the frames of killed and discarded runs: those in folders that the manifest does not name.

        A folder is removed if its last frame was written a day ago; until then its run may still be active.

        Returns:
            the number of objects removed.

        Raises:
            LayoutError: the object with the manifest's key is no manifest; nothing was removed.
            StorageError: as the error tree says.
        """
        return write.sweep(self._timeline())

    def _timeline(self) -> Timeline:
        return Timeline(self.bucket, self.timeline_id, current_settings())
