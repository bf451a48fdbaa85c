"""The frames of a timeline, written once and reused by every replay."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
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

    A run writes its frames into a folder of its own, and a manifest with their names, sizes and hashes last. The
    manifest is what makes them a cache. Of runs that start at once, the first to put its manifest in place has
    made it, and the others take it over; a run that is killed leaves nothing that is taken for a cache. Safe from
    many threads and processes.

    ::

        cache = FrameCache("match-01")
        cache.write_once(lambda: decode(video, folder))  # returns at once if a run has done it before
        frames = cache.get(folder)  # what is there already is not downloaded

    Args:
        timeline_id: which timeline; 1 to 128 of ``A-Z a-z 0-9 _ -``, a letter or digit first.
        bucket: its name; by default that of `core.storage.BUCKET_OUT`.

    Raises:
        LayoutError: `timeline_id` cannot be part of a key.
        StorageConfigError: a variable of the environment is missing or wrong.
    """

    def __init__(self, timeline_id: str, *, bucket: str | None = None) -> None:
        ManifestKey(timeline_id)
        self.timeline_id = timeline_id
        self.bucket = current_settings().bucket("out") if bucket is None else bucket

    def __repr__(self) -> str:
        return f"FrameCache({self.timeline_id!r}, bucket={self.bucket!r})"

    def exists(self) -> bool:
        """Whether a run has written the frames to their end. One request, however many they are.

        Raises:
            StorageError: as the error tree says.
        """
        return published.is_there(self._timeline())

    def manifest(self) -> FrameManifest:
        """The frames that there are, with their keys, sizes and hashes. One request.

        Raises:
            ObjectNotFoundError: no run has written them to their end.
            LayoutError: what stands in the place of the manifest is none.
            StorageError, OSError: as `download_to_temp`.
        """
        return published.read(self._timeline())

    def write_once(
        self,
        make: Callable[[], Iterable[str | os.PathLike[str]]],
        *,
        progress: Callable[[BulkProgress], object] | None = None,
    ) -> FrameManifest:
        """The frames that there are; if there are none, `make` makes them, and they are uploaded.

        Memory does not grow with their size. After a failure what was uploaded is removed, after Ctrl-C or a kill
        it is left for `sweep`; the next run starts anew in either case.

        Args:
            make: gives the files of the frames, in any order, called by their number: ``42.jpg`` or
                ``00000042.jpg``. A generator has them uploaded while it makes more; each file must stay until
                the end.
            progress: as in `upload_many`.

        Raises:
            LayoutError: a file is not called by a number, or two by the same one; or as `manifest`.
            ValueError: there is not one frame.
            StorageError, OSError: as `upload_file`. What `make` raises.
        """
        timeline = self._timeline()
        try:
            return published.read(timeline)
        except ObjectNotFoundError:
            pass
        return write.write(timeline, make(), progress)

    def get(
        self, folder: str | os.PathLike[str], *, progress: Callable[[BulkProgress], object] | None = None
    ) -> list[Path]:
        """Have all frames as files in `folder`, ``00000042.jpg``; their paths, in the order of their numbers.

        A file that is there with the right size and hash is left as it is, so that the same call again goes on
        where one ended. Each file is whole, and the very one that was written, or not there. Other files in the
        folder are left alone.

        Args:
            folder: must exist.
            progress: as in `download_many`.

        Raises:
            ObjectNotFoundError: no run has written them to their end; or a frame is gone.
            IntegrityError: a frame was replaced by something else.
            StorageError, OSError: as `download_file`, for the first frame that fails.
        """
        timeline = self._timeline()
        return download(published.read(timeline), folder, progress, timeline.settings)

    def discard(self) -> None:
        """Make it no cache: remove the manifest, if there is one. The frames themselves go with the next `sweep`.

        Raises:
            StorageError: as the error tree says.
        """
        published.withdraw(self._timeline())

    def sweep(self) -> int:
        """Remove what killed runs left, and discarded ones: frames in folders that the manifest does not name.

        A folder goes if its last frame was written a day ago; until then its run may be going on.

        Returns:
            the number of objects removed.

        Raises:
            LayoutError: what stands in the place of the manifest is none; nothing was removed.
            StorageError: as the error tree says.
        """
        return write.sweep(self._timeline())

    def _timeline(self) -> Timeline:
        return Timeline(self.bucket, self.timeline_id, current_settings())
