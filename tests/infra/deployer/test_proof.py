"""The generated policy is enough for a whole life of the environment, and none of it can be spared."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import program
from infra.config import naming, stack_files
from infra.config.environment import EnvironmentConfig
from infra.config.identities import ROLES
from infra.config.load import parse
from infra.deployer.actions import ACTIONS, EMPTY_BUCKET
from infra.deployer.policy import Resource, policy
from infra.deployer.record import resources
from tests.doubles import aws as double
from tests.doubles.fixtures import Account, aws, aws_server
from tests.doubles.handler import Refused, autoname
from tests.doubles.iam import Access, Principal, refusal
from tests.doubles.mocks import State, deploy
from tests.infra.conftest import ALL

__all__ = ["aws", "aws_server"]

CORS = {"in": {"corsOrigins": ["https://media.example"]}}
BASE: dict[str, Any] = {"target": "aws", "region": "eu-west-1"}
#: Environments of every shape that the program can have.
SHAPES: dict[str, dict[str, Any]] = {
    "plain": BASE,
    "users": {**BASE, "disposable": True, "encryption": "kms", "tags": {"team": "media"}},
    "roles": {
        **BASE,
        "credentials": "role",
        "trust": {"github": ["acme/media:environment:production"]},
        "tags": {"team": "media"},
    },
    "bounded": {**BASE, "permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary"},
}


def parsed(environment: str, values: dict[str, Any]) -> EnvironmentConfig:
    return parse(environment, values, "test")


def live(aws: Account, environment: str, values: dict[str, Any]) -> None:
    """Preview, deploy, refresh, change, write an object, and destroy what may be destroyed."""
    state = State()

    def up(changes: dict[str, Any], *, preview: bool = False) -> Any:
        config = {f"mpr-storage:{name}": value for name, value in (values | changes).items()}
        return deploy(
            program.main, [double.DOUBLE], state=state, config=config, stack=environment, preview=preview
        )

    up({}, preview=True)
    up({})
    changes: dict[str, Any] = {"buckets": CORS}
    if "tags" in values:
        changes["tags"] = values["tags"] | {"team": "video"}
    if "trust" in values:
        changes["trust"] = {"github": ["acme/media:environment:other"]}
    if values.get("credentials") != "role":
        up(changes | {"slots": {"app": {"current": "b", "step": "switch"}}})
        up(changes | {"slots": {"app": {"current": "b", "step": "retire"}}})
    connected = up(changes).monitor
    connected.refresh()
    if "tags" in values:
        up(changes | {"tags": {"only": "one"}})
    if values.get("disposable"):
        fill(aws, state)
        connected.destroy()
        return
    for urn, entry in reversed(list(state.items())):  # identities come and go while the buckets stay
        if ":iam/" in urn:
            connected._connected_for(entry).delete(entry.token, entry.identifier, entry.outputs)


def fill(aws: Account, state: State) -> None:
    """The buckets with an object each, and with a deleted one: in a bucket with versions that leaves two more."""
    buckets = [entry.outputs["bucket"] for entry in state.values() if entry.token == "aws:s3/bucket:Bucket"]
    assert buckets
    for name in buckets:
        for key in ("left", "deleted"):
            aws.s3.put_object(Bucket=name, Key=key, Body=b"x")
        aws.s3.delete_object(Bucket=name, Key="deleted")


def as_deployer(account: Account, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    account.user(f"deployer-{secrets.token_hex(4)}", *document["Statement"]).use(monkeypatch)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", folder)


#: `make test` runs the first one, `make test-all` every shape and every action.
FLOWS = [pytest.param(shape, marks=pytest.mark.flow) if shape != "plain" else shape for shape in SHAPES]


@pytest.mark.parametrize("shape", FLOWS)
def test_the_generated_policy_allows_every_operation_on_an_environment(shape, aws: Account, monkeypatch, tmp_path):
    values = SHAPES[shape]
    if "permissionsBoundary" in values:
        values = values | {"permissionsBoundary": boundary(aws)}
    document = policy(
        parsed("prod", {**values, "buckets": CORS}), resources(parsed("prod", {**values, "buckets": CORS}))
    )
    as_deployer(aws, document, monkeypatch, tmp_path)
    live(aws, "prod", values)


def boundary(aws: Account) -> str:
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    return str(aws.iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"])


def needed(shape: str) -> list[tuple[str, str]]:
    config = parsed("prod", {**SHAPES[shape], "buckets": CORS})
    document = policy(config, resources(config))
    return sorted({(shape, action) for one in document["Statement"] for action in one["Action"]})


@pytest.mark.flow
@pytest.mark.parametrize(("shape", "action"), [*needed("users"), *needed("roles")])
def test_without_one_action_of_the_generated_policy_the_life_of_an_environment_fails(
    shape, action, aws: Account, monkeypatch, tmp_path
):
    values = SHAPES[shape]
    config = parsed("prod", {**values, "buckets": CORS})
    document = policy(config, resources(config))
    for one in document["Statement"]:
        one["Action"] = [name for name in one["Action"] if name != action]
    document["Statement"] = [one for one in document["Statement"] if one["Action"]]
    as_deployer(aws, document, monkeypatch, tmp_path)
    with pytest.raises(Exception, match=r"AccessDenied|not authorized|Forbidden|403|invalid or have expired"):
        live(aws, "prod", values)


def test_the_generated_policy_allows_nothing_on_other_buckets_and_users(aws: Account, monkeypatch, tmp_path):
    values = SHAPES["users"]
    config = parsed("prod", {**values, "buckets": CORS})
    document = policy(config, resources(config), aws.id)
    aws.iam.create_user(UserName="unrelated")
    aws.s3.create_bucket(Bucket=f"other-{aws.id}", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    seen = aws.user("deployer", *document["Statement"])
    attempts = [
        lambda: seen.s3.list_objects_v2(Bucket=f"other-{aws.id}"),
        lambda: seen.s3.delete_bucket(Bucket=f"other-{aws.id}"),
        lambda: seen.iam.create_access_key(UserName="unrelated"),
        lambda: seen.iam.create_user(UserName="mpr-staging-app"),
        lambda: seen.iam.put_user_policy(UserName="deployer", PolicyName="more", PolicyDocument="{}"),
        lambda: seen.iam.attach_user_policy(
            UserName="mpr-prod-app", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
    ]
    for attempt in attempts:
        with pytest.raises(seen.iam.exceptions.ClientError, match=r"AccessDenied|Forbidden"):
            attempt()


def test_the_policy_of_one_environment_does_not_allow_deploying_another(aws: Account, monkeypatch, tmp_path):
    config = parsed("prod", SHAPES["users"])
    as_deployer(aws, policy(config, resources(config)), monkeypatch, tmp_path)
    with pytest.raises(Refused, match=r"AccessDenied|not authorized"):
        live(aws, "staging", SHAPES["users"])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("other", ["prod-in", "prod-out", "prod-app", "prod-in-in", "prod1", "pro"])
def test_the_policy_allows_nothing_on_the_resources_of_an_environment_with_a_similar_name(shape, other):
    allowed = _allowed_on(policy(*_recorded("prod", shape), "123456789012"))
    kinds = {"bucket", "role" if SHAPES[shape].get("credentials") == "role" else "user"}
    assert all(allowed(kind, arn) for kind, arn in _deployed_arns("prod") if kind in kinds)
    assert [arn for kind, arn in _deployed_arns(other) if allowed(kind, arn)] == []


def _recorded(environment: str, shape: str) -> tuple[EnvironmentConfig, list[Resource]]:
    config = parsed(environment, {**SHAPES[shape], "identities": list(ALL), "buckets": CORS})
    return config, resources(config)


def _deployed_arns(environment: str) -> Iterator[tuple[str, str]]:
    """The ARNs of an environment, with the names that the double generates."""
    for role in ROLES:
        yield "bucket", f"arn:aws:s3:::{autoname(naming.bucket(environment, role))}"
    for kind in ("user", "role"):
        for name in ALL:
            yield kind, f"arn:aws:iam::123456789012:{kind}/{naming.identity(environment, name)}"


def _allowed_on(document: dict[str, Any]) -> Callable[[str, str], bool]:
    """Whether a policy allows any action on a resource of a kind, or on what is in it."""
    account = "123456789012"
    deployer = Principal(f"arn:aws:iam::{account}:user/deployer", account, (document,))
    context = {"iam:permissionsboundary": (str(SHAPES["bounded"]["permissionsBoundary"]),)}

    def allowed(kind: str, arn: str) -> bool:
        actions = {name for row in ACTIONS.values() if row.on == kind for name in (*row.deploy, *row.delete)}
        accesses = [Access(name, arn, context, account) for name in actions]
        if kind == "bucket":
            accesses += [Access(name, f"{arn}/chunks/a.mp4", {}, account) for name in EMPTY_BUCKET]
        return any(refusal(deployer, access) is None for access in accesses)

    return allowed


def test_without_a_disposable_environment_no_bucket_can_be_deleted():
    config = parsed("prod", SHAPES["users"] | {"disposable": False})
    document = policy(config, resources(config))
    names = {action for one in document["Statement"] for action in one["Action"]}
    assert not {name for name in names if name.startswith("s3:Delete")}
