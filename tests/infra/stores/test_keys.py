"""How keys are made, on each real store: `iam` on SeaweedFS, `minio` on MinIO."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from infra.errors import InfraError, UnreachableError, UsageError
from infra.policies import Policy, normalised
from infra.stores import keys as module
from infra.stores.access_key import AccessKey
from infra.stores.contact import contact
from infra.stores.keys import MAX_KEYS, IdentityManager, SlotState, ensure_key, is_accepted
from infra.stores.store import Store, s3_client
from tests.infra.conftest import Server, fresh, http_server, policy_of, responding


@dataclass
class Person:
    """An identity of a test over two buckets of its own."""

    server: Server
    name: str
    buckets: dict[str, str]

    @property
    def store(self) -> Store:
        return self.server.store

    @property
    def manager(self) -> IdentityManager:
        return self.server.manager

    def policy(self, identity: str) -> Policy:
        return policy_of(identity, self.buckets, rename=contact(self.store, self.buckets["in"]).rename)

    def become(self, identity: str) -> None:
        self.manager.ensure_identity(self.store, self.name, self.policy(identity))

    def key(self, known: AccessKey | None = None, *, disposable: bool = False) -> tuple[AccessKey, bool]:
        return ensure_key(self.manager, self.store, self.name, known, SlotState(disposable=disposable))

    def ids(self) -> list[str]:
        return list(self.manager.access_keys(self.store, self.name))

    def may(self, keys: AccessKey, operation: str, role: str) -> bool:
        s3 = s3_client(self.store, keys)
        requests: dict[str, Callable[..., object]] = {
            "put": lambda **where: s3.put_object(Key="a", Body=b"x", **where),
            "get": lambda **where: s3.get_object(Key="theirs", **where)["Body"].read(),
            "list": s3.list_objects_v2,
            "delete": lambda **where: s3.delete_object(Key="a", **where),
        }
        try:
            requests[operation](Bucket=self.buckets[role])
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied", error  # noqa: PT017  # the response is the point
            return False
        return True


@pytest.fixture
def person(server: Server, new_bucket: Callable[[Store], str]) -> Iterator[Person]:
    found = Person(server, fresh("mpr-an-environment-with-a-long-name"), {})
    for role in ("in", "out"):
        found.buckets[role] = new_bucket(server.store)
        server.store.s3.put_object(Bucket=found.buckets[role], Key="theirs", Body=b"theirs")
    yield found
    server.manager.delete_identity(server.store, found.name)


def test_the_policy_in_force_is_the_one_asked_for_and_holds_for_the_keys_there_are(person):
    assert person.manager.read_identity(person.store, person.name) is None
    person.become("pipeline")
    keys, _ = person.key()
    what = ("list", "get", "put", "delete")
    assert [person.may(keys, one, "in") for one in what] == [True, True, False, False]
    assert [person.may(keys, one, "out") for one in what] == [True, True, True, True]

    for _ in range(2):  # the second time changes nothing
        person.become("ingest")
        found = person.manager.read_identity(person.store, person.name)
        assert normalised(found) == normalised(person.policy("ingest")) != normalised(person.policy("pipeline"))
        assert person.ids() == [keys.access_key_id]
        assert [person.may(keys, one, "in") for one in what] == [True, True, True, True]
        assert [person.may(keys, one, "out") for one in what] == [False, False, False, False]


def test_a_new_key_works_and_is_adopted_by_its_id_and_secret(person):
    person.become("viewer")
    keys, new = person.key()
    assert new
    assert person.may(keys, "get", "in")
    assert person.key(keys) == (keys, False)
    assert person.key(keys, disposable=True) == (keys, False)
    assert person.ids() == [keys.access_key_id]

    wrong = AccessKey(keys.access_key_id, keys.secret_access_key[:-1] + "~")
    assert not is_accepted(person.store, wrong)
    second, new = person.key(wrong)
    assert new
    assert second.access_key_id != keys.access_key_id
    assert is_accepted(person.store, keys)  # a program may use its secret access key


def test_a_third_key_is_refused_and_stale_keys_are_deleted_only_if_disposable(person):
    person.become("viewer")
    made = [person.key()[0] for _ in range(MAX_KEYS)]
    for known in (None, person.store.admin):  # a key of another user is not managed here
        with pytest.raises(UsageError) as caught:
            person.key(known)
        said = str(caught.value)
        assert f"{person.name} has 2 access keys, the most that it may have" in said
        assert "find out which is not in use, delete it, then run this again: `" in said
        for keys in made:
            assert keys.masked in said
            assert keys.access_key_id not in said
            assert keys.secret_access_key not in said
    assert person.key(made[1]) == (made[1], False)
    assert sorted(person.ids()) == sorted(one.access_key_id for one in made)

    keys, new = person.key(disposable=True)
    assert new
    assert person.ids() == [keys.access_key_id]
    assert not any(is_accepted(person.store, one) for one in made)


def test_what_is_deleted_stops_working_and_may_be_deleted_again(person):
    person.become("app")
    keys, _ = person.key()
    for _ in range(2):
        person.manager.delete_key(person.store, person.name, keys.access_key_id)
        assert not is_accepted(person.store, keys)
    assert person.ids() == []

    keys, _ = person.key()
    for _ in range(2):
        person.manager.delete_identity(person.store, person.name)
        assert person.manager.read_identity(person.store, person.name) is None
        assert person.ids() == []
        assert not is_accepted(person.store, keys)


def test_a_key_for_a_user_that_does_not_exist_is_refused(person):
    with pytest.raises(InfraError, match=f"creating an access key of {person.name}: .* responded"):
        person.manager.create_key(person.store, person.name)


def test_identities_whose_names_start_alike_do_not_share_keys(person):
    person.become("viewer")
    keys, _ = person.key()
    other = Person(person.server, f"{person.name}-2", person.buckets)
    try:
        other.become("viewer")
        assert other.ids() == []
        theirs, _ = other.key(keys)
        assert theirs != keys
        assert person.ids() == [keys.access_key_id]
    finally:
        other.manager.delete_identity(other.store, other.name)
    assert is_accepted(person.store, keys)


@pytest.mark.parametrize("admin", [AccessKey("unknown-access-key", "hush"), None], ids=["unknown", "wrong secret"])
def test_every_action_reports_wrong_admin_keys_in_one_sentence(server, admin):
    store, manager = server.store, server.manager
    wrong = Store(store.endpoint, store.region, admin or AccessKey(store.admin.access_key_id, "hush"))
    name = fresh("mpr")
    actions: tuple[Callable[[], object], ...] = (
        lambda: manager.ensure_identity(wrong, name, {"Version": "2012-10-17", "Statement": []}),
        lambda: manager.read_identity(wrong, name),
        lambda: manager.access_keys(wrong, name),
        lambda: manager.create_key(wrong, name),
        lambda: manager.delete_key(wrong, name, "AKIANOBODYNOBODYNOBO"),
        lambda: manager.delete_identity(wrong, name),
    )
    for action in actions:
        with pytest.raises(UsageError, match=r"does not accept the admin key .*; check MPR_ADMIN_") as caught:
            action()
        assert "hush" not in str(caught.value)


def test_a_key_that_never_works_is_given_up_in_words(seaweed_store, monkeypatch):
    monkeypatch.setattr(module, "is_accepted", lambda *_: False)
    clock = SimpleNamespace(monotonic=count(0, 6).__next__, sleep=lambda _: None)
    monkeypatch.setattr(module, "time", clock)

    deleted: list[str] = []
    existing = iter([{}, {}, {"NEWKEY": True}])  # planned, before, after

    class Manager:
        access_keys = staticmethod(lambda *_: next(existing))
        create_key = staticmethod(lambda *_: AccessKey("NEWKEY", "hush"))
        delete_key = staticmethod(lambda *arguments: deleted.append(arguments[-1]))

    with pytest.raises(
        InfraError, match=r"the key \.\.\.WKEY is not accepted by .* after 10 s; check whether it exists"
    ):
        ensure_key(Manager(), seaweed_store, "x", None, SlotState(disposable=False))  # type: ignore[arg-type]  # all it needs
    assert deleted == ["NEWKEY"]


def test_a_new_key_that_cannot_be_deleted_either_is_named(seaweed_store, monkeypatch):
    def refuse(*_: object) -> None:
        raise UnreachableError("no response")

    monkeypatch.setattr(module, "is_accepted", refuse)
    existing = iter([{}, {}, {"NEWKEY": True}])  # planned, before, after

    class Manager:
        access_keys = staticmethod(lambda *_: next(existing))
        create_key = staticmethod(lambda *_: AccessKey("NEWKEY", "hush"))
        delete_key = staticmethod(refuse)
        deletion_by_hand = staticmethod(lambda *_: "`aws iam`")

    said = r"^no response; a new access key of x may be left in no file: `aws iam`$"
    with pytest.raises(UnreachableError, match=said):
        ensure_key(Manager(), seaweed_store, "x", None, SlotState(disposable=False))  # type: ignore[arg-type]  # the same


def test_the_key_of_the_other_slot_is_not_among_those_to_delete(person: Person):
    person.become("viewer")
    first, second = (person.key()[0] for _ in range(MAX_KEYS))
    state = SlotState(disposable=False, other_key_id=first.access_key_id)
    with pytest.raises(UsageError) as caught:
        ensure_key(person.manager, person.store, person.name, None, state)
    said = str(caught.value)
    assert f"no env file here holds {second.masked} with" in said
    assert first.masked not in said
    assert person.manager.deletion_by_hand(person.store, person.name) in said


def test_a_key_that_works_only_later_is_waited_for(seaweed_store, monkeypatch):
    responses = iter([False, False, True])
    monkeypatch.setattr(module, "is_accepted", lambda *_: next(responses))

    class Manager:
        access_keys = staticmethod(lambda *_: {})
        create_key = staticmethod(lambda *_: AccessKey("NEWKEY", "hush"))

    made = ensure_key(Manager(), seaweed_store, "x", None, SlotState(disposable=False))  # type: ignore[arg-type]  # the same
    assert made == (AccessKey("NEWKEY", "hush"), True)
    assert next(responses, None) is None


def test_trying_a_key_without_a_store_is_unreachable(refusing):
    store = Store(refusing, "us-east-1", AccessKey("a", "b"))
    with pytest.raises(UnreachableError, match=f"cannot reach the store at {refusing}"):
        is_accepted(store, store.admin)


def test_trying_a_key_at_what_is_not_a_store_is_an_error():
    with http_server(responding(200, "<html>log in</html>")) as endpoint:
        store = Store(endpoint, "us-east-1", AccessKey("a", "b"))
        with pytest.raises(
            UsageError,
            match=r"trying an access key \(http.* is not from an S3 API: mpr-storage:endpoint",
        ):
            is_accepted(store, store.admin)


def test_a_key_is_switched_off_and_on_again(person: Person):
    person.become("pipeline")
    keys, _ = person.key()
    off = SlotState(active=False, disposable=False)
    assert ensure_key(person.manager, person.store, person.name, keys, off) == (keys, False)
    assert person.manager.access_keys(person.store, person.name) == {keys.access_key_id: False}
    assert not is_accepted(person.store, keys)
    assert person.key(keys) == (keys, False)
    assert person.manager.access_keys(person.store, person.name) == {keys.access_key_id: True}
    assert person.may(keys, "put", "out")


def test_a_second_key_leaves_the_one_in_the_other_slot(person: Person):
    person.become("pipeline")
    first, _ = person.key(disposable=True)
    place = SlotState(disposable=True, other_key_id=first.access_key_id)
    second, new = ensure_key(person.manager, person.store, person.name, None, place)
    assert new
    assert set(person.ids()) == {first.access_key_id, second.access_key_id}
    assert person.may(first, "put", "out")
    assert person.may(second, "put", "out")
