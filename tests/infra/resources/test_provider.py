from __future__ import annotations

import base64
import os
import pickle
import subprocess
import sys
import traceback
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from pulumi.dynamic import Resource, ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider

from infra.config import definitions
from infra.errors import InfraError, UnreachableError
from infra.resources import provider as module
from infra.resources.bucket import Bucket, BucketProvider
from infra.resources.identity import Identity, IdentityProvider
from infra.resources.key import Key, KeyProvider
from infra.resources.provider import StoreProvider, difference, differing
from tests.conftest import REPO
from tests.infra.resources.support import configured

PROVIDERS: list[type[ResourceProvider]] = [BucketProvider, IdentityProvider, KeyProvider]
#: What state files hold: a rename here makes every existing stack's `destroy` fail.
PLACES = {
    "infra.resources.bucket.BucketProvider",
    "infra.resources.identity.IdentityProvider",
    "infra.resources.key.KeyProvider",
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_is_pickled_by_reference(provider: type[ResourceProvider]):
    text = serialize_provider(provider())
    assert text == serialize_provider(provider())
    raw = base64.b64decode(text)
    assert provider.__module__.encode() in raw
    assert provider.__qualname__.encode() in raw
    assert len(raw) < 100
    assert type(pickle.loads(raw)) is provider  # noqa: S301  # what this test pickled


def test_a_provider_is_pickled_the_same_in_every_process():
    code = (
        "from pulumi.dynamic.dynamic import serialize_provider\n"
        "from infra.resources.key import KeyProvider\n"
        "print(serialize_provider(KeyProvider()))"
    )
    here = serialize_provider(KeyProvider())
    for seed in ("1", "2"):
        environ = os.environ | {"PYTHONHASHSEED": seed}
        output = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=REPO, env=environ)
        assert output.strip() == here


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_serialised_provider_is_not_marked_as_a_secret(provider: type[ResourceProvider]):
    assert provider.serialize_as_secret_always is False


def test_no_module_or_class_was_renamed():
    assert {f"{one.__module__}.{one.__qualname__}" for one in PROVIDERS} == PLACES


@pytest.mark.parametrize(
    ("resource", "token"),
    [
        (Bucket, "dynamic/storage:Bucket"),
        (Identity, "dynamic/storage:Identity"),
        (Key, "dynamic/storage:Key"),
    ],
)
def test_no_resource_type_was_renamed(resource: type[Resource], token: str):
    assert resource._resource_type_name == token


def test_configure_keeps_the_secrets_of_the_stack_and_nothing_else():
    secrets = {"adminAccessKeyId": "admin", "adminSecretAccessKey": "secret", "keys": "{}"}
    provider = configured(StoreProvider(), target="s3-compatible", **secrets)
    assert provider.secrets.values == secrets


def test_admin_keys_come_from_the_stack_or_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    props = {"endpoint": "http://127.0.0.1:1", "region": "us-east-1"}
    provider = configured(StoreProvider(), adminAccessKeyId="AKIASTACK", adminSecretAccessKey="of-the-stack")
    assert provider.store(props).admin.access_key_id == "AKIASTACK"
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "of-the-environment")
    assert provider.store(props).admin.access_key_id == "AKIAENV"


def test_without_admin_keys_the_message_names_both_ways():
    with pytest.raises(InfraError, match=r"MPR_ADMIN_ACCESS_KEY_ID.*mpr-storage:adminAccessKeyId"):
        configured(StoreProvider()).store({"endpoint": "http://127.0.0.1:1", "region": "us-east-1"})


def process(**attributes: object) -> ModuleType:
    """A stand-in for the `__main__` of Pulumi's provider process."""
    return cast("ModuleType", SimpleNamespace(**attributes))


def formatted(error: Exception, main: Any) -> str:
    try:
        raise error
    except type(error):
        return str(main.traceback.format_exc())


def test_an_infra_error_is_shown_without_a_traceback(monkeypatch: pytest.MonkeyPatch):
    main = process(traceback=traceback)
    monkeypatch.setitem(sys.modules, "__main__", main)
    configured(StoreProvider())
    assert formatted(UnreachableError("start it"), main) == "start it"
    assert "Traceback" in formatted(KeyError("a bug"), main)
    configured(StoreProvider())  # once more, for the next provider of the same process
    assert formatted(UnreachableError("start it"), main) == "start it"


@pytest.mark.parametrize("attributes", [{}, {"traceback": None}])
def test_error_display_is_unchanged_outside_of_the_provider_process_of_pulumi(
    attributes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    main = process(**attributes)
    monkeypatch.setitem(sys.modules, "__main__", main)
    module._show_sentences()
    assert vars(main) == attributes


def test_a_replacement_creates_the_new_resource_before_it_deletes_the_old_one():
    result = difference([], ["name"])
    assert (result.changes, result.replaces, result.delete_before_replace) == (True, ["name"], False)
    assert difference([], []).changes is False
    assert difference(["policy"], []).changes is True


def test_an_absent_property_equals_none():
    assert differing({"a": None, "b": 1.0}, {"b": 1}, "a", "b") == []
    assert differing({"a": 1}, {}, "a", "b") == ["a"]


def test_the_secrets_that_a_provider_keeps_are_those_of_the_configuration():
    assert definitions.SECRETS == module._SECRETS
