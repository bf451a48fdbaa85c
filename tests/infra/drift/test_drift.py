"""Every setting, changed by hand, is the only difference and is repaired: on real stores, without the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.storage.settings import Settings, read_env_file
from infra import cli
from infra.env import files
from infra.env.key_info import KeyInfo
from infra.policies import Policy
from tests.infra.conftest import fresh, remove_bucket
from tests.infra.drift.conftest import ORIGIN, Drifting

Sides = tuple[str, str, str, str]
Changes = dict[str, tuple[Callable[[Drifting], None], list[Sides]]]

IN, APP, VIEWER = "bucket ENV-in", "identity mpr-ENV-app", "identity mpr-ENV-viewer"


def without(name: str) -> Callable[[Drifting], None]:
    return lambda drifting: drifting.put_rules(*[rule for rule in drifting.rules() if rule["ID"] != name])


def altered(name: str, **changes: Any) -> Callable[[Drifting], None]:
    return lambda drifting: drifting.put_rules(
        *[rule | changes if rule["ID"] == name else rule for rule in drifting.rules()]
    )


def suspend(drifting: Drifting) -> None:
    drifting.s3.put_bucket_versioning(Bucket=drifting.bucket, VersioningConfiguration={"Status": "Suspended"})


def cors(drifting: Drifting, **changes: Any) -> None:
    rules = drifting.s3.get_bucket_cors(Bucket=drifting.bucket)["CORSRules"]
    drifting.s3.put_bucket_cors(
        Bucket=drifting.bucket, CORSConfiguration={"CORSRules": [rule | changes for rule in rules]}
    )


def policy(drifting: Drifting, change: Callable[[Policy], object]) -> None:
    document: Any = drifting.manager.read_identity(drifting.environment.store, drifting.user("viewer"))
    change(document)
    drifting.put_policy(document)


def objects_of_in(document: Policy) -> dict[str, Any]:
    """Return the statement about the objects of the in bucket."""
    return next(statement for statement in document["Statement"] if "in/*" in str(statement["Resource"]))


def add_put(document: Policy) -> None:
    objects_of_in(document)["Action"] = ["s3:GetObject", "s3:PutObject"]


def delete_key(drifting: Drifting) -> None:
    drifting.manager.delete_key(drifting.environment.store, drifting.user(), drifting.key().access_key_id)


def deactivate_key(drifting: Drifting) -> None:
    drifting.manager.set_active(
        drifting.environment.store, drifting.user(), drifting.key().access_key_id, active=False
    )


#: What each store keeps in its own way: filters of lifecycle rules, policies, identities and access keys.
ON_EACH_STORE: Changes = {
    "noncurrent rule narrowed": (
        altered("mpr-noncurrent", Filter={"Prefix": "cache/"}),
        [(IN, "noncurrentDays", "3 days", "a rule changed by hand")],
    ),
    "expiry of everything": (
        altered("mpr-expire-cache/", Filter={"Prefix": ""}),
        [(IN, "expire", "cache/ after 5 days", "everything after 5 days")],
    ),
    "a right too many": (
        lambda drifting: policy(drifting, add_put),
        [(VIEWER, "policy", "absent", "Allow s3:PutObject on arn:aws:s3:::ENV-in/*")],
    ),
    "an identity deleted": (
        lambda drifting: drifting.manager.delete_identity(drifting.environment.store, drifting.user()),
        [(APP, "identity", "present", "missing")],
    ),
    "a key deleted": (delete_key, [(APP, "key in slot a", "KEY, active", "gone from the store")]),
    "a key deactivated": (deactivate_key, [(APP, "key in slot a", "KEY, active", "KEY, inactive")]),
}

ON_SEAWEED: Changes = {
    "a bucket deleted": (
        lambda drifting: remove_bucket(drifting.s3, drifting.bucket),
        [(IN, "bucket", "present", "missing")],
    ),
    "versioning suspended": (suspend, [(IN, "versioning", "on", "off")]),
    "an env file lost": (
        lambda drifting: drifting.environment.file("viewer").unlink(),
        [("env file ENV.viewer.env", "file", "as deployed", "missing")],
    ),
    "abort rule deleted": (
        without("mpr-abort-multipart"),
        [(IN, "abortMultipartDays", "4 days", "not set")],
    ),
    "abort rule changed": (
        altered("mpr-abort-multipart", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}),
        [(IN, "abortMultipartDays", "4 days", "1 day")],
    ),
    "CORS deleted": (
        lambda drifting: drifting.s3.delete_bucket_cors(Bucket=drifting.bucket),
        [(IN, "corsOrigins", ORIGIN, "not set")],
    ),
    "CORS for every origin": (
        lambda drifting: cors(drifting, AllowedOrigins=["*"]),
        [(IN, "corsOrigins", ORIGIN, "*")],
    ),
    "CORS for deletions": (
        lambda drifting: cors(drifting, AllowedMethods=["GET", "HEAD", "PUT", "DELETE"]),
        [(IN, "corsOrigins", ORIGIN, f"(changed by hand), {ORIGIN}")],
    ),
    "noncurrent rule deleted": (without("mpr-noncurrent"), [(IN, "noncurrentDays", "3 days", "not set")]),
    "noncurrent rule changed": (
        altered("mpr-noncurrent", NoncurrentVersionExpiration={"NoncurrentDays": 9}),
        [(IN, "noncurrentDays", "3 days", "9 days")],
    ),
    "noncurrent rule disabled": (
        altered("mpr-noncurrent", Status="Disabled"),
        [(IN, "noncurrentDays", "3 days", "not set")],
    ),
    "expiry deleted": (without("mpr-expire-cache/"), [(IN, "expire", "cache/ after 5 days", "not set")]),
    "expiry changed": (
        altered("mpr-expire-cache/", Expiration={"Days": 1}),
        [(IN, "expire", "cache/ after 5 days", "cache/ after 1 day")],
    ),
    "a right too few": (
        lambda drifting: policy(drifting, lambda document: document["Statement"].remove(objects_of_in(document))),
        [(VIEWER, "policy", "Allow s3:GetObject on arn:aws:s3:::ENV-in/*", "absent")],
    ),
}


#: One change of each kind stays in `make test`.
SMOKE = {"noncurrent rule changed", "a right too many", "a key deleted", "an env file lost", "CORS deleted"}


def changes(of: Changes) -> list[Any]:
    return [pytest.param(name, marks=() if name in SMOKE else pytest.mark.flow) for name in of]


def test_a_new_deployment_has_no_drift_and_is_not_changed(deployed: Drifting):
    before = deployed.everything()
    assert deployed.differences() == []
    code, out, err = deployed.run()
    assert (code, out) == (0, f"{deployed.environment.name} has no drift\n")
    assert ("not supported by MinIO" in err) is (deployed.environment.server.credentials == "minio")
    assert deployed.everything() == before


def _found_and_repaired(deployed: Drifting, change: Callable[[Drifting], None], expected: list[Sides]) -> None:
    key = f"...{deployed.key().access_key_id[-4:]}"
    change(deployed)
    before = deployed.everything()
    differences = deployed.differences()
    sides = [
        tuple(text.replace(f"{deployed.environment.folder}/", "").replace(key, "KEY") for text in side)
        for side in deployed.sides_of(differences)
    ]
    assert sides == expected
    assert {difference["repair"] for difference in differences} == {
        f"python -m infra init {deployed.environment.name}"
    }
    assert deployed.everything() == before
    deployed.environment.values["disposable"] = True  # access keys that no env file holds are deleted
    deployed.environment.initialise()
    assert deployed.differences() == []


@pytest.mark.parametrize("name", changes(ON_EACH_STORE))
def test_a_change_by_hand_is_the_only_difference_and_init_repairs_it(deployed: Drifting, name):
    _found_and_repaired(deployed, *ON_EACH_STORE[name])


@pytest.mark.parametrize("name", changes(ON_SEAWEED))
def test_a_change_on_seaweedfs_is_the_only_difference_and_init_repairs_it(on_seaweed: Drifting, name):
    _found_and_repaired(on_seaweed, *ON_SEAWEED[name])


def test_an_access_key_made_by_hand_is_reported(deployed: Drifting):
    key = deployed.manager.create_key(deployed.environment.store, deployed.user())
    deployed.secrets |= {key.access_key_id, key.secret_access_key}
    actual = f"...{key.access_key_id[-4:]}, active, unknown here"
    assert deployed.sides() == [(APP, "key in no slot", "none", actual)]
    assert "find out which program uses it" in deployed.differences()[0]["repair"]
    deployed.manager.delete_key(deployed.environment.store, deployed.user(), key.access_key_id)
    assert deployed.differences() == []


class TestOnSeaweed:
    """Tests that do not depend on the store, or that only SeaweedFS can run."""

    @pytest.fixture
    def deployed(self, on_seaweed: Drifting) -> Drifting:
        return on_seaweed

    def test_a_second_policy_is_reported(self, deployed: Drifting):
        more = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [more]})
        deployed.iam.put_user_policy(UserName=deployed.user("viewer"), PolicyName="mine", PolicyDocument=document)
        assert deployed.sides() == [(VIEWER, "rights", "only the policy", "inline policy mine")]
        deployed.iam.delete_user_policy(UserName=deployed.user("viewer"), PolicyName="mine")
        assert deployed.differences() == []

    def test_an_env_file_edited_by_hand_is_reported(self, deployed: Drifting):
        file = deployed.environment.file("viewer")
        file.write_text(file.read_text().replace("us-east-1", "us-east-9"))
        (difference,) = deployed.differences()
        assert (difference["property"], difference["actual"]) == (
            "AWS_REGION, AWS_DEFAULT_REGION",
            "edited by hand",
        )
        assert difference["repair"] == f"move it away, then python -m infra init {deployed.environment.name}"

    def test_an_env_file_of_an_earlier_configuration_is_reported(self, deployed: Drifting):
        deployed.environment.values["publicEndpoint"] = "https://media.example.com"
        deployed.environment.save()
        differences = [(difference["property"], difference["actual"]) for difference in deployed.differences()]
        assert differences == [("S3_PUBLIC_ENDPOINT_URL", "different")] * 2

    def test_a_key_that_the_store_refuses_is_reported(self, deployed: Drifting):
        file, keys = deployed.environment.file("viewer"), deployed.key("viewer")
        settings = Settings.from_env(read_env_file(file))
        wrong = replace(settings, secret_access_key="w" * 40)
        file.write_text(files.render(wrong, deployed.environment.name, "viewer", KeyInfo()))
        sides = deployed.sides()
        assert [side[1:] for side in sides] == [
            ("key", "one that the store accepts", f"{keys.masked}, which it refuses"),
        ]

    @pytest.mark.flow
    @pytest.mark.parametrize("step", ["start", "switch", "retire"])
    def test_a_rotation_under_way_is_no_difference_once_it_is_deployed(self, deployed: Drifting, step):
        slots = {"current": "a" if step == "start" else "b", "step": step}
        deployed.environment.values.update(slots={"app": {"current": "a", "step": "start"}})
        deployed.environment.save()
        assert [side[1:] for side in deployed.sides()] == [("file", "with the key of slot b", "missing")]
        deployed.environment.initialise()
        assert deployed.differences() == []
        deployed.environment.values.update(slots={"app": slots})
        deployed.environment.save()
        deployed.environment.initialise()
        assert deployed.differences() == []

    def test_an_active_key_that_must_be_inactive_is_reported(self, deployed: Drifting):
        for slots in ({"current": "a", "step": "start"}, {"current": "b", "step": "retire"}):
            deployed.environment.values.update(slots={"app": slots})
            deployed.environment.save()
            deployed.environment.initialise()
        old = files.access_key(files.slot_file(deployed.environment.file("app"), "a"))
        assert old
        deployed.manager.set_active(deployed.environment.store, deployed.user(), old.access_key_id, active=True)
        assert deployed.sides() == [(APP, "key in slot a", f"{old.masked}, inactive", f"{old.masked}, active")]
        deployed.environment.initialise()
        assert deployed.differences() == []

    @pytest.mark.flow
    def test_rotation_steps_that_are_configured_and_not_deployed_are_reported(self, deployed: Drifting):
        for slots, expected in (
            ({"current": "a", "step": "start"}, ("file", "with the key of slot b", "missing")),
            ({"current": "b", "step": "switch"}, ("key", "that of slot b", "that of slot a")),
            ({"current": "b"}, ("key in slot a", "none", "KEY, active")),
        ):
            deployed.environment.values.update(slots={"app": slots})
            deployed.environment.save()
            old = files.access_key(files.slot_file(deployed.environment.file("app"), "a"))
            masked = old.masked if old else ""
            assert [side[1:] for side in deployed.sides()] == [
                tuple(text.replace("KEY", masked) for text in expected)
            ]
            deployed.environment.initialise()
            assert deployed.differences() == []

    def test_a_key_that_was_replaced_on_another_machine_is_reported(self, deployed: Drifting):
        """The env file of this machine holds the old key: the new one is in no file here."""
        delete_key(deployed)
        key = deployed.manager.create_key(deployed.environment.store, deployed.user())
        deployed.secrets.add(key.secret_access_key)
        assert [side[1] for side in deployed.sides()] == ["key in slot a", "key in no slot"]

    def test_with_externally_managed_keys_the_rest_is_compared(self, deployed: Drifting, monkeypatch):
        keys = deployed.key()
        monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
        monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
        monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", keys.access_key_id)
        monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", keys.secret_access_key)
        monkeypatch.setitem(deployed.environment.values, "credentials", "static")
        monkeypatch.setitem(deployed.environment.values, "identities", ["app"])
        deployed.environment.save()
        code, out, err = deployed.run()
        assert (code, out) == (0, f"{deployed.environment.name} has no drift\n")
        assert f"the key {keys.masked} may not read its settings, so they were not compared" in err
        monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", "w" * 40)
        assert deployed.run()[0] == 2

    def test_each_difference_is_a_line_without_a_terminal(self, deployed: Drifting):
        suspend(deployed)
        code, out, err = deployed.run()
        name = deployed.environment.name
        line = f"bucket {name}-in: versioning: wanted on, is off; repair: python -m infra init {name}\n"
        assert (code, out) == (1, line)
        assert f"1 difference in environment {name}" in err

    def test_differences_are_a_table_of_80_columns_on_a_terminal(self, deployed: Drifting, monkeypatch):
        suspend(deployed)
        policy(deployed, add_put)
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "80")
        code, out, _ = deployed.run()
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in out.splitlines()]
        assert code == 1
        assert max(map(len, lines)) <= 80
        assert {"wanted", "is", "repair", "versioning", "off"} <= set(re.findall(r"\w+", "\n".join(lines)))

    def test_an_environment_that_was_never_deployed_is_reported_with_the_commands_that_deploy_it(
        self, deployed: Drifting
    ):
        name = fresh("never")
        buckets = {role: {"name": f"{name}-{role}"} for role in ("in", "out")}
        replace(deployed.environment, name=name, values=deployed.environment.values | {"buckets": buckets}).save()
        assert cli.run(["drift", name]) == 1
        output = deployed.capsys.readouterr()
        assert output.out == ""
        either = f"`python -m infra init {name}` or `pulumi up -s {name}`"
        assert f"{name} is not deployed; {either} deploys it" in output.err

    def test_a_store_that_cannot_be_reached_has_exit_code_3(self, deployed: Drifting, refusing):
        replace(deployed.environment, values=deployed.environment.values | {"endpoint": refusing}).save()
        code, out, err = deployed.run()
        assert (code, out) == (3, "")
        assert "cannot reach the store" in err

    def test_an_unknown_environment_and_missing_admin_keys_have_exit_code_2(self, deployed: Drifting, monkeypatch):
        assert cli.run(["drift", "nowhere"]) == 2
        monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
        monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
        code, _, err = deployed.run()
        assert code == 2
        assert "no admin keys" in err

    def test_drift_of_a_cloud_without_pulumi_has_exit_code_3(self, deployed: Drifting):
        replace(deployed.environment, values={"target": "aws", "region": "eu-west-1"}).save()
        code, _, err = deployed.run()
        assert code == 3
        assert "the deployed stack cannot be read without Pulumi: https://" in err
