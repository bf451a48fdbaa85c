"""Uploads from open file objects, and objects as file objects. Bad input: `test_bad_input.py`."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from core.storage import (
    IntegrityError,
    ObjectChangedError,
    ObjectNotFoundError,
    download_bytes,
    open_object,
    upload_bytes,
    upload_file,
)
from core.storage._transfer import multipart
from tests.core.transport import MIB, requests_of


class Unsized(io.RawIOBase):
    """Like a pipe: it can only be read."""

    def __init__(self, data: bytes, most: int = 70_000) -> None:
        self._data = io.BytesIO(data)
        self._most = most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._most))


# --- uploads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 100_000, 5 * MIB, 11 * MIB + 3])
@pytest.mark.parametrize("kind", [io.BytesIO, Unsized])
@pytest.mark.usefixtures("small_parts")
def test_a_file_object_is_uploaded_to_its_end(any_bucket, kind, size):
    data = os.urandom(size)
    reports: list[int] = []
    info = upload_file(kind(data), any_bucket, "k.mp4", metadata={"a": "b"}, progress=reports.append)
    assert (info.size, info.verified_by, sum(reports)) == (size, "md5", size)
    assert download_bytes(any_bucket, "k.mp4") == data


def test_it_is_read_from_its_position_and_stays_open(bucket, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"head and body")
    with path.open("rb") as file:
        file.seek(9)
        assert upload_file(file, bucket, "k").size == 4
        assert not file.closed
    assert download_bytes(bucket, "k") == b"body"


def test_a_pipe_of_another_process_is_uploaded(bucket):
    command = [sys.executable, "-c", "import sys; sys.stdout.write('x' * 1_000_000)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert upload_file(process.stdout, bucket, "k").size == 1_000_000


def test_a_compressed_file_is_uploaded_as_it_is_read(bucket, tmp_path):
    with gzip.open(tmp_path / "f.gz", "wb") as file:
        file.write(b"content" * 1000)
    with gzip.open(tmp_path / "f.gz", "rb") as file:
        upload_file(file, bucket, "k")
    assert download_bytes(bucket, "k") == b"content" * 1000


def test_a_file_object_that_ends_early_is_an_error(fake):
    class Short(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size or 0, 3)) if self.tell() < 3 else b""

    with pytest.raises(IntegrityError, match="the file object changed while it was uploaded to bucket/k"):
        upload_file(Short(b"longer"), "bucket", "k")
    assert not fake.requests


@pytest.mark.usefixtures("small_parts")
def test_an_error_of_the_file_object_discards_the_parts(bucket, transport):
    class Broken(Unsized):
        def read(self, size: int = -1) -> bytes:
            if self._data.tell() > 7 * MIB:
                raise OSError("the disk is gone")
            return super().read(size)

    with pytest.raises(OSError, match="the disk is gone"):
        upload_file(Broken(bytes(20 * MIB)), bucket, "k")
    assert transport.requests["AbortMultipartUpload"] == 1


@pytest.mark.usefixtures("small_parts")
def test_a_stream_with_too_many_parts_says_what_to_do(bucket, monkeypatch, transport):
    monkeypatch.setattr(multipart, "_MOST_PARTS", 2)
    with pytest.raises(Exception, match="save it to a file, and upload that"):
        upload_file(Unsized(bytes(11 * MIB)), bucket, "k")
    assert transport.requests["AbortMultipartUpload"] == 1


# --- objects as files -------------------------------------------------------------------------------------


@pytest.fixture
def video(bucket) -> bytes:
    data = os.urandom(3_000_001)
    upload_bytes(data, bucket, "v.mp4")
    return data


def test_it_reads_and_seeks_like_a_file(any_bucket):
    data = os.urandom(300_000)
    upload_bytes(data, any_bucket, "k")
    with open_object(any_bucket, "k") as file:
        reference = io.BytesIO(data)
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
        assert (file.mode, file.name) == ("rb", f"{any_bucket}/k")
        for position, size in (
            (0, 10),
            (299_990, 100),
            (150_000, 70_000),
            (3, 0),
            (299_999, 1),
            (400_000, 5),
            (7, 9),
        ):
            assert file.seek(position) == reference.seek(position)
            assert file.read(size) == reference.read(size)
            assert file.tell() == reference.tell()
        assert file.seek(-5, os.SEEK_END) == 299_995
        assert file.seek(2, os.SEEK_CUR) == 299_997
        assert file.read() == data[-3:]
        file.seek(0)
        assert file.read() == data
        with pytest.raises(ValueError, match="before the beginning"):
            file.seek(-300_001, os.SEEK_END)
        with pytest.raises(ValueError, match="whence"):
            file.raw.seek(0, 9)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")


def test_only_what_is_read_is_downloaded_and_reading_on_takes_larger_ranges(bucket, video, transport):
    file = open_object(bucket, "v.mp4")
    assert transport.requests == {"HeadObject": 1}
    assert file.read(10) == video[:10]
    file.seek(-10, os.SEEK_END)
    assert file.read() == video[-10:]
    ranges = [request.plain["Range"] for request in transport.sent if request.operation == "GetObject"]
    assert ranges == ["bytes=0-65535", f"bytes={len(video) - 10}-{len(video) + 65525}"]
    file.seek(0)
    while file.read(4096):
        pass
    sizes = [size_of(request.plain["Range"]) for request in transport.sent if request.operation == "GetObject"]
    assert sizes[2:] == [128 * 1024, 256 * 1024, 512 * 1024, 1024 * 1024, 2 * 1024 * 1024]


def size_of(text: str) -> int:
    first, last = text.removeprefix("bytes=").split("-")
    return int(last) + 1 - int(first)


def test_positions_that_are_read_in_turn_keep_their_ranges(bucket, video, transport):
    file = open_object(bucket, "v.mp4")
    for number in range(0, 60_000, 3000):
        for base in (0, 1_000_000, 2_000_000):
            file.seek(base + number)
            assert file.read(3000) == video[base + number : base + number + 3000]
    assert transport.requests["GetObject"] <= 6


def test_all_is_of_one_version(bucket, video):
    file = open_object(bucket, "v.mp4")
    assert file.read(10) == video[:10]
    upload_bytes(b"another version" * 10_000, bucket, "v.mp4")
    file.seek(100_000)
    with pytest.raises(ObjectChangedError):
        file.read(10)


def test_a_range_that_breaks_is_resumed(bucket, video, transport):
    file = open_object(bucket, "v.mp4")
    transport.lose(requests_of("GetObject"), times=2)
    assert file.read(1000) == video[:1000]


def test_an_empty_object_is_an_empty_file(any_bucket):
    upload_bytes(b"", any_bucket, "k")
    assert open_object(any_bucket, "k").read() == b""


def test_an_absent_object_is_an_error_when_it_is_opened(any_bucket):
    with pytest.raises(ObjectNotFoundError, match="there is no object 'k'"):
        open_object(any_bucket, "k")


def test_zipfile_reads_one_member_of_a_large_archive(bucket, transport):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        for number in range(50):
            writing.writestr(f"{number}.bin", os.urandom(200_000))
    upload_bytes(archive.getvalue(), bucket, "a.zip")
    with zipfile.ZipFile(open_object(bucket, "a.zip")) as reading:
        assert len(reading.read("25.bin")) == 200_000
    read = sum(size_of(request.plain["Range"]) for request in transport.sent if "Range" in request.plain)
    assert read < 0.1 * len(archive.getvalue())


def test_pillow_reads_an_image(bucket):
    image = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(image, "PNG")
    upload_bytes(image.getvalue(), bucket, "f.png")
    with Image.open(open_object(bucket, "f.png")) as found:
        assert (found.size, found.getpixel((5, 5))) == ((64, 48), (255, 0, 0))


def write_mp4(path: Path, rate: int = 25, encoded: int = 200, times: int = 28) -> None:
    """Write over 200 MB of video with a key frame each second: 8 s are encoded, and repeated."""
    noise = np.random.default_rng(1).integers(0, 48, (360, 640, 3), dtype=np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.bit_rate, stream.gop_size = 640, 360, 16_000_000, rate
        packets = []
        for number in range(encoded):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, 7 * number, axis=1) + np.uint8(number))
            frame.pts = number
            packets += stream.encode(frame)
        packets += stream.encode()
        for number, packet in enumerate(packets * times):
            packet.pts = packet.dts = number
            packet.time_base = stream.codec_context.time_base
            packet.stream = stream
            container.mux(packet)


def frame_at(file: Any, part: float) -> tuple[float, np.ndarray[Any, Any]]:
    """Return the second and the pixels of the frame at this part of the duration of a video."""
    with av.open(file) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        pts = int(stream.duration * part)
        container.seek(pts, stream=stream)  # to the key frame before it
        frame = next(frame for frame in container.decode(stream) if (frame.pts or 0) >= pts)
        return frame.time or 0.0, frame.to_ndarray()


def test_pyav_reads_the_index_and_one_frame_of_a_large_video(bucket, transport, tmp_path):
    path = tmp_path / "v.mp4"
    write_mp4(path)
    size = path.stat().st_size
    assert size > 200_000_000
    with path.open("rb") as start:
        assert b"moov" not in start.read(MIB)  # the index is at the end
    seconds, pixels = frame_at(str(path), 0.85)
    upload_file(path, bucket, "v.mp4")
    path.unlink()
    lengths: list[int] = []

    def counted(_request, send):
        response = send()
        lengths.append(int(response.headers["content-length"]))
        return response

    transport.handle(requests_of("GetObject"), counted)
    actual_seconds, actual_pixels = frame_at(open_object(bucket, "v.mp4"), 0.85)
    assert seconds == actual_seconds == pytest.approx(0.85 * 200 * 28 / 25)
    assert np.array_equal(actual_pixels, pixels)
    assert 0 < sum(lengths) < 0.05 * size


def test_many_threads_read_one_file(bucket, video):
    file = open_object(bucket, "v.mp4")
    pieces: list[bytes] = []
    threads = [threading.Thread(target=lambda: pieces.append(file.read(100_000))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pieces) == sorted(video[start : start + 100_000] for start in range(0, 2_000_000, 100_000))


def test_it_cannot_be_pickled_and_says_so(bucket, video):
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(open_object(bucket, "v.mp4"))
