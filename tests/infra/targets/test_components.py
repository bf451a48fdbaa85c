"""The component resources on each cloud: what they consist of, and their use in another program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws
import pulumi_cloudflare
import pulumi_gcp
import pytest

from infra.component_args import StorageArgs
from infra.components import Storage, _refuse_deletion
from infra.config.load import parse
from infra.env.outputs import IDENTITIES, KEY_SLOTS
from infra.errors import UsageError
from infra.targets.state import State
from tests.doubles.mocks import Deployed, deploy
from tests.doubles.wire import decode, secret_names
from tests.infra._tree import tree
from tests.infra.targets.conftest import Cloud

KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

EVERY_CLOUD = pytest.mark.parametrize("cloud", ["aws", "gcp", "r2"], indirect=True)

#: A line for each resource: type, name, former name (before there were components), and `kept` for what is
#: protected and outlives its stack, `left` for what only outlives it.
TREES = {
    "aws": """
mpr-storage:Storage ENV
  aws mpr-ENV < aws
  mpr-storage:Identity mpr-ENV-app
    User mpr-ENV-app < app
    AccessKey mpr-ENV-app-a < app-a
    UserPolicy mpr-ENV-app-policy < app
  mpr-storage:Bucket mpr-ENV-in
    Bucket mpr-ENV-in < mpr-ENV-in kept
    BucketServerSideEncryptionConfiguration mpr-ENV-in-encryption < mpr-ENV-in kept
    BucketLifecycleConfiguration mpr-ENV-in-lifecycle < mpr-ENV-in kept
    BucketOwnershipControls mpr-ENV-in-ownership < mpr-ENV-in kept
    BucketPolicy mpr-ENV-in-policy < mpr-ENV-in kept
    BucketPublicAccessBlock mpr-ENV-in-public-access-block < mpr-ENV-in kept
    BucketVersioning mpr-ENV-in-versioning < mpr-ENV-in left
  Key mpr-ENV-key < mpr-ENV kept
  mpr-storage:Bucket mpr-ENV-out
    Bucket mpr-ENV-out < mpr-ENV-out kept
    BucketCorsConfiguration mpr-ENV-out-cors < mpr-ENV-out
    BucketServerSideEncryptionConfiguration mpr-ENV-out-encryption < mpr-ENV-out kept
    BucketLifecycleConfiguration mpr-ENV-out-lifecycle < mpr-ENV-out kept
    BucketOwnershipControls mpr-ENV-out-ownership < mpr-ENV-out kept
    BucketPolicy mpr-ENV-out-policy < mpr-ENV-out kept
    BucketPublicAccessBlock mpr-ENV-out-public-access-block < mpr-ENV-out kept
""",
    "gcp": """
mpr-storage:Storage ENV
  gcp mpr-ENV < gcp
  mpr-storage:Identity mpr-ENV-app
    Account mpr-ENV-app < app
    HmacKey mpr-ENV-app-a < app-a
    BucketIAMMember mpr-ENV-app-in < app-in
    BucketIAMMember mpr-ENV-app-out < app-out
  mpr-storage:Bucket mpr-ENV-in
    Bucket mpr-ENV-in < mpr-ENV-in kept
  mpr-storage:Bucket mpr-ENV-out
    Bucket mpr-ENV-out < mpr-ENV-out kept
""",
    "r2": """
mpr-storage:Storage ENV
  cloudflare mpr-ENV < cloudflare
  mpr-storage:Identity mpr-ENV-app
    AccountToken mpr-ENV-app-a < app-a
  mpr-storage:Bucket mpr-ENV-in
    R2Bucket mpr-ENV-in < mpr-ENV-in kept
    R2BucketLifecycle mpr-ENV-in-lifecycle < mpr-ENV-in kept
  mpr-storage:Bucket mpr-ENV-out
    R2Bucket mpr-ENV-out < mpr-ENV-out kept
    R2BucketCors mpr-ENV-out-cors < mpr-ENV-out
    R2BucketLifecycle mpr-ENV-out-lifecycle < mpr-ENV-out kept
