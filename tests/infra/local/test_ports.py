"""Which ports a store gets."""

from __future__ import annotations

import pytest

from infra.local import ports


def ignore(_message: str) -> None:
    pass


def test_every_flag_gets_a_port_of_its_own_and_the_worker_finds_its_server():
    chosen = ports.choose({}, ignore)
    assert tuple(chosen) == ports.NAMES
    assert len(set(chosen.values())) == len(ports.NAMES)
    assert chosen[ports.ADMIN_GRPC] == chosen[ports.ADMIN] + 10_000


def test_free_ports_stay():
    first = ports.choose({ports.S3: 0}, ignore)
    messages: list[str] = []
    assert ports.choose(first, messages.append) == first
    assert messages == []


def test_a_machine_without_a_free_port_is_an_error(monkeypatch):
    monkeypatch.setattr(ports, "_bind", lambda *_: False)
    monkeypatch.setattr(ports, "_RANGE", range(1, 4))
    with pytest.raises(OSError, match="no free port on loopback"):
        ports.choose({}, ignore)
