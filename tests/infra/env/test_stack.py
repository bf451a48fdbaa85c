"""The outputs of the deployed stack. `pulumi` is a double here; with the real one: tests/engine/test_env.py."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest

from core.storage.settings import Settings
from infra.config import stack_files
from infra.env import stack
from infra.env.key_info import KeyInfo
from infra.errors import InfraError, NotDeployedError, UnreachableError
from infra.local import engine
from infra.local.engine import Engine
from tests.infra.env.conftest import Pulumi
from tests.infra.env.support import ODD, SHAPES

STORE, ROLE = SHAPES["store"], SHAPES["aws role"]


def test_the_settings_of_each_identity_are_what_the_program_exported(pulumi: Pulumi):
    settings = {"app": STORE, "viewer": ODD, "web": ROLE}
    keys = {"app": {"slot": "b", "made": "2026-11-24T03:00:00Z"}, "viewer": {"slot": "a", "made": None}, "web": {}}
    identities = {name: identity.to_env() for name, identity in settings.items()}
    pulumi.deploy("prod", {**STORE.to_env(), "viewer": {}, "identities": identities, "keySlots": keys})
    deployed = stack.read("prod")
    assert deployed.settings == settings
    assert deployed.updated == datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
    created = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
    assert deployed.keys == {"app": KeyInfo("b", created), "viewer": KeyInfo("a", None)}


def test_the_outputs_of_an_earlier_version_are_read(pulumi: Pulumi):
    outputs = {**STORE.to_env(), "viewer": ODD.to_env(), "web": ROLE.to_env(), "keySlots": {"app": {"slot": "b"}}}
    pulumi.deploy("prod", outputs)
    deployed = stack.read("prod")
    assert deployed.settings == {"app": STORE, "viewer": ODD, "web": ROLE}
    assert deployed.keys == {"app": KeyInfo("b")}


def test_an_environment_without_app_has_no_settings_of_app(pulumi: Pulumi):
    pulumi.deploy("prod", {"viewer": ODD.to_env()})
    assert stack.read("prod").settings == {"viewer": ODD}


def test_a_stack_is_found_by_its_own_name_behind_that_of_its_organisation(pulumi: Pulumi):
    pulumi.deploy("prod", STORE.to_env(), listed_as="studio/mpr-storage/prod")
    assert stack.read("prod").settings == {"app": STORE}


def test_no_secret_is_an_argument_or_in_a_repr(pulumi: Pulumi):
    pulumi.deploy("prod", STORE.to_env())
    command = engine.find()
    assert command
    deployed = command.deployed("prod")
    assert deployed
    assert deployed.outputs["AWS_SECRET_ACCESS_KEY"] == STORE.secret_access_key
    shown = repr(deployed) + repr(stack.read("prod")) + json.dumps(pulumi.calls)
    assert STORE.secret_access_key
    assert STORE.secret_access_key not in shown
    assert {call[1] for call in pulumi.calls} == {"stack"}
    assert {call[2] for call in pulumi.calls} == {"ls", "output"}, "nothing that changes anything"


def test_without_pulumi_the_error_says_where_to_get_it(pulumi: Pulumi):
    pulumi.command.unlink()
    with pytest.raises(UnreachableError, match=r"cannot be read without Pulumi: https://"):
        stack.read("prod")


def test_where_pulumi_has_no_state_nothing_is_deployed_and_nothing_created(pulumi: Pulumi):
    folder = stack_files.ROOT / ".local"
    shutil.rmtree(folder)
    with pytest.raises(NotDeployedError, match="prod is not deployed; `python -m infra up prod` deploys it"):
        stack.read("prod")
    assert not folder.exists()


def test_a_backend_that_does_not_respond_is_an_error_within_a_minute(pulumi: Pulumi, monkeypatch):
    assert Engine._read.__kwdefaults__ == {"seconds": 60}
    monkeypatch.setattr(Engine._read, "__kwdefaults__", {"seconds": 0.2})
    pulumi.command.write_text("#!/bin/sh\nexec sleep 30\n")
    with pytest.raises(UnreachableError, match=r"`pulumi stack ls` did not end within 0.2 s: check that Pulumi"):
        stack.read("prod")


@pytest.mark.parametrize("deploy", [None, {}])
def test_a_stack_that_was_never_deployed_is_an_error_that_says_how(pulumi: Pulumi, deploy):
    pulumi.deploy("other", STORE.to_env())
    if deploy is not None:
        pulumi.deploy("prod", deploy)
    with pytest.raises(InfraError, match="prod is not deployed; `python -m infra up prod` deploys it") as caught:
        stack.read("prod")
    assert caught.value.exit_code == 1


def test_the_error_for_an_unreachable_backend_holds_the_words_of_pulumi(pulumi: Pulumi):
    pulumi.fail("error: could not connect\n  to the bucket")
    with pytest.raises(
        UnreachableError, match=r"`pulumi stack ls` failed: error: could not connect to the bucket$"
    ):
        stack.read("prod")


def test_a_backend_that_fails_silently_is_reported_with_the_exit_code(pulumi: Pulumi):
    pulumi.fail("")
    with pytest.raises(UnreachableError, match=r"`pulumi stack ls` failed: exit code 255$"):
        stack.read("prod")


def test_incomplete_outputs_are_an_error_without_a_value(pulumi: Pulumi):
    outputs = STORE.to_env()
    del outputs["AWS_ACCESS_KEY_ID"]
    pulumi.deploy("prod", outputs)
    with pytest.raises(
        InfraError, match=r"incomplete .*AWS_ACCESS_KEY_ID.*run `python -m infra up prod` again"
    ) as caught:
        stack.read("prod")
    assert outputs["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


def test_a_stack_that_was_never_updated_has_no_time_of_update(pulumi: Pulumi):
    pulumi.deploy("prod", Settings(region="x").to_env(), updated=None)
    assert stack.read("prod").updated is None
