from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from infra.config.environment import BucketConfig, Expiry
from infra.errors import InfraError, UnreachableError, UsageError
from infra.resources.bucket import BucketProvider
from infra.resources.provider import Props
from infra.stores.settings import to_props
from tests.conftest import Store, free_ports
from tests.infra.conftest import remove_bucket
from tests.infra.resources.support import configured, over_grpc

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("admin_keys")


@pytest.fixture
def provider() -> BucketProvider:
    return configured(BucketProvider())


@pytest.fixture
def props(name: str, where: Props) -> Props:
    full: Props = over_grpc(
        {
            "name": name,
            "versioning": True,
            "noncurrentDays": 3,
            "expire": [{"prefix": "cache/", "days": 30}, {"prefix": "tmp/", "days": 1}],
            "abortMultipartDays": 7,
            "corsOrigins": ["http://localhost:3000"],
            "environment": "studio",
            "disposable": True,
            **where,
        }
    )
    return full


def exists(s3: S3Client, name: str) -> bool:
    try:
        s3.head_bucket(Bucket=name)
    except ClientError:
        return False
    return True


def made(result: CreateResult | UpdateResult | ReadResult) -> Props:
    """The outputs that the state holds after this."""
    assert result.outs is not None
    return result.outs


def rules(s3: S3Client, name: str) -> dict[str, Any]:
    return {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]}


# --- create ---------------------------------------------------------------------------------------------


def test_create_makes_the_bucket_with_all_its_settings(provider: BucketProvider, props: Props, s3: S3Client):
    name = props["name"]
    result = provider.create(props)
    assert (result.id, result.outs) == (name, props | {"created": True})
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    there = rules(s3, name)
    assert there["mpr-expire-cache/"]["Expiration"]["Days"] == 30
    assert there["mpr-expire-tmp/"]["Expiration"]["Days"] == 1
    assert there["mpr-noncurrent"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 3
    assert there["mpr-abort-multipart"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    (cors,) = s3.get_bucket_cors(Bucket=name)["CORSRules"]
    assert cors["AllowedOrigins"] == ["http://localhost:3000"]
    assert set(cors["AllowedMethods"]) == {"GET", "HEAD", "PUT"}


def test_create_adopts_a_bucket_and_keeps_what_is_in_it(provider: BucketProvider, props: Props, s3: S3Client):
    name = props["name"]
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="precious.mp4", Body=b"x")
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [
                {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 9}}
            ]
        },
    )
    provider.create(props)
    assert s3.get_object(Bucket=name, Key="precious.mp4")["Body"].read() == b"x"
    assert {"theirs", "mpr-expire-cache/"} <= set(rules(s3, name))
    assert rules(s3, name)["theirs"]["Expiration"]["Days"] == 9


def test_create_twice_changes_nothing(provider: BucketProvider, props: Props, s3: S3Client):
    first = provider.create(props)
    before = rules(s3, props["name"])
    second = provider.create(props)
    assert (second.id, second.outs) == (first.id, first.outs)
    assert rules(s3, props["name"]) == before


def test_what_the_configuration_leaves_open_is_left_as_it_is(
    provider: BucketProvider, name: str, where: Props, s3: S3Client
):
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    provider.create({"name": name, "environment": "studio", "disposable": True, **where})
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"


# --- read -----------------------------------------------------------------------------------------------


def test_read_of_an_unchanged_bucket_returns_its_inputs(provider: BucketProvider, props: Props):
    provider.create(props)
    result = provider.read(props["name"], props)
    assert result.id == props["name"]
    assert result.outs == props
    assert result.inputs == props


@pytest.mark.parametrize("versioning", [{}, {"versioning": True}])
def test_read_with_a_key_that_may_not_read_settings_changes_nothing_in_the_state(
    provider: BucketProvider, name: str, where: Props, monkeypatch, versioning
):
    props = {"name": name, "environment": "studio", "disposable": True, **where, **versioning}
    monkeypatch.setattr("infra.stores.buckets.read", lambda *_: BucketConfig(name=name))
    result = provider.read(name, props | {"created": False})
    assert (result.outs, result.inputs) == (props | {"created": False}, props)


def test_read_of_an_untouched_bucket_without_settings_is_no_drift(
    provider: BucketProvider, name: str, where: Props
):
    props = {"name": name, "environment": "studio", "disposable": True, **where}
    provider.create(props)
    assert provider.read(name, props).inputs == props


def change_lifecycle(s3: S3Client, name: str) -> None:
    rule: Any = {"ID": "mpr-expire-cache/", "Status": "Enabled", "Filter": {"Prefix": "cache/"}}
    s3.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration={"Rules": [rule | {"Expiration": {"Days": 2}}]}
    )


def delete_lifecycle(s3: S3Client, name: str) -> None:
    s3.delete_bucket_lifecycle(Bucket=name)


