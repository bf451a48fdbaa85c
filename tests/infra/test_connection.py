from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.storage.settings import Settings
from infra.config.load import parse
from infra.config.secrets import Secrets
from infra.connection import connect, require_embedded
from infra.errors import UnreachableError, UsageError
from infra.local import running as embedded
from infra.stores.access_key import AccessKey
from infra.stores.static import StaticCredentials
from infra.stores.store import Store

URL = "http://store:9000"
CONFIGURED = {"adminAccessKeyId": "CONFIGURED", "adminSecretAccessKey": "configured-secret"}


@pytest.fixture
def admin(monkeypatch):
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", "ADMIN")
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "admin-secret")


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("values", [{}, CONFIGURED])
def test_admin_keys_of_the_environment_variables_come_first(values):
    assert connect(URL, "r1", Secrets(values)) == Store(URL, "r1", AccessKey("ADMIN", "admin-secret"))


def test_without_admin_keys_in_the_environment_those_of_the_configuration_are_used():
    assert connect(URL, "r1", Secrets(CONFIGURED)).admin == AccessKey("CONFIGURED", "configured-secret")


def test_without_admin_keys_an_externally_managed_key_is_used(monkeypatch):
    monkeypatch.setenv("MPR_VIEWER_ACCESS_KEY_ID", "VIEWER")
    monkeypatch.setenv("MPR_VIEWER_SECRET_ACCESS_KEY", "viewer-secret")
    assert connect(URL, "r1", Secrets({})).admin == AccessKey("VIEWER", "viewer-secret")
    assert connect(URL, "r1", Secrets(CONFIGURED)).admin == AccessKey("CONFIGURED", "configured-secret")


def test_without_any_key_the_message_says_where_they_go():
    with pytest.raises(UsageError) as caught:
        connect(URL, "r1", Secrets({}))
    for word in (URL, "MPR_ADMIN_ACCESS_KEY_ID", "MPR_ADMIN_SECRET_ACCESS_KEY", "mpr-storage:adminAccessKeyId"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["MPR_ADMIN_ACCESS_KEY_ID", "MPR_ADMIN_SECRET_ACCESS_KEY"])
@pytest.mark.parametrize("values", [{}, CONFIGURED])
def test_half_a_pair_is_refused_and_never_completed_from_elsewhere(monkeypatch, name, values):
    monkeypatch.setenv(name, "half-of-a-secret")
    with pytest.raises(
        UsageError, match="MPR_ADMIN_ACCESS_KEY_ID and MPR_ADMIN_SECRET_ACCESS_KEY must be"
    ) as caught:
        connect(URL, "r1", Secrets(values))
    assert "half-of-a-secret" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(CONFIGURED))
def test_half_a_configured_pair_is_refused(name):
    with pytest.raises(UsageError, match="must be set together"):
        connect(URL, "r1", Secrets({name: CONFIGURED[name]}))


def test_an_empty_variable_counts_as_absent(monkeypatch):
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", "")
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "")
    assert connect(URL, "r1", Secrets(CONFIGURED)).admin.access_key_id == "CONFIGURED"


KEYS = {
    "app": {"accessKeyId": "APP", "secretAccessKey": "app-secret"},
    "viewer": {"accessKeyId": "VIEW", "secretAccessKey": "view-secret"},
    "web": {"accessKeyId": "WEB", "secretAccessKey": "web-secret"},
}


@pytest.mark.parametrize("values", [KEYS, json.dumps(KEYS)], ids=["file", "engine"])
def test_externally_managed_keys_come_from_the_configuration(values):
    assert Secrets({"keys": values}).external() == {
        "app": AccessKey("APP", "app-secret"),
        "viewer": AccessKey("VIEW", "view-secret"),
        "web": AccessKey("WEB", "web-secret"),
    }


def test_externally_managed_keys_come_from_the_environment_first(monkeypatch):
    monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", "env-secret")
    assert Secrets({"keys": KEYS}).external()["app"] == AccessKey("ENV", "env-secret")


@pytest.mark.parametrize("keys", [None, {}, "", "[]", "3", ["app"], {"app": "x"}, {"app": None}])
def test_keys_that_are_no_mapping_are_no_keys(keys):
    assert Secrets({"keys": keys}).external() == {}


