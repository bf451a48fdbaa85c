from __future__ import annotations

import pytest

from infra.errors import UsageError
from infra.stores.access_key import AccessKey
from infra.stores.keys import IdentityManager, identity_manager
from infra.stores.store import Store

STORE = Store("http://nowhere.invalid", "x", AccessKey("a", "b"))  # never asked
GIVEN = AccessKey("VIEWERKEY", "hush")


@pytest.fixture
def static() -> IdentityManager:
    return identity_manager("static", {"viewer": GIVEN})


def test_an_externally_managed_key_is_returned_unchanged(static):
    assert static.create_key(STORE, "mpr-my-test-viewer") == GIVEN
    assert static.access_keys(STORE, "mpr-my-test-viewer") == {"VIEWERKEY": True}


def test_the_error_for_a_missing_key_says_where_to_set_it(static):
    for ask in (static.create_key, static.access_keys):
        with pytest.raises(UsageError) as caught:
            ask(STORE, "mpr-test-app")
        for word in ("identity app", "MPR_APP_ACCESS_KEY_ID", "MPR_APP_SECRET_ACCESS_KEY", "mpr-storage:keys"):
            assert word in str(caught.value)


def test_externally_managed_keys_change_nothing_on_the_store(static):
    static.ensure_identity(STORE, "mpr-test-viewer", {})
    assert static.read_identity(STORE, "mpr-test-viewer") == {}
    static.delete_key(STORE, "mpr-test-viewer", "VIEWERKEY")
    static.delete_identity(STORE, "mpr-test-viewer")
    assert static.create_key(STORE, "mpr-test-viewer") == GIVEN
