"""Everything that ffmpeg does: a video to play with, chunks of it, and the frames of a chunk."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from pathlib import Path

from examples.pipeline import scene
from examples.pipeline.errors import PipelineError, UsageError

#: Frames that are kept of each second.
RATE = 1
#: Pixels; what people and the detection look at is small, what cameras write is not.
WIDTH = 320
#: Seconds of one chunk.
CHUNK = 24
#: Seconds of the generated video that are encoded; the rest is the same again, which costs nothing.
_CLIP = 12
#: Seconds after which ffmpeg is taken to hang.
_PATIENCE = 600
#: MP4, MOV, Matroska and WebM, which say when their end is missing. Uploads come from strangers: a playlist, to
#: name one, could have ffmpeg read other files of this machine.
_CONTAINERS = "mov,matroska"
_NUMBERS = re.compile(r"^\[[^]]*\]\s*|0x[0-9a-f]+")


def program() -> str:
    """The ffmpeg on PATH, else that of the wheel imageio-ffmpeg.

    Raises:
        UsageError: there is neither.
    """
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg  # noqa: PLC0415  # only where there is no other

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise UsageError("there is no ffmpeg: install it, or the wheel imageio-ffmpeg") from error


def generate(path: Path, seconds: int, height: int = 1440) -> None:
    """Write a video in which something moves, 50 frames a second; after 12 s the same again.

    Raises:
        PipelineError: ffmpeg failed.
    """
    graph = scene.graph(height * 16 // 9 // 2 * 2, height)
    # MPEG-4 part 2 is in every ffmpeg, with whatever libraries it was built.
    encoded = ["-c:v", "mpeg4", "-q:v", "4", "-g", "50", "-flags:v", "+bitexact"]
    once = path.with_stem(f"{path.stem}-once")
    _run(f"cannot write {once}", "-f", "lavfi", "-i", graph, "-t", str(min(seconds, _CLIP)), *encoded, str(once))
    again = ["-stream_loop", "-1", "-i", str(once), "-t", str(seconds), "-c", "copy", "-fflags", "+bitexact"]
    _run(f"cannot write {path}", *again, str(path))
    once.unlink()


def cut(video: Path, folder: Path) -> list[Path]:
    """Cut `video` into chunks of about 12 s, at key frames and without encoding it anew; their files in order.

    Raises:
        PipelineError: it is no video, or it is damaged.
    """
    pattern = folder / f"{video.stem.replace('%', '_')}-%03d.mp4"
    segments = ["-f", "segment", "-segment_time", str(CHUNK), "-reset_timestamps", "1", "-fflags", "+bitexact"]
    _run(f"{video} cannot be cut", *_input(video), "-map", "0:v:0", "-c", "copy", *segments, str(pattern))
    return sorted(folder.glob("*.mp4"))


def frames(chunk: Path, folder: Path) -> list[Path]:
    """Decode `chunk` into ``folder/00000000.jpg`` and on; all of its frames, in order.

    Raises:
        PipelineError: it is no video, or a part of it cannot be decoded: frames of the rest are no result.
        OSError: the disk is full.
    """
    pictures = ["-map", "0:v:0", "-vf", f"fps={RATE},scale={WIDTH}:-2", "-q:v", "3", "-start_number", "0"]
    _run("it cannot be decoded", *_input(chunk), *pictures, str(folder / "%08d.jpg"))
    found = sorted(folder.glob("*.jpg"))
    if not found:
        raise PipelineError("it has not one frame")
    return found


def _input(path: Path) -> list[str]:
    only = ["-protocol_whitelist", "file", "-format_whitelist", _CONTAINERS]
    return ["-xerror", "-err_detect", "explode", *only, "-i", str(path.absolute())]


def _run(failed: str, *arguments: str) -> None:
    command = [program(), "-hide_banner", "-nostdin", "-y", "-v", "error", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PipelineError(f"{failed}: ffmpeg was not done after {_PATIENCE} s") from error
    if "No space left on device" in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # A fault amid the stream is told, and not always an exit code.
    if done.returncode or done.stderr.strip():
        said = done.stderr.strip().splitlines() or [f"ffmpeg ended with {done.returncode}"]
        raise PipelineError(f"{failed}: {_NUMBERS.sub('', said[0])}")
