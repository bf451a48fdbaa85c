"""The content of an upload: a file, an open file object, or bytes in memory."""

from __future__ import annotations

import errno
import inspect
import io
import os
import re
import stat
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    import typing_extensions  # every type checker has it; `collections.abc` has Buffer from Python 3.12 on

    class NumpyArray(Protocol):
        """An array of numpy, whose type declares the buffer protocol only for Python 3.12 and later."""

        @property
        def data(self) -> memoryview: ...
        @property
        def __array_interface__(self) -> dict[str, Any]: ...

    Buffer = typing_extensions.Buffer | NumpyArray
else:
    Buffer = Any


#: In the format of a buffer with named fields (https://peps.python.org/pep-3118/#additions-to-the-struct-string-syntax).
_FIELD_NAME = re.compile(":[^:]*:")


class BinaryReader(Protocol):
    """A file object that is open for reading bytes."""

    def read(self, size: int, /) -> bytes | None: ...


class Content:
    """What an upload reads, part by part."""

    #: Bytes; None if only the end of a stream tells.
    size: int | None
    #: For messages.
    name: str
    #: Whether the parts can only be read one after the other.
    sequential = False

    def buffer(self, size: int) -> memoryview:
        """Return a buffer of this size to read parts into, one after the other."""
        return memoryview(bytearray(size))

    def read(self, position: int, buffer: memoryview) -> memoryview:
        """Return as many bytes from `position` on as the buffer has, fewer at the end; the buffer may be used."""
        raise NotImplementedError

    def has_changed(self) -> bool:
        """Return whether the content is another one than when the upload began."""
        return False


class FileContent(Content):
    """A regular file, whose parts can be read at once. It must not change until the object is complete."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._state = self._current_state()
        self.size = self._state[0]
        self.name = f"the file {file.name}"

    def read(self, position: int, buffer: memoryview) -> memoryview:
        filled = os.preadv(self._file.fileno(), [buffer], position)
        while filled < len(buffer):
            count = os.preadv(self._file.fileno(), [buffer[filled:]], position + filled)
            if not count:
                break
            filled += count
        return buffer[:filled]

    def has_changed(self) -> bool:
        return self._current_state() != self._state

    def _current_state(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return (status.st_size, status.st_mtime_ns)


class BytesContent(Content):
    """Bytes in memory, which are sent without a copy of them."""

    name = "the data"

    def __init__(self, data: Any) -> None:
        """Use any contiguous object with a buffer.

        Raises:
            TypeError: it is none, such as text, or holds references to Python objects.
            ValueError: its bytes are not contiguous, or cannot be read.
        """
        kind = type(data).__name__
        try:
            view = memoryview(data)
        except TypeError:
            advice = "upload a file with upload_file" if hasattr(data, "read") else "pass bytes"
            if isinstance(data, (str, os.PathLike)):
                advice = "encode text with .encode(), upload a file with upload_file"
            if inspect.isawaitable(data):
                advice = "await it"
            raise TypeError(f"data must be a bytes-like object, got {kind}: {advice}") from None
        except (ValueError, BufferError) as error:  # a released memoryview, or an array without a buffer
            raise ValueError(f"the bytes of data ({kind}) cannot be read: {error}; pass bytes") from None
        if "O" in _FIELD_NAME.sub("", view.format):
            raise TypeError(
                f"data ({kind}) holds references to Python objects, not their bytes: convert it, with astype for "
                "an array of numpy"
            )
        if not view.c_contiguous:
            raise ValueError(
                "data must be contiguous: make a copy of it, with numpy.ascontiguousarray for an array"
            )
        self._view = view.cast("B") if view.nbytes else memoryview(b"")
        self.size = len(self._view)

    def buffer(self, size: int) -> memoryview:
        return self._view[:size]

    def read(self, position: int, buffer: memoryview) -> memoryview:
        return self._view[position : position + len(buffer)]


class StreamContent(Content):
    """An open binary file object, or a file whose size is not known, read from its position to its end."""

    name = "the file object"
    sequential = True

    def __init__(self, file: Any, size: int | None = None) -> None:
        self._file = file
        self.size = size

    def read(self, position: int, buffer: memoryview) -> memoryview:  # noqa: ARG002  # it reads on
        filled = 0
        while filled < len(buffer):
            left = len(buffer) - filled
            data = self._file.read(left)
            if data is None:
                raise BlockingIOError(errno.EAGAIN, "the file object does not block: open it in blocking mode")
            if isinstance(data, memoryview):
                data = data.tobytes()
            if not isinstance(data, (bytes, bytearray)):
                raise TypeError(
                    f"read() of the file object must return bytes, got {type(data).__name__}: open it in binary "
                    "mode, with open(path, 'rb')"
                )
            if len(data) > left:
                raise ValueError(
                    f"read({left}) of the file object returned {len(data)} bytes: it must not return more than "
                    "requested, correct its class"
                )
            if not data:
                break
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        return buffer[:filled]


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file; raise the OSError that says why it cannot be uploaded."""
    if "\0" in os.fsdecode(path):
        raise ValueError(f"the path {os.fsdecode(path)!r} holds a NUL character: no file can have such a name")
    # Before it is opened, because opening a pipe would wait for its other end.
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, name a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "this is no regular file, open it and pass the file object", str(path))
    return open(path, "rb", buffering=0)  # the caller closes it


def content_of_file(file: BinaryIO) -> Content:
    """Return the content of a regular file, also of one whose size is reported as 0 (in /proc, on some FUSE)."""
    content = FileContent(file)
    return content if content.size else StreamContent(file)


def content_of_object(file: Any) -> Content:
    """Return the content of an open binary file object.

    Raises:
        TypeError: it is no such object, or opened as text, or asynchronous.
        ValueError: it is closed, open for writing only, or at a position after its end.
    """
    if isinstance(file, io.TextIOBase):
        raise TypeError("the file object is opened as text: open it in binary mode, with open(path, 'rb')")
    kind = type(file).__name__
    if isinstance(file, type) or not callable(getattr(file, "read", None)):
        advice = "await it" if inspect.isawaitable(file) else "pass a path, or open(path, 'rb')"
        if isinstance(file, (bytes, bytearray, memoryview)):
            advice = "upload bytes with upload_bytes"
        raise TypeError(f"expected a path or a binary file object, got {kind}: {advice}")
    if inspect.iscoroutinefunction(file.read):
        raise TypeError(
            f"the file object ({kind}) is asynchronous: pass an ordinary one, of FastAPI's UploadFile its "
            "attribute file"
        )
    if getattr(file, "closed", False):
        raise ValueError("the file object is closed: open it again")
    if hasattr(file, "readable") and not file.readable():
        raise ValueError("the file object is not open for reading: open it with open(path, 'rb')")
    if not (hasattr(file, "seekable") and file.seekable()):
        return StreamContent(file)
    position = file.tell()
    file.seek(0, os.SEEK_END)
    end = file.tell()
    file.seek(position)
    if position > end:
        raise ValueError(
            f"the file object is at position {position}, after its end at {end}: seek to the first byte to upload"
        )
    return StreamContent(file, end - position)
