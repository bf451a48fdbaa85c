from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.config.load import load_environment
from infra.config.slots import Slots
from infra.errors import UsageError
from infra.rotate.stack_file import write_slots

TEXT = """\
# Who runs this: the media team.
encryptionsalt: v1:abc:v1:def=
config:
  mpr-storage:target: aws  # the account is that of CI
  mpr-storage:region: eu-west-1
  mpr-storage:tags:
    team: "media"   # in quotes
  aws:profile: 'ours'
  mpr-storage:identities:
    - app
    - viewer
"""
SLOTS = Slots(current="b", step="switch", since=datetime(2026, 11, 25, 7, tzinfo=UTC))


@pytest.fixture
def file(environments):
    file = environments / "Pulumi.prod.yaml"
    file.write_text(TEXT)
    file.chmod(0o644)
    return file


def test_everything_else_in_the_file_stays_as_it_is(file):
    write_slots("prod", {"app": SLOTS})
    written = "current: b\n      step: switch\n      since: '2026-11-25T07:00:00Z'\n"
    assert file.read_text() == f"{TEXT}  mpr-storage:slots:\n    app:\n      {written}"
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_slots_that_were_written_are_read_back(file):
    write_slots("prod", {"app": SLOTS})
    assert load_environment("prod").slots == {"app": SLOTS}
    assert load_environment("prod").slots_of("viewer") == Slots()


def test_an_identity_with_only_its_first_key_has_no_entry_in_the_stack_file(file):
    write_slots("prod", {"app": SLOTS, "viewer": Slots(current="b")})
    write_slots("prod", {"app": Slots()})
    assert load_environment("prod").slots == {"viewer": Slots(current="b")}
    write_slots("prod", {"viewer": Slots()})
    assert file.read_text() == TEXT


def test_a_folder_that_cannot_be_written_changes_nothing(file, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("infra.private_file.write", full)
    with pytest.raises(UsageError, match=r"cannot write .*Pulumi.prod.yaml: No space left on device; nothing was"):
        write_slots("prod", {"app": SLOTS})
    assert file.read_text() == TEXT


def test_a_link_stays_a_link(file, tmp_path):
    target = tmp_path / "elsewhere.yaml"
    file.rename(target)
    file.symlink_to(target)
    write_slots("prod", {"app": SLOTS})
    assert file.is_symlink()
    assert "current: b" in target.read_text()
