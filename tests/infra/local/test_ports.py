"""Which ports a store gets."""

from __future__ import annotations

import pytest

from infra.local import _ports


def ignore(_message: str) -> None:
    pass


def test_every_flag_gets_a_port_of_its_own_and_the_worker_finds_its_server():
    ports = _ports.choose({}, ignore)
    assert tuple(ports) == _ports.NAMES
    assert len(set(ports.values())) == len(_ports.NAMES)
    assert ports[_ports.ADMIN_GRPC] == ports[_ports.ADMIN] + 10_000


def test_free_ports_stay():
    first = _ports.choose({_ports.S3: 0}, ignore)
    heard: list[str] = []
    assert _ports.choose(first, heard.append) == first
    assert heard == []


def test_a_machine_without_a_free_port_is_an_error(monkeypatch):
    monkeypatch.setattr(_ports, "_holds", lambda *_: False)
    monkeypatch.setattr(_ports, "_RANGE", range(1, 4))
    with pytest.raises(OSError, match="no free port on loopback"):
        _ports.choose({}, ignore)
