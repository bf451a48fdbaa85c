"""The Pulumi program under Pulumi's mocks, where the mock runs our real providers on a real store."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pulumi
import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from core.storage.settings import Settings, read_env_file, variables
from infra import program
from infra.components import Storage
from infra.config import stack_files
from infra.config.identities import ROLES
from infra.env import files
from infra.env.outputs import IDENTITIES, KEY_SLOTS
from infra.stores.keys import identity_manager
from infra.stores.settings import ATTRIBUTES
from infra.stores.store import Store as StoreConnection
from tests.botocore_models import share_models
from tests.conftest import Store, free_ports
from tests.doubles.mocks import resolved
from tests.infra._tree import tree
from tests.infra.conftest import ALL, admin_variables, remove_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Values = dict[str, object]

CHECKSUMS = {"AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"}
ENDPOINT = {"S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"}
REGION = {"AWS_REGION", "AWS_DEFAULT_REGION"}
KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
BUCKETS = {"S3_BUCKET_IN", "S3_BUCKET_OUT"}


class RealDeployment(pulumi.runtime.Mocks):
    """What the engine does, in this process: the provider in the inputs is configured, and checks and creates."""

    def __init__(self, values: Mapping[str, str], state: dict[str, Any], *, preview: bool) -> None:
        self.values = values
        self.state = state
        self.preview = preview

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"the program calls no function, but called {args.token}")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = dict(args.inputs)
        provider = pickle.loads(base64.b64decode(inputs.pop("__provider")))  # noqa: S301  # from this process
        provider.configure(ConfigureRequest(Config(dict(self.values), "mpr-storage")))
        checked = provider.check({}, inputs)
        assert not checked.failures
        there = f"{args.typ} {args.name}"
        if self.preview:  # what is computed is known from the last update, or unknown
            known = {name: value for name, value in checked.inputs.items() if value is not None}
            return "", self.state.get(there, {}) | known
        result = provider.create(checked.inputs)
        self.state[there] = result.outs
        return result.id, result.outs


class Monitor(MockMonitor):
    """Keeps the requests too: what a resource is protected from does not reach the mocks."""

    def __init__(self, mocks: RealDeployment) -> None:
        super().__init__(mocks)
        self.requests: list[Any] = []
        #: By URN, those for component resources, too.
        self.registrations: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # gRPC's name
        urn = self.make_urn(request.parent, request.type, request.name)
        self.registrations[urn] = request
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        self.requests.append(request)
        # Pulumi's mock gives each of its threads an event loop, and closes none.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return super().RegisterResource(request)
        finally:
            asyncio.set_event_loop(None)
            loop.close()


@dataclass
class Deployed:
    """What a run of the program came to."""

    monitor: Monitor
    #: Each export: its value, and whether it is secret.
    exports: dict[str, tuple[Any, bool]] = field(default_factory=dict)
    #: The same for the leaves of exports that are mappings.
    nested: dict[str, dict[str, tuple[Any, bool]]] = field(default_factory=dict)
    #: What the stack says of the key of each identity.
    slots: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: The variables of every identity, in one shape.
    identities: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def requests(self) -> list[Any]:
        """Every request for a resource that a provider creates."""
        return self.monitor.requests

    def resources(self) -> set[tuple[str, str]]:
        prefix = "pulumi-python:dynamic/storage:"
        return {(one.type.removeprefix(prefix), one.name) for one in self.requests}

    def only(self, kind: str) -> list[Any]:
        return [one for one in self.requests if one.type.endswith(f":{kind}")]


class Project:
    """A project folder of its own, in which the program runs for one environment."""

    def __init__(self, folder: Path, environment: str) -> None:
        self.folder = folder
        self.environment = environment
        self.environments = folder / "environments"
        self.environments.mkdir()
        self.state: dict[str, Any] = {}

    def env_file(self, identity: str = "app") -> Path:
        return files.path(self.environment, identity)

    def deploy(
        self, values: Values, *, preview: bool = False, main: Callable[[], None] = program.main
    ) -> Deployed:
        # As the engine hands configuration over: all text, structures as JSON.
        texts = {
            f"mpr-storage:{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
        }
        monitor = Monitor(RealDeployment(texts, self.state, preview=preview))
        return asyncio.run(self._deploy(monitor, texts, main, preview=preview))

    async def _deploy(
        self, monitor: Monitor, texts: dict[str, str], main: Callable[[], None], *, preview: bool
    ) -> Deployed:
        pulumi.runtime.settings.reset_options()
        pulumi.runtime.set_mocks(
            monitor.mocks,
            project="mpr-storage",
            stack=self.environment,
            preview=preview,
            monitor=monitor,
            logger=logging.getLogger("engine"),
        )
        pulumi.runtime.set_all_config(texts)
        await run_pulumi_func(main)
        deployed = Deployed(monitor)
        outputs = pulumi.runtime.get_root_resource().outputs  # type: ignore[union-attr]
        for name, value in outputs.items():
            if name in {KEY_SLOTS, IDENTITIES}:
                setattr(deployed, {KEY_SLOTS: "slots", IDENTITIES: "identities"}[name], (await resolved(value))[0])
                continue
            deployed.exports[name] = await resolved(value)
            if isinstance(value, dict):
                deployed.nested[name] = {key: await resolved(one) for key, one in value.items()}
        return deployed


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path, f"t{uuid4().hex[:8]}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", made.environments)
    interrupt = signal.getsignal(signal.SIGINT)
    yield made
    signal.signal(signal.SIGINT, interrupt)
    pulumi.runtime.settings.reset_options()


@pytest.fixture
def values(seaweed_store: StoreConnection, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Values]:
    """The required settings alone. Buckets and users of the environment are removed after the test."""
    for name, value in admin_variables(seaweed_store).items():
        monkeypatch.setenv(name, value)
    yield {
        "target": "s3-compatible",
        "endpoint": seaweed_store.endpoint,
        "buckets": {"in": {"name": f"{project.environment}-in"}, "out": {"name": f"{project.environment}-out"}},
    }
    for identity in ALL:
        identity_manager("iam", {}).delete_identity(seaweed_store, f"mpr-{project.environment}-{identity}")
    for role in ROLES:
        remove_bucket(seaweed_store.s3, f"{project.environment}-{role}")


@pytest.fixture(scope="module")
def s3(seaweed_store: StoreConnection) -> S3Client:
    return seaweed_store.s3


def bucket_names(s3: S3Client) -> set[str]:
    return {one["Name"] for one in s3.list_buckets()["Buckets"]}


# --- resources ------------------------------------------------------------------------------------------


def test_two_buckets_and_the_app_identity_are_deployed_by_default(project: Project, values: Values, s3: S3Client):
    deployed = project.deploy(values)
    start = f"mpr-{project.environment}"
    assert deployed.resources() == {
        ("Bucket", f"{start}-in"),
        ("Bucket", f"{start}-out"),
        ("Identity", f"{start}-app"),
        ("Key", f"{start}-app-a"),
    }
    assert {f"{project.environment}-in", f"{project.environment}-out"} <= bucket_names(s3)


TREE = """
mpr-storage:Storage ENV
  mpr-storage:Identity mpr-ENV-app
    Identity mpr-ENV-app < app
    Key mpr-ENV-app-a < app-a
  mpr-storage:Bucket mpr-ENV-in
    Bucket mpr-ENV-in < in kept
  mpr-storage:Bucket mpr-ENV-out
    Bucket mpr-ENV-out < out kept
