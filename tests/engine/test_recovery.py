"""Check docs/how-to/recovery.md: cause each loss, then run the commands that repair it."""

from __future__ import annotations

import json
import sys

import pytest

from infra.stores.access_key import AccessKey
from infra.stores.keys import is_accepted
from infra.stores.store import Store
from tests.doubles.fixtures import Account
from tests.engine.clouds import TARGETS, Make, works
from tests.engine.support import Project, Stack


def keys(stack: Stack, identity: str = "app") -> AccessKey:
    found = stack.env(identity)
    return AccessKey(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])


def lose_state(stack: Stack) -> None:
    stack.do("stack", "rm", "--force", "--yes", "--preserve-config")
    stack.project.create(stack)


def test_after_a_lost_state_on_a_store_an_update_adopts_everything_and_keys_rotate(project: Project):
    stack = project.stack("lost", {"identities": ["app", "viewer"]})
    stack.up()
    store = Store(project.store.endpoint, project.store.region, AccessKey("", ""))
    project.s3.put_object(Bucket=stack.bucket("in"), Key="precious.mp4", Body=b"x")
    old = keys(stack)
    lose_state(stack)
    stack.up()
    assert keys(stack) == old
    stack.do("preview", "--expect-no-changes")
    command = [sys.executable, "-m", "infra", "rotate", stack.name, "--to", "finish", "--soak", "0"]
    done = project.run(command, stack.admin)
    assert done.ok, done.output
    assert not is_accepted(store, old)
    assert is_accepted(store, keys(stack))
    assert len(stack.key_ids()) == len(stack.key_ids("viewer")) == 1
    project.s3.head_object(Bucket=stack.bucket("in"), Key="precious.mp4")


@pytest.mark.parametrize("target", TARGETS)
def test_after_a_lost_state_in_a_cloud_buckets_and_identities_are_adopted_by_name(
    target, make: Make, account: Account, tmp_path
):
    names = {role: f"lost-{account.id}-{target}-{role}" for role in ("in", "out")}
    buckets = {role: {"name": name} for role, name in names.items()}
    stack = make(target, f"{target}-lost", buckets=buckets)
    stack.up()
    stack.s3.put_object(Bucket=names["in"], Key="precious.mp4", Body=b"x")
    old = stack.settings()
    lose_state(stack)
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "set `mpr-storage:adopt: true`" in refused.output
    adopting = {"adopt": True} | ({} if target == "r2" else {"adoptIdentities": True})
    stack.configure(**adopting)
    stack.up()
    stack.learn_secrets()
    works(stack, tmp_path)
    assert stack.settings().access_key_id != old.access_key_id
    stack.s3.head_object(Bucket=names["in"], Key="precious.mp4")
    stack.do("preview", "--expect-no-changes")


def test_a_deleted_bucket_is_created_again_by_up_with_refresh(project: Project):
    stack = project.stack("lostbucket", {"disposable": True})
    stack.up()
    project.s3.delete_bucket(Bucket=stack.bucket("out"))
    stack.up("--refresh")
    project.s3.head_bucket(Bucket=stack.bucket("out"))
    stack.do("preview", "--expect-no-changes")


def test_an_update_with_a_revoked_admin_key_is_refused_and_a_new_key_completes_it(project: Project):
    stack = project.stack("revoked", {"disposable": True})
    everything = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    project.iam.create_user(UserName="second-admin")
    project.iam.put_user_policy(
        UserName="second-admin",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )

    def become_admin() -> str:
        made = project.iam.create_access_key(UserName="second-admin")["AccessKey"]
        project.secrets.add(made["SecretAccessKey"])
        stack.admin |= {
            "MPR_ADMIN_ACCESS_KEY_ID": made["AccessKeyId"],
            "MPR_ADMIN_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        }
        return made["AccessKeyId"]

    first = become_admin()
    stack.up()
    project.iam.delete_access_key(UserName="second-admin", AccessKeyId=first)
    stack.configure(buckets={role: {"name": stack.bucket(role), "versioning": True} for role in ("in", "out")})
    refused = stack.run("up", "--yes", "--skip-preview")
    assert not refused.ok
    assert "does not accept the admin key" in refused.output
    become_admin()
    stack.up()
    assert project.s3.get_bucket_versioning(Bucket=stack.bucket("in"))["Status"] == "Enabled"
