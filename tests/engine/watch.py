"""What other users of the machine could have seen while commands ran: arguments of their processes, and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

_PAUSE = 0.005
#: Bytes of a file that are looked at.
_LONGEST = 4 * 1024 * 1024


@dataclass
class Seen:
    """All of it, as far as a look every few milliseconds sees it."""

    arguments: set[str] = field(default_factory=set)
    #: Mode and content of every version of every file.
    files: dict[tuple[Path, int, int], tuple[int, str]] = field(default_factory=dict)

    def look_at_processes(self, folders: tuple[Path, ...]) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                # Processes of other tests have secrets of their own, and some of these are part of ours.
                if any(process.joinpath("cwd").readlink().is_relative_to(folder) for folder in folders):
                    arguments = process.joinpath("cmdline").read_bytes()
                    self.arguments.add(arguments.replace(b"\0", b" ").decode(errors="replace"))

    def look_at_files(self, folders: tuple[Path, ...]) -> None:
        for file in (one for folder in folders for one in _below(folder)):
            with suppress(OSError):  # gone by now
                there = file.stat()
                version = (Path(file.path), there.st_ino, there.st_mtime_ns)
                if version not in self.files and there.st_size <= _LONGEST:
                    content = version[0].read_bytes().decode(errors="replace")
                    self.files[version] = (there.st_mode & 0o777, content)


@contextmanager
def watching(*folders: Path) -> Iterator[Seen]:
    """Watch the processes that work in the folders, and all files below these, while this is open."""
    seen, over = Seen(), Event()

    def repeat(look: Callable[[tuple[Path, ...]], None]) -> None:
        while not over.wait(_PAUSE):
            look(folders)

    # Of their own each: a look at many files takes longer than some processes last.
    threads = [Thread(target=repeat, args=(look,)) for look in (seen.look_at_processes, seen.look_at_files)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield entry