"""


def test_each_resource_is_below_its_purpose_and_has_its_former_name_as_an_alias(project: Project, values: Values):
    deployed = project.deploy(values)
    assert tree(deployed.monitor.registrations, project.environment) == TREE.strip()


def test_each_further_identity_has_a_user_a_key_and_a_file(project: Project, values: Values):
    deployed = project.deploy(values | {"identities": ["app", "pipeline", "ingest", "viewer"]})
    for identity in ("app", "pipeline", "ingest", "viewer"):
        name = f"mpr-{project.environment}-{identity}"
        assert {("Identity", name), ("Key", f"{name}-a")} <= deployed.resources()
        assert project.env_file(identity).exists()
    assert len(deployed.requests) == 2 + 4 * 2
    names = {one.object["name"] for one in deployed.only("Identity")}
    assert names == {f"mpr-{project.environment}-{one}" for one in ("app", "pipeline", "ingest", "viewer")}


@pytest.mark.parametrize("disposable", [None, False, True])
def test_buckets_are_protected_and_kept_unless_disposable(
    project: Project, values: Values, *, disposable: bool | None
):
    asked = {} if disposable is None else {"disposable": disposable}
    deployed = project.deploy(values | asked)
    keep = not disposable
    assert [(one.protect, one.retainOnDelete) for one in deployed.only("Bucket")] == [(keep, keep)] * 2
    others = [one for one in deployed.requests if one not in deployed.only("Bucket")]
    assert not any(one.protect or one.retainOnDelete for one in others)
    assert {bool(one.object["disposable"]) for one in deployed.only("Bucket")} == {bool(disposable)}


def test_a_key_is_a_secret_output_and_no_resource_holds_the_admin_key(
    project: Project, values: Values, seaweed: Store
):
    deployed = project.deploy(values)
    (key,) = deployed.only("Key")
    assert set(key.additionalSecretOutputs) == {"accessKeyId", "secretAccessKey"}
    secret = deployed.exports["AWS_SECRET_ACCESS_KEY"][0]
    for request in deployed.requests:
        assert seaweed.secret_access_key not in str(request)
        assert secret not in str(request)


def test_the_configured_settings_are_applied_to_the_buckets(project: Project, values: Values, s3: S3Client):
    buckets: dict[str, dict[str, object]] = {
        "in": {"name": f"{project.environment}-in", "versioning": True, "noncurrentDays": 3},
        "out": {
            "name": f"{project.environment}-out",
            "expire": [{"prefix": "cache/", "days": 30}],
            "corsOrigins": ["http://localhost:3000"],
        },
    }
    deployed = project.deploy(values | {"buckets": buckets})
    for request in deployed.only("Bucket"):
        asked = {name: request.object[name] for name in ATTRIBUTES if name in request.object}
        assert asked.keys() == buckets[request.name.rpartition("-")[2]].keys() - {"name"} | {"abortMultipartDays"}
    assert s3.get_bucket_versioning(Bucket=f"{project.environment}-in")["Status"] == "Enabled"
    (cors,) = s3.get_bucket_cors(Bucket=f"{project.environment}-out")["CORSRules"]
    assert cors["AllowedOrigins"] == ["http://localhost:3000"]


# --- exports --------------------------------------------------------------------------------------------


def test_every_variable_that_applies_is_exported_and_no_other(project: Project, values: Values):
    deployed = project.deploy(values)
    assert deployed.exports.keys() == CHECKSUMS | ENDPOINT | REGION | KEYS | BUCKETS


def test_configured_optional_settings_are_exported(project: Project, values: Values):
    asked: Values = {
        "publicEndpoint": "https://media.example.org",
        "addressingStyle": "virtual",
        "region": "eu-central-1",
    }
    exports = project.deploy(values | asked).exports
    also = {"S3_PUBLIC_ENDPOINT_URL", "S3_ADDRESSING_STYLE"}
    assert exports.keys() == CHECKSUMS | ENDPOINT | REGION | KEYS | BUCKETS | also
    assert exports["S3_PUBLIC_ENDPOINT_URL"] == ("https://media.example.org", False)
    assert {exports[name][0] for name in REGION} == {"eu-central-1"}


def test_only_the_exports_that_hold_access_keys_are_secret(project: Project, values: Values):
    exports = project.deploy(values).exports
    assert {name for name, (_, secret) in exports.items() if secret} == KEYS


def test_further_identities_are_nested_under_their_names(project: Project, values: Values):
    deployed = project.deploy(values | {"identities": ["app", "ingest", "viewer"]})
    assert deployed.nested.keys() == {"ingest", "viewer"}
    assert deployed.nested["viewer"].keys() == CHECKSUMS | ENDPOINT | REGION | KEYS | BUCKETS
    # `ingest` has no right on the bucket out, so it has no line for it.
    assert deployed.nested["ingest"].keys() == deployed.nested["viewer"].keys() - {"S3_BUCKET_OUT"}
    for leaves in deployed.nested.values():
        assert {name for name, (_, secret) in leaves.items() if secret} == KEYS


def test_an_environment_without_app_exports_no_variable_at_the_top(project: Project, values: Values):
    deployed = project.deploy(values | {"identities": ["viewer"]})
    assert deployed.exports.keys() == {"viewer"}
    assert not project.env_file("app").exists()


def test_exports_and_env_files_say_the_same(project: Project, values: Values):
    deployed = project.deploy(values | {"identities": ["app", "viewer"]})
    app = {name: value for name, (value, _) in deployed.exports.items() if name != "viewer"}
    assert read_env_file(project.env_file("app")) == app
    viewer = {name: value for name, (value, _) in deployed.nested["viewer"].items()}
    assert read_env_file(project.env_file("viewer")) == viewer
    names = {name for _, row in variables() for name in row.names} | CHECKSUMS
    assert app.keys() <= names
    assert deployed.identities == {"app": app, "viewer": viewer}


# --- env files ------------------------------------------------------------------------------------------


def test_clients_work_with_the_env_files_which_have_mode_0600(project: Project, values: Values):
    project.deploy(values | {"identities": ["app", "viewer"]})
    share_models()
    for identity in ("app", "viewer"):
        file = project.env_file(identity)
        assert file.stat().st_mode & 0o777 == 0o600
        settings = Settings.from_env(read_env_file(file))
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
        )
        assert client.list_objects_v2(Bucket=settings.bucket("out"))["KeyCount"] == 0
        if identity == "viewer":
            with pytest.raises(ClientError, match="AccessDenied"):
                client.put_object(Bucket=settings.bucket("out"), Key="x", Body=b"")


def test_a_preview_creates_nothing_and_writes_nothing(project: Project, values: Values, s3: S3Client):
    before = bucket_names(s3)
    deployed = project.deploy(values, preview=True)
    assert ("Key", f"mpr-{project.environment}-app-a") in deployed.resources()
    assert bucket_names(s3) == before
    assert list(project.environments.iterdir()) == []
    assert deployed.exports["AWS_SECRET_ACCESS_KEY"] == (None, True)


def test_a_preview_of_what_is_deployed_leaves_a_missing_env_file_missing(project: Project, values: Values):
    project.deploy(values)
    key = read_env_file(project.env_file())["AWS_ACCESS_KEY_ID"]
    project.env_file().unlink()
    deployed = project.deploy(values, preview=True)
    assert deployed.exports["AWS_ACCESS_KEY_ID"] == (key, True)
    assert list(project.environments.iterdir()) == []


def test_a_second_run_changes_nothing(project: Project, values: Values):
    first = project.deploy(values)
    before = project.env_file().stat()
    second = project.deploy(values)
    assert second.exports == first.exports
    assert project.env_file().stat().st_mtime_ns == before.st_mtime_ns
    assert project.env_file().stat().st_ino == before.st_ino


def test_no_resource_holds_a_path_of_this_machine(project: Project, values: Values):
    for request in project.deploy(values).requests:
        assert str(project.folder) not in str(request)


def test_static_keys_go_into_the_env_file(project: Project, values: Values, seaweed: Store):
    pair = {"accessKeyId": seaweed.access_key_id, "secretAccessKey": seaweed.secret_access_key}
    project.deploy(values | {"credentials": "static", "keys": {"app": pair}})
    written = read_env_file(project.env_file())
    assert written["AWS_ACCESS_KEY_ID"] == seaweed.access_key_id
    assert written["AWS_SECRET_ACCESS_KEY"] == seaweed.secret_access_key


def test_another_program_uses_the_component_on_a_store(project: Project, values: Values, s3: S3Client):
    args: Any = values | {"disposable": True}

    def main() -> None:
        storage = Storage(project.environment, args, opts=pulumi.ResourceOptions(protect=True))
        pulumi.export("bucket", storage.in_bucket)
        pulumi.export("variables", storage.identities["app"])

    deployed = project.deploy(values, main=main)
    assert deployed.exports["bucket"] == (f"{project.environment}-in", False)
    variables, is_secret = deployed.exports["variables"]
    assert is_secret
    assert variables.keys() == CHECKSUMS | ENDPOINT | REGION | KEYS | BUCKETS
    assert f"{project.environment}-in" in bucket_names(s3)
    assert all(request.protect for request in deployed.requests)
    assert not project.env_file().exists()


# --- mistakes -------------------------------------------------------------------------------------------


def refusal(project: Project, values: Values, *, preview: bool = False) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        project.deploy(values, preview=preview)
    assert list(project.environments.glob("*.env")) == []
    return str(caught.value)


def test_all_mistakes_of_a_configuration_are_reported_in_one_error(project: Project, values: Values):
    wrong: Values = {
        "endpont": "x",
        "disposable": "perhaps",
        "identities": ["app", "viwer"],
        "buckets": {"in": {"name": "UPPER"}, "out": {"name": "fine-out", "expire": [{"prefix": "a/", "days": 0}]}},
    }
    said = refusal(project, values | wrong, preview=True)
    assert said.startswith(f"environments/Pulumi.{project.environment}.yaml:\n")
    for part in (
        "endpont: unknown key, did you mean endpoint?",
        "disposable: must be true or false",
        "viwer",
        "buckets.in.name:",
        "buckets.out.expire[0].days: must be at least 1, got 0",
    ):
        assert part in said


def test_a_structure_that_is_no_json_is_a_sentence(project: Project, values: Values):
    assert "buckets: must be a mapping, got in=x" in refusal(project, values | {"buckets": "in=x"})


def test_an_empty_configuration_says_what_is_required(project: Project):
    assert "target: is required, one of s3-compatible" in refusal(project, {})


def test_a_preview_without_the_store_warns_and_shows_all_resources(
    project: Project, values: Values, caplog: pytest.LogCaptureFixture
):
    (closed,) = free_ports(1)
    changed = values | {"endpoint": f"http://127.0.0.1:{closed}"}
    deployed = project.deploy(changed, preview=True)
    assert tree(deployed.monitor.registrations, project.environment) == TREE.strip()
    (warning,) = [one.getMessage() for one in caplog.records if one.name == "engine"]
    assert f"cannot reach the store at http://127.0.0.1:{closed}" in warning
    assert "mpr-storage:endpoint" in warning
    assert warning.endswith("; this preview continues without the store")


def test_an_update_without_the_store_is_refused(project: Project, values: Values):
    (closed,) = free_ports(1)
    said = refusal(project, values | {"endpoint": f"http://127.0.0.1:{closed}"})
    assert f"cannot reach the store at http://127.0.0.1:{closed}" in said


def test_a_preview_without_the_embedded_store_names_the_command_that_starts_it(
    project: Project, values: Values, caplog: pytest.LogCaptureFixture
):
    deployed = project.deploy(values | {"endpoint": "embedded"}, preview=True)
    assert tree(deployed.monitor.registrations, project.environment) == TREE.strip()
    assert "python -m infra store start" in caplog.text


def test_an_update_without_the_embedded_store_names_the_command_that_starts_it(project: Project, values: Values):
    assert "python -m infra store start" in refusal(project, values | {"endpoint": "embedded"})


def test_missing_admin_keys_name_both_ways_to_give_them(
    project: Project, values: Values, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
    monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
    said = refusal(project, values, preview=True)
    assert "MPR_ADMIN_ACCESS_KEY_ID" in said
    assert "mpr-storage:adminAccessKeyId" in said


def test_an_admin_access_key_id_without_its_secret_is_refused(
    project: Project, values: Values, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
    assert "must be set together" in refusal(project, values, preview=True)


def test_wrong_admin_keys_are_a_sentence_without_the_secret(
    project: Project, values: Values, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
    monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")
    wrong: Values = {"adminAccessKeyId": "AKIAWRONG", "adminSecretAccessKey": "wrong-secret"}
    said = refusal(project, values | wrong, preview=True)
    assert "does not accept the admin key ...RONG" in said
    assert "wrong-secret" not in said


@pytest.mark.parametrize("problem", ["edited", "foreign"])
def test_an_env_file_that_is_not_ours_is_refused_before_anything_is_created(
    project: Project, values: Values, s3: S3Client, problem: str
):
    before = bucket_names(s3)
    header = files.render(Settings(region="us-east-1"), project.environment, "app")
    text = header + "S3_BUCKET_IN=mine\n" if problem == "edited" else "S3_BUCKET_IN=mine\n"
    project.env_file().write_text(text)
    with pytest.raises(pulumi.RunError) as caught:
        project.deploy(values)
    what = "was edited by hand" if problem == "edited" else "was not written by mpr-storage"
    assert f"environments/{project.environment}.env {what}" in str(caught.value)
    assert "move" in str(caught.value)
    assert project.env_file().read_text() == text
    assert bucket_names(s3) == before


def test_during_a_rotation_the_env_file_of_the_slot_is_examined_before_anything_is_created(
    project: Project, values: Values, s3: S3Client
):
    before = bucket_names(s3)
    files.slot_file(project.env_file(), "b").write_text("MINE=1\n")
    with pytest.raises(pulumi.RunError, match=r"\.b\.env was not written by mpr-storage"):
        project.deploy(values | {"slots": {"app": {"current": "a", "step": "start"}}})
    assert bucket_names(s3) == before


def test_a_static_key_that_was_not_given_is_named(project: Project, values: Values):
    with pytest.raises(Exception, match=r"no access key for identity app: set MPR_APP_ACCESS_KEY_ID"):
        project.deploy(values | {"credentials": "static"})
