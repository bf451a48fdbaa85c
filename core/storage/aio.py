"""The functions of `core.storage` for asyncio, in the event loop of the caller.

The same names, arguments, guarantees and errors: the coroutines here do what the functions there do, in the
loop of the caller instead of one in a background thread. Iterators are asynchronous; `download_many`,
`upload_many` and `delete_many` take both kinds of iterables. A cancellation leaves no partial file or object: it
waits until that is cleaned up. uvloop works, too.

::

    from core.storage import BUCKET_IN, BUCKET_OUT, aio

    async for video in aio.list_objects(BUCKET_IN, "chunks/2026-11-23/", suffixes=(".mp4",)):
        async with aio.temporary_download(BUCKET_IN, video.key) as path:
            await aio.upload_file(await render(path), BUCKET_OUT, f"overlays/{video.key}")

`open_object` and `FrameCache` are not here, because their interfaces are synchronous: use `download_bytes` with
ranges, and `asyncio.to_thread`.
"""

from core.storage._aio.bulk import delete_many, download_many, upload_many
from core.storage._aio.objects import (
    delete_object,
    download_bytes,
    download_file,
    download_to_temp,
    get_object_info,
    get_presigned_url,
    list_objects,
    object_exists,
    temporary_download,
    upload_bytes,
    upload_file,
)

__all__ = [
    "delete_many",
    "delete_object",
    "download_bytes",
    "download_file",
    "download_many",
    "download_to_temp",
    "get_object_info",
    "get_presigned_url",
    "list_objects",
    "object_exists",
    "temporary_download",
    "upload_bytes",
    "upload_file",
    "upload_many",
]