def change_cors(s3: S3Client, name: str) -> None:
    cors: Any = {"ID": "mpr-storage", "AllowedMethods": ["GET"], "AllowedOrigins": ["http://elsewhere"]}
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [cors]})


def delete_cors(s3: S3Client, name: str) -> None:
    s3.delete_bucket_cors(Bucket=name)


def suspend_versioning(s3: S3Client, name: str) -> None:
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})


@pytest.mark.parametrize(
    ("behind_its_back", "seen"),
    [
        (change_lifecycle, {"expire", "noncurrentDays", "abortMultipartDays"}),
        (delete_lifecycle, {"expire", "noncurrentDays", "abortMultipartDays"}),
        (change_cors, {"corsOrigins"}),
        (delete_cors, {"corsOrigins"}),
        (suspend_versioning, {"versioning"}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_read_sees_drift_and_update_repairs_it(
    provider: BucketProvider, props: Props, s3: S3Client, behind_its_back: Any, seen: set[str]
):
    name = props["name"]
    provider.create(props)
    behind_its_back(s3, name)
    found = provider.read(name, props)
    assert found.id == name
    assert found.outs is not None
    assert {one for one in props if found.outs.get(one) != props[one]} == seen
    assert found.outs == found.inputs
    difference = provider.diff(name, over_grpc(found.outs), props)
    assert difference.changes
    assert not difference.replaces
    provider.update(name, over_grpc(found.outs), props)
    assert provider.read(name, props).outs == props


def test_read_of_a_deleted_bucket_says_that_it_is_gone(provider: BucketProvider, props: Props, s3: S3Client):
    provider.create(props)
    s3.delete_bucket(Bucket=props["name"])
    assert provider.read(props["name"], props).id is None


# --- diff -----------------------------------------------------------------------------------------------


def changes(provider: BucketProvider, olds: Props, news: Props) -> tuple[bool | None, list[str] | None]:
    result = provider.diff(olds["name"], olds, news)
    return result.changes, result.replaces


@pytest.mark.parametrize(
    "change",
    [
        {"versioning": False},
        {"noncurrentDays": 4.0},
        {"expire": [{"prefix": "cache/", "days": 31.0}]},
        {"abortMultipartDays": 8.0},
        {"corsOrigins": ["http://localhost:5173"]},
        {"endpoint": "http://elsewhere:8333"},
        {"region": "eu-central-1"},
        {"disposable": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_is_changed_in_place(provider: BucketProvider, props: Props, change: Props):
    assert changes(provider, props, props | change) == (True, [])


@pytest.mark.parametrize("setting", ["noncurrentDays", "expire", "abortMultipartDays", "corsOrigins"])
def test_a_setting_that_is_taken_away_is_a_change(provider: BucketProvider, props: Props, setting: str):
    news = {name: value for name, value in props.items() if name != setting}
    assert changes(provider, props, news) == (True, [])


def test_versioning_that_is_left_open_is_no_change(provider: BucketProvider, props: Props):
    open_ = {name: value for name, value in props.items() if name != "versioning"}
    assert changes(provider, open_, open_) == (False, [])
    assert changes(provider, props, open_) == (True, []), "the state forgets it; the store keeps it as it is"


def test_a_new_name_replaces_nothing_because_the_old_bucket_would_be_deleted(
    provider: BucketProvider, props: Props
):
    assert changes(provider, props, props | {"name": "another"}) == (True, [])


def test_integers_and_floats_of_equal_value_are_no_change(provider: BucketProvider, props: Props):
    news = props | {
        "noncurrentDays": 3,
        "expire": [{"days": 30, "prefix": "cache/"}, {"days": 1, "prefix": "tmp/"}],
    }
    assert changes(provider, props, news) == (False, [])


def test_another_order_of_rules_and_origins_is_no_change(provider: BucketProvider, props: Props):
    rules = (Expiry(prefix="cache/", days=30), Expiry(prefix="tmp/", days=1))
    one = to_props(BucketConfig(name="x", expire=rules, cors_origins=("http://a", "http://b")))
    other = to_props(BucketConfig(name="x", expire=rules[::-1], cors_origins=("http://b", "http://a")))
    assert changes(provider, props | one, props | other) == (False, [])


def test_a_diff_connects_to_no_store(provider: BucketProvider, props: Props, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
    monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
    (closed,) = free_ports(1)
    olds = props | {"endpoint": f"http://127.0.0.1:{closed}"}
    assert changes(provider, olds, props) == (True, [])


# --- update and delete ----------------------------------------------------------------------------------


def test_update_changes_in_place_and_keeps_every_output(provider: BucketProvider, props: Props, s3: S3Client):
    name = props["name"]
    provider.create(props)
    s3.put_object(Bucket=name, Key="kept.mp4", Body=b"x")
    news = over_grpc({"name": name, "expire": [{"prefix": "cache/", "days": 5}], "disposable": True})
    news |= {one: props[one] for one in ("endpoint", "region", "environment")}
    assert provider.update(name, props, news).outs == news | {"created": True}
    assert set(rules(s3, name)) == {"mpr-expire-cache/"}
    assert rules(s3, name)["mpr-expire-cache/"]["Expiration"]["Days"] == 5
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket=name)
    assert s3.get_object(Bucket=name, Key="kept.mp4")["Body"].read() == b"x"


def test_update_at_a_new_endpoint_makes_the_bucket_there(provider: BucketProvider, props: Props, s3: S3Client):
    provider.update(props["name"], props | {"endpoint": "http://gone.invalid:8333"}, props)
    assert exists(s3, props["name"])


def test_update_with_a_new_name_creates_the_bucket_and_keeps_the_old_one(
    provider: BucketProvider, props: Props, s3: S3Client, capfd: pytest.CaptureFixture[str]
):
    name, new = props["name"], f"{props['name']}-new"
    outs = made(provider.create(props))
    s3.put_object(Bucket=name, Key="kept.mp4", Body=b"x")
    provider.check(outs, props | {"name": new})
    assert (
        f"bucket {name} stays with its objects: this environment uses {new} from now on" in capfd.readouterr().err
    )
    try:
        outs = made(provider.update(name, outs, props | {"name": new}))
        assert outs == props | {"name": new, "created": True}
        assert s3.get_object(Bucket=name, Key="kept.mp4")["Body"].read() == b"x"
        provider.delete(name, outs)
        assert (exists(s3, name), exists(s3, new)) == (True, False)
    finally:
        remove_bucket(s3, new)


def test_update_with_the_name_of_an_existing_bucket_adopts_it(
    provider: BucketProvider, props: Props, s3: S3Client, capfd: pytest.CaptureFixture[str]
):
    name, existing = props["name"], f"{props['name']}-existing"
    outs = made(provider.create(props))
    s3.create_bucket(Bucket=existing)
    try:
        provider.check(outs, props | {"name": existing})
        assert f"bucket {existing} exists: it is adopted with its objects" in capfd.readouterr().err
        outs = made(provider.update(name, outs, props | {"name": existing}))
        assert not outs["created"]
        provider.delete(name, outs)
        assert exists(s3, existing)
    finally:
        remove_bucket(s3, existing)


def test_delete_of_a_disposable_bucket_takes_everything_with_it(
    provider: BucketProvider, props: Props, s3: S3Client
):
    name = props["name"]
    outs = made(provider.create(props))
    for key in ("a.mp4", "b.mp4"):
        s3.put_object(Bucket=name, Key=key, Body=b"1")
        s3.put_object(Bucket=name, Key=key, Body=b"2")  # versioning keeps the first
    s3.delete_object(Bucket=name, Key="a.mp4")  # leaves a delete marker
    s3.create_multipart_upload(Bucket=name, Key="unfinished.mp4")
    provider.delete(name, outs)
    assert not exists(s3, name)


@pytest.mark.parametrize("left", ["an object", "a noncurrent version"])
def test_a_bucket_with_anything_in_it_is_not_deleted(
    provider: BucketProvider, props: Props, s3: S3Client, left: str
):
    name, keep = props["name"], props | {"disposable": False}
    outs = made(provider.create(keep))
    s3.put_object(Bucket=name, Key="precious.mp4", Body=b"x")
    if left == "a noncurrent version":
        s3.delete_object(Bucket=name, Key="precious.mp4")
    with pytest.raises(InfraError, match=f"bucket {name} is not empty.*disposable to true"):
        provider.delete(name, outs)
    assert s3.list_object_versions(Bucket=name)["Versions"][0]["Key"] == "precious.mp4"


def test_an_empty_bucket_is_deleted_and_a_second_time_is_no_error(
    provider: BucketProvider, props: Props, s3: S3Client
):
    keep = props | {"disposable": False}
    outs = made(provider.create(keep))
    provider.delete(props["name"], outs)
    assert not exists(s3, props["name"])
    provider.delete(props["name"], outs)
    provider.delete(props["name"], outs | {"disposable": True})


# --- buckets that existed before ------------------------------------------------------------------------


@pytest.fixture
def existing(props: Props, s3: S3Client) -> Iterator[str]:
    """A bucket with an object that existed before the resource of the same name."""
    name: str = props["name"]
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="precious.mp4", Body=b"x")
    yield name
    remove_bucket(s3, name)


def test_an_adopted_bucket_outlives_the_destruction_of_a_disposable_environment(
    provider: BucketProvider, props: Props, existing: str, s3: S3Client, capsys: pytest.CaptureFixture[str]
):
    outs = made(provider.create(props))
    assert outs["created"] is False
    provider.delete(existing, outs)
    assert s3.get_object(Bucket=existing, Key="precious.mp4")["Body"].read() == b"x"
    said = f"bucket {existing} existed before this environment and holds 1 object (1 byte): it stays"
    assert capsys.readouterr().err == f"{said}\n"


def test_an_adopted_bucket_stays_adopted_when_it_is_updated_or_read(
    provider: BucketProvider, props: Props, existing: str, s3: S3Client
):
    adopted = made(provider.create(props))
    updated = made(provider.update(existing, adopted, props | {"abortMultipartDays": 9}))
    refreshed = made(provider.read(existing, updated))
    assert (updated["created"], refreshed["created"]) == (False, False)
    provider.delete(existing, refreshed)
    assert exists(s3, existing)


def test_an_adopted_bucket_is_kept_also_when_it_is_empty(provider: BucketProvider, props: Props, s3: S3Client):
    s3.create_bucket(Bucket=props["name"])
    provider.delete(props["name"], made(provider.create(props)))
    assert exists(s3, props["name"])
    remove_bucket(s3, props["name"])


def test_a_state_without_the_field_keeps_the_bucket_and_says_that_nothing_is_recorded(
    provider: BucketProvider, props: Props, existing: str, s3: S3Client, capsys: pytest.CaptureFixture[str]
):
    """States of earlier versions: whether the bucket was created or found cannot be known any more."""
    old = {name: value for name, value in props.items() if name != "environment"}
    updated = made(provider.update(existing, old, props | {"abortMultipartDays": 9}))
    for outs in (old, updated):
        provider.delete(existing, outs)
        assert exists(s3, existing)
        assert f"bucket {existing} stays: nothing records that this environment" in capsys.readouterr().err


def test_a_bucket_without_a_record_is_deleted_once_its_tag_names_the_environment(
    provider: BucketProvider, props: Props, existing: str, s3: S3Client
):
    tags = [{"Key": "mpr-storage-environment", "Value": "studio"}]
    s3.put_bucket_tagging(Bucket=existing, Tagging={"TagSet": tags})  # type: ignore[typeddict-item]  # plain strings
    provider.delete(existing, props | {"created": None})
    assert not exists(s3, existing)


def test_a_bucket_that_is_gone_is_not_reported_as_kept(
    provider: BucketProvider, props: Props, capsys: pytest.CaptureFixture[str]
):
    provider.delete(props["name"], props | {"created": False})
    assert capsys.readouterr().err == ""


def test_a_bucket_that_the_same_environment_created_without_this_state_is_its_own(
    provider: BucketProvider, props: Props, s3: S3Client
):
    """After `infra init`, or when the state was lost: the tag of the bucket says it."""
    provider.create(props)
    outs = made(provider.create(props))
    assert outs["created"] is True
    s3.put_object(Bucket=props["name"], Key="a.mp4", Body=b"1")
    provider.delete(props["name"], outs)
    assert not exists(s3, props["name"])


def test_a_bucket_that_another_environment_created_is_not_deleted_by_this_one(
    provider: BucketProvider, props: Props, s3: S3Client
):
    provider.create(props | {"environment": "other"})
    outs = made(provider.create(props))
    assert outs["created"] is False
    provider.delete(props["name"], outs)
    assert exists(s3, props["name"])
    remove_bucket(s3, props["name"])


def test_a_bucket_that_exists_at_a_new_endpoint_is_recorded_as_not_created(
    provider: BucketProvider, props: Props, existing: str
):
    before = props | {"endpoint": "http://gone.invalid:8333", "created": True}
    assert made(provider.update(existing, before, props))["created"] is False


# --- failures -------------------------------------------------------------------------------------------


def test_a_store_that_does_not_respond_is_named(provider: BucketProvider, props: Props):
    (closed,) = free_ports(1)
    with pytest.raises(UnreachableError, match=f"http://127.0.0.1:{closed}"):
        provider.create(props | {"endpoint": f"http://127.0.0.1:{closed}"})


def test_a_wrong_admin_key_is_a_sentence_without_the_secret(
    props: Props, seaweed: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MPR_ADMIN_ACCESS_KEY_ID", "WRONGKEY1234")
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(UsageError) as caught:
        configured(BucketProvider()).create(props)
    assert "does not accept the admin key ...1234" in str(caught.value)
    assert seaweed.endpoint in str(caught.value)
    assert "wrong-secret" not in str(caught.value)
    assert "WRONGKEY1234" not in str(caught.value)


def test_a_read_with_wrong_keys_does_not_take_the_bucket_for_gone(
    provider: BucketProvider, props: Props, monkeypatch: pytest.MonkeyPatch
):
    provider.create(props)
    monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(UsageError, match="does not accept the admin key"):
        provider.read(props["name"], props)