@pytest.mark.parametrize("name", ["web", "cam2", "a234567890123456"])
def test_externally_managed_keys_are_known_by_the_name_of_any_identity(monkeypatch, name):
    monkeypatch.setenv(f"MPR_{name.upper()}_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv(f"MPR_{name.upper()}_SECRET_ACCESS_KEY", "env-secret")
    assert Secrets({"keys": KEYS}).external()[name] == AccessKey("ENV", "env-secret")
    assert Secrets({}).external() == {name: AccessKey("ENV", "env-secret")}


def test_an_identity_gets_the_externally_managed_keys_under_its_name(monkeypatch):
    monkeypatch.setenv("MPR_WEB_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("MPR_WEB_SECRET_ACCESS_KEY", "env-secret")
    made = StaticCredentials(Secrets({}).external())
    assert made.of("mpr-prod-web") == made.of("web") == AccessKey("ENV", "env-secret")
    with pytest.raises(UsageError, match="MPR_TV_ACCESS_KEY_ID and MPR_TV_SECRET_ACCESS_KEY in the environment"):
        made.of("mpr-prod-tv")


@pytest.mark.usefixtures("admin")
def test_the_keys_of_the_administrator_are_not_those_of_an_identity():
    admin = {"admin": {"accessKeyId": "A", "secretAccessKey": "s"}}
    assert Secrets({}).external() == Secrets({"keys": admin}).external() == {}


@pytest.mark.parametrize(
    "name", ["MPR_WE_B_ACCESS_KEY_ID", "MPR__ACCESS_KEY_ID", "MPR_web_ACCESS_KEY_ID", "MPR_9B_ACCESS_KEY_ID"]
)
def test_a_variable_that_can_be_no_identity_is_left_alone(monkeypatch, name):
    monkeypatch.setenv(name, "half-a-pair")
    assert Secrets({}).external() == {}


def test_identities_that_are_no_text_are_no_crash():
    # as YAML reads a name of digits
    values = {"keys": {7: KEYS["app"], "web": KEYS["web"]}}
    assert Secrets(values).external()["web"] == AccessKey("WEB", "web-secret")


def test_half_a_pair_of_externally_managed_keys_is_refused():
    with pytest.raises(
        UsageError, match="MPR_APP_ACCESS_KEY_ID and MPR_APP_SECRET_ACCESS_KEY must be set together"
    ):
        Secrets({"keys": {"app": {"accessKeyId": "APP"}}}).external()


def test_keys_that_are_no_json_are_refused_in_words():
    with pytest.raises(UsageError, match="mpr-storage:keys"):
        Secrets({"keys": "{oops"}).external()


def test_the_embedded_store_brings_its_own_keys(monkeypatch):
    running = embedded.EmbeddedStore("http://127.0.0.1:1", AccessKey("ROOT", "root-secret"), pid=0)
    monkeypatch.setattr(embedded, "find", lambda: running)
    assert connect("embedded", "r1", Secrets(CONFIGURED)) == Store(
        "http://127.0.0.1:1", "r1", AccessKey("ROOT", "root-secret")
    )


def test_the_embedded_store_that_is_down_is_unreachable(monkeypatch):
    monkeypatch.setattr(embedded, "find", lambda: None)
    with pytest.raises(UnreachableError, match=r"the embedded store is not running; start it with") as caught:
        connect("embedded", "r1", Secrets({}))
    assert caught.value.exit_code == 3


def test_the_addressing_style_of_the_configuration_applies_to_the_administrator():
    virtual = connect(URL, "r1", Secrets(CONFIGURED), "virtual")
    assert virtual.settings(virtual.admin).addressing_style == "virtual"
    assert connect(URL, "r1", Secrets(CONFIGURED)).settings(virtual.admin).addressing_style is None


def test_a_secret_shows_in_no_repr():
    store = Store(URL, "r1", AccessKey("ADMIN-KEY", "hush"))
    assert "hush" not in repr(store)
    assert store.admin.masked == "...-KEY"


def test_a_newline_at_the_end_of_a_mounted_secret_is_taken_off(monkeypatch):
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", "admin\n")
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "secret\n")
    assert connect("http://127.0.0.1:1", "us-east-1", Secrets({})).admin == AccessKey("admin", "secret")


@pytest.mark.parametrize("odd", ["adm\nin", "админ", "a\x00b"])
def test_a_key_that_no_request_can_carry_is_refused_without_showing_it(odd):
    with pytest.raises(UsageError, match="holds a character that no access key has") as caught:
        connect("http://127.0.0.1:1", "us-east-1", Secrets({"adminAccessKeyId": "a", "adminSecretAccessKey": odd}))
    assert odd not in str(caught.value)


def test_an_env_file_of_another_address_than_the_embedded_store_is_refused(monkeypatch):
    buckets = {"in": {"name": "media-in"}, "out": {"name": "media-out"}}
    config = parse("local", {"target": "s3-compatible", "endpoint": "embedded", "buckets": buckets}, "test")
    written = Settings(endpoint_url="http://127.0.0.1:8333", region="us-east-1")
    monkeypatch.setattr("infra.local.running.find", lambda: None)
    with pytest.raises(UnreachableError, match="the embedded store is not running"):
        require_embedded(config, {"app": written})
    found = embedded.EmbeddedStore("http://127.0.0.1:8334", AccessKey("a", "b"), 1)
    monkeypatch.setattr("infra.local.running.find", lambda: found)
    said = r"runs at http://127.0.0.1:8334, and the env file of app names http://127.0.0.1:8333: `.* up local`"
    with pytest.raises(UsageError, match=said):
        require_embedded(config, {"app": written})
    require_embedded(config, {"app": replace(written, endpoint_url=found.endpoint)})
    require_embedded(replace(config, endpoint="http://store"), {"app": written})