""",
}
CORS = {"out": {"corsOrigins": ["https://media.example"]}}


def settings_of(cloud: Cloud) -> dict[str, Any]:
    """Return settings with which the target has every kind of resource."""
    return {"identities": ["app"], "buckets": CORS} | ({"encryption": "kms"} if cloud.target == "aws" else {})


@EVERY_CLOUD
def test_each_resource_is_below_its_purpose_and_has_its_former_name_as_an_alias(cloud: Cloud):
    deployed = cloud.up(**settings_of(cloud))
    assert tree(deployed.monitor.registrations, cloud.environment) == TREES[cloud.target].strip()


@EVERY_CLOUD
def test_a_disposable_environment_protects_nothing(cloud: Cloud):
    deployed = cloud.up(**settings_of(cloud), disposable=True)
    expected = TREES[cloud.target].strip().replace(" kept", "")
    assert tree(deployed.monitor.registrations, cloud.environment) == expected


def test_the_secondary_access_key_of_a_rotation_has_its_former_name_as_an_alias(on_aws: Cloud):
    on_aws.up(identities=["app"])
    deployed = on_aws.up(slots={"app": {"current": "b", "step": "switch"}})
    shown = tree(deployed.monitor.registrations, on_aws.environment)
    assert "    AccessKey mpr-ENV-app-a < app-a\n    AccessKey mpr-ENV-app-b < app-b\n" in shown


def test_a_role_has_its_former_name_as_an_alias(on_aws: Cloud):
    trust = {"principals": ["arn:aws:iam::123456789012:role/batch"]}
    deployed = on_aws.up(identities=["app"], credentials="role", trust=trust)
    shown = tree(deployed.monitor.registrations, on_aws.environment)
    assert "    Role mpr-ENV-app < app\n    RolePolicy mpr-ENV-app-policy < app\n" in shown


@EVERY_CLOUD
def test_every_resource_has_the_explicit_provider(cloud: Cloud):
    deployed = cloud.up(**settings_of(cloud))
    assert {request.provider.rpartition("::")[0].rpartition("::")[2] for request in deployed.requests} == {
        f"mpr-{cloud.environment}"
    }


@EVERY_CLOUD
def test_the_output_identities_has_the_variables_of_every_env_file_in_one_shape(cloud: Cloud):
    deployed = cloud.up(identities=["app", "ingest"])
    assert deployed.exports[IDENTITIES][0] == {"app": cloud.env("app"), "ingest": cloud.env("ingest")}
    secret = {name for name, (_, is_secret) in deployed.nested[IDENTITIES].items() if is_secret}
    assert secret == {f"{identity}.{name}" for identity in ("app", "ingest") for name in KEYS}
    # The names of before stay.
    assert {name: deployed.exports[name][0] for name in cloud.env("app")} == cloud.env("app")
    assert deployed.exports["ingest"][0] == cloud.env("ingest")
    assert deployed.exports.keys() == {*cloud.env("app"), "ingest", IDENTITIES, KEY_SLOTS}


@EVERY_CLOUD
def test_component_resources_register_their_outputs(cloud: Cloud):
    monitor = cloud.up(identities=["app", "viewer"]).monitor
    messages = {
        urn.rpartition("$mpr-storage:index:")[2]: message for urn, message in monitor.registered_outputs.items()
    }
    outputs = {component: decode(message) for component, message in messages.items()}
    names = {role: cloud.bucket(role) for role in ("in", "out")}
    for role, name in names.items():
        assert outputs[f"Bucket::mpr-{cloud.environment}-{role}"] == {"name": name}
    for identity in ("app", "viewer"):
        component = f"Identity::mpr-{cloud.environment}-{identity}"
        assert outputs[component] == {"variables": cloud.env(identity)}
        assert secret_names(messages[component].fields["variables"].struct_value) == KEYS
    assert outputs[f"Storage::{cloud.environment}"] == {
        "inBucket": names["in"],
        "outBucket": names["out"],
        "identities": {"app": cloud.env("app"), "viewer": cloud.env("viewer")},
    }


# --- a new name of a bucket -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("former", "name", "is_kept"),
    [
        ("media", "media", True),
        ("media", "video", False),
        ("mpr-prod-in-1a2b3c4", None, True),
        ("mpr-prod-in", None, True),  # on R2
        ("mpr-prod-in-media", None, False),
        ("media", None, False),
    ],
)
def test_in_a_disposable_environment_a_name_with_which_a_bucket_is_replaced_is_refused(former, name, is_kept):
    buckets = {"in": {"name": name}} if name else {}
    values = {"target": "aws", "region": "eu-west-1", "disposable": True, "buckets": buckets}
    config = parse("prod", values, "here")
    urn = "urn:pulumi:prod::p::mpr-storage:index:Storage$mpr-storage:index:Bucket::mpr-prod-in"
    last = State({urn: {"type": "mpr-storage:index:Bucket", "outputs": {"name": former}}})
    if is_kept:
        _refuse_deletion(config, last)
        return
    with pytest.raises(UsageError, match=f"buckets.in.name: .* the bucket {former} would be deleted"):
        _refuse_deletion(config, last)


# --- in another program -----------------------------------------------------------------------------------

PROVIDERS: dict[str, Callable[[], pulumi.ProviderResource]] = {
    "aws": lambda: pulumi_aws.Provider("theirs", region="eu-west-1"),
    "gcp": lambda: pulumi_gcp.Provider("theirs", project="acme-media", credentials="{}"),
    "r2": lambda: pulumi_cloudflare.Provider("theirs", api_token="t" * 40),
}


def deploy_elsewhere(cloud: Cloud, args: StorageArgs, **options: Any) -> Deployed:
    """Deploy a program of another project that has a `Storage`."""

    def main() -> None:
        storage = Storage(cloud.environment, args, opts=pulumi.ResourceOptions(**options))
        pulumi.export("bucket", storage.in_bucket)
        pulumi.export("environment", storage.identities["app"])

    return deploy(main, [cloud.double], state=cloud.state, project="studio", stack="production")


@EVERY_CLOUD
def test_another_program_uses_the_component_with_its_own_provider(cloud: Cloud, monkeypatch):
    for name in ("GOOGLE_CREDENTIALS", "CLOUDFLARE_API_TOKEN"):
        monkeypatch.setenv(name, "")  # those of the provider count
    args: Any = cloud.values | settings_of(cloud)

    def main() -> None:
        options = pulumi.ResourceOptions(providers=[PROVIDERS[cloud.target]()])
        storage = Storage(cloud.environment, args, opts=options)
        pulumi.export("bucket", storage.in_bucket)
        pulumi.export("variables", storage.identities["app"])

    deployed = deploy(main, [cloud.double], state=cloud.state, project="studio", stack="production")
    assert {request.provider.rpartition("::")[0].rpartition("::")[2] for request in deployed.requests} == {
        "theirs"
    }
    registered = [request.name for request in deployed.monitor.registrations.values()]
    assert f"mpr-{cloud.environment}" not in registered
    variables, is_secret = deployed.exports["variables"]
    assert is_secret
    assert variables["S3_BUCKET_IN"] == deployed.exports["bucket"][0]
    assert list(cloud.folder.iterdir()) == [], "env files are for the program of this project"


def test_settings_of_another_program_that_are_wrong_are_refused_by_their_names(on_aws: Cloud):
    args: Any = {"target": "aws", "regoin": "eu-west-1"}
    with pytest.raises(Exception, match=r"regoin: unknown key, did you mean region\?"):
        deploy_elsewhere(on_aws, args)
    assert on_aws.state == {}


def test_resources_of_another_program_have_no_former_name_in_its_project(on_aws: Cloud):
    """An alias there would take over a resource of the program that is called `app`, as many are."""
    deployed = deploy_elsewhere(on_aws, {"target": "aws", "region": "eu-west-1"})
    requests = deployed.monitor.registrations.values()
    former = [alias.spec for request in requests for alias in request.aliases if alias.spec.name]
    assert former
    assert {alias.project for alias in former} == {"mpr-storage"}


def test_protect_of_another_program_holds_for_every_resource(on_aws: Cloud):
    args: StorageArgs = {"target": "aws", "region": "eu-west-1", "disposable": True}
    deployed = deploy_elsewhere(on_aws, args, protect=True)
    assert all(request.protect for request in deployed.requests)


def test_two_storages_of_one_program_share_its_provider(on_aws: Cloud):
    args: StorageArgs = {"target": "aws", "region": "eu-west-1"}

    def main() -> None:
        options = pulumi.ResourceOptions(providers=[PROVIDERS["aws"]()])
        for name in ("one", "two"):
            Storage(name, args, opts=options)

    deployed = deploy(main, [on_aws.double], state=on_aws.state, project="studio", stack="production")
    assert {("User", "mpr-one-app"), ("User", "mpr-two-app")} <= deployed.resources()
