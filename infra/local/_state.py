"""What is on record about the server: which process serves the data, since when and on which ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local import _files, _ports
from infra.local._process import Process


@dataclass(frozen=True)
class State:
    """The server that was started last. It may be gone: ask `process`."""

    process: Process
    since: float  # seconds since the epoch
    ports: Mapping[str, int]

    @property
    def s3_port(self) -> int:
        """Where S3 and the IAM API answer."""
        return self.ports[_ports.S3]


def write(path: Path, state: State) -> None:
    """Put the server on record, atomically."""
    process = {"pid": state.process.pid, "began": state.process.began}
    _files.write_json(path, {**process, "since": state.since, "ports": dict(state.ports)})


def read(path: Path) -> State | None:
    """The server on record; None when there is none, or nothing that can be understood."""
    match _files.read_json(path):
        case {"pid": int(pid), "began": str(began), "since": int() | float() as since, "ports": dict(ports)}:
            known = _ports_of(ports)
            return State(Process(pid, began), float(since), known) if known else None
    return None


def _ports_of(found: Mapping[Any, Any]) -> dict[str, int] | None:
    ports = {name: found.get(name) for name in _ports.NAMES}
    numbers = {name: port for name, port in ports.items() if isinstance(port, int)}
    return numbers if len(numbers) == len(ports) else None
