"""The process that the engine starts, spoken to as the engine does: over gRPC, on a real store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]  # Pulumi brings it along
import pytest
from botocore.exceptions import ClientError
from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import proto

from infra.policies import Policy
from infra.resources.bucket import BucketProvider
from infra.resources.identity import IdentityProvider
from infra.resources.key import KeyProvider
from infra.resources.provider import Props
from tests.conftest import REPO, Store, free_ports, stop

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

_NOTHING_CHANGES = proto.DiffResponse.DIFF_NONE
_CHANGES = proto.DiffResponse.DIFF_SOME


def _struct(props: Props) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(props)
    return message


def _plain(message: struct_pb2.Struct) -> Props:
    props: Props = json_format.MessageToDict(message)
    props.pop("__provider", None)
    return props


@dataclass
class Engine:
    """The engine's side of the gRPC connection, with every message that it received."""

    process: subprocess.Popen[bytes]
    stub: Any
    imports: Path
    told: dict[str, list[bytes]] = field(default_factory=dict)

    def ask(self, verb: str, provider: type[ResourceProvider], request: Any) -> Any:
        response = getattr(self.stub, verb)(request)
        self.told.setdefault(f"{verb} {provider.__name__}", []).append(response.SerializeToString())
        return response

    def check(self, provider: type[ResourceProvider], news: Props, olds: Props | None = None) -> Any:
        old_inputs = self.props(provider, olds) if olds else None  # None: of a resource that is to be created
        request = proto.CheckRequest(news=self.props(provider, news), olds=old_inputs)
        return self.ask("Check", provider, request)

    def diff(self, provider: type[ResourceProvider], id_: str, olds: Props, news: Props) -> Any:
        request = proto.DiffRequest(id=id_, olds=self.props(provider, olds), news=self.props(provider, news))
        return self.ask("Diff", provider, request)

    def create(self, provider: type[ResourceProvider], props: Props) -> tuple[str, Props]:
        response = self.ask("Create", provider, proto.CreateRequest(properties=self.props(provider, props)))
        return response.id, _plain(response.properties)

    def read(self, provider: type[ResourceProvider], id_: str, props: Props) -> Any:
        return self.ask("Read", provider, proto.ReadRequest(id=id_, properties=self.props(provider, props)))

    def update(self, provider: type[ResourceProvider], id_: str, olds: Props, news: Props) -> Props:
        request = proto.UpdateRequest(id=id_, olds=self.props(provider, olds), news=self.props(provider, news))
        return _plain(self.ask("Update", provider, request).properties)

    def delete(self, provider: type[ResourceProvider], id_: str, props: Props) -> None:
        request = proto.DeleteRequest(id=id_, properties=self.props(provider, props))
        self.ask("Delete", provider, request)

    def refusal(self, provider: type[ResourceProvider], props: Props) -> str:
        with pytest.raises(grpc.RpcError) as caught:
            self.create(provider, props)
        details: str = caught.value.details()
        return details

    def imported(self, module: str) -> int:
        """How often the process has executed a module so far."""
        names = [line.rpartition("|")[2].strip() for line in self.imports.read_text().splitlines()]
        return names.count(module)

    @staticmethod
    def props(provider: type[ResourceProvider], props: Props) -> struct_pb2.Struct:
        return _struct(props | {"__provider": serialize_provider(provider())})


@contextmanager
def _conversation(folder: Path, secrets: dict[str, str], *options: str) -> Iterator[Engine]:
    imports = folder / "stderr"
    environ = {"PATH": "", "PULUMI_PROJECT": "mpr-storage"}
    command = [sys.executable, *options, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"]
    with imports.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=REPO, env=environ, stdout=subprocess.PIPE, stderr=stderr)
    assert process.stdout
    try:
        port = process.stdout.readline().decode().strip()
        assert port, imports.read_text()[-2000:]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = proto.ResourceProviderStub(channel)
            config = {f"mpr-storage:{name}": value for name, value in secrets.items()}
            stub.Configure(proto.ConfigureRequest(args=_struct(config)))
            yield Engine(process, stub, imports)
    finally:
        stop(process)
        process.stdout.close()


@pytest.fixture(scope="module")
def engine(seaweed: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    secrets = {"adminAccessKeyId": seaweed.access_key_id, "adminSecretAccessKey": seaweed.secret_access_key}
    with _conversation(tmp_path_factory.mktemp("grpc"), secrets) as engine:
        yield engine


@pytest.fixture
def new_engine(seaweed: Store, tmp_path: Path) -> Iterator[Engine]:
    secrets = {"adminAccessKeyId": seaweed.access_key_id, "adminSecretAccessKey": seaweed.secret_access_key}
    with _conversation(tmp_path, secrets, "-X", "importtime") as engine:
        yield engine


@pytest.fixture
def bucket(name: str, where: Props) -> Props:
    rule, own = {"prefix": "cache/", "days": 30}, {"environment": "studio", "disposable": True}
    return {"name": name, "expire": [rule], "abortMultipartDays": 7, **own, **where}


@pytest.fixture
def identity(name: str, where: Props, policy: Policy) -> Props:
    return {"name": f"{name}-app", "policy": policy, "credentials": "iam", **where}


@pytest.fixture
def key(identity: Props, where: Props, tmp_path: Path) -> Props:
    return {
        "identity": identity["name"],
        "slot": "a",
        "envFile": str(tmp_path / "absent.env"),
        "disposable": True,
        "credentials": "iam",
        **where,
    }


def test_a_bucket_is_created_read_updated_and_deleted_over_grpc(engine: Engine, bucket: Props, s3: S3Client):
    name = bucket["name"]
    checked = engine.check(BucketProvider, bucket)
    assert not checked.failures
    assert _plain(checked.inputs) == bucket
    id_, outs = engine.create(BucketProvider, bucket)
    assert (id_, outs) == (name, bucket | {"created": True})
    assert engine.diff(BucketProvider, id_, outs, bucket).changes == _NOTHING_CHANGES

    s3.delete_bucket_lifecycle(Bucket=name)
    found = engine.read(BucketProvider, id_, outs)
    assert found.id == name
    assert {*bucket} - {*_plain(found.properties)} == {"expire", "abortMultipartDays"}
    assert _plain(found.inputs) | {"created": True} == _plain(found.properties)
    assert engine.diff(BucketProvider, id_, _plain(found.properties), bucket).changes == _CHANGES

    news = bucket | {"expire": [{"prefix": "cache/", "days": 8}]}
    outs = engine.update(BucketProvider, id_, _plain(found.properties), news)
    assert outs == news | {"created": True}
    rules: Any = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert {rule["ID"]: rule.get("Expiration", {}).get("Days") for rule in rules} == {
        "mpr-expire-cache/": 8,
        "mpr-abort-multipart": None,
    }
    renamed = engine.diff(BucketProvider, id_, outs, news | {"name": "another"})
    assert (renamed.changes, list(renamed.replaces)) == (_CHANGES, [])

    engine.delete(BucketProvider, id_, outs)
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=name)
    assert not engine.read(BucketProvider, id_, outs).id


def test_an_identity_and_its_key_are_created_read_updated_and_deleted_over_grpc(
    engine: Engine, identity: Props, key: Props, iam: IAMClient
):
    user = identity["name"]
    assert not engine.check(IdentityProvider, identity).failures
    id_, outs = engine.create(IdentityProvider, identity)
    assert (id_, outs) == (user, identity)
    assert engine.diff(IdentityProvider, id_, outs, identity).changes == _NOTHING_CHANGES
    assert _plain(engine.read(IdentityProvider, id_, outs).properties) == identity

    assert not engine.check(KeyProvider, key).failures
    key_id, key_outs = engine.create(KeyProvider, key)
    assert key_id == f"{user}/a"
    assert key_outs.keys() - key.keys() == {"accessKeyId", "secretAccessKey", "made"}
    (there,) = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    assert there["AccessKeyId"] == key_outs["accessKeyId"]
    assert engine.diff(KeyProvider, key_id, key_outs, key).changes == _NOTHING_CHANGES
    assert engine.read(KeyProvider, key_id, key_outs).id == key_id
    news = key | {"disposable": False}
    assert engine.update(KeyProvider, key_id, key_outs, news) == key_outs | news

    engine.delete(KeyProvider, key_id, key_outs)
    assert not engine.read(KeyProvider, key_id, key_outs).id
    engine.delete(IdentityProvider, id_, outs)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_user(UserName=user)


def test_only_responses_about_a_key_hold_its_secret(
    engine: Engine, bucket: Props, identity: Props, key: Props, seaweed: Store
):
    for provider, props in ((BucketProvider, bucket), (IdentityProvider, identity), (KeyProvider, key)):
        engine.check(provider, props)
        id_, outs = engine.create(provider, props)
        engine.diff(provider, id_, outs, props)
        engine.read(provider, id_, outs)
        engine.update(provider, id_, outs, props)
    secret = outs["secretAccessKey"].encode()
    for verb, responses in engine.told.items():
        said = b"".join(responses)
        assert seaweed.secret_access_key.encode() not in said, verb
        assert (secret in said) == (verb in {"Create KeyProvider", "Read KeyProvider", "Update KeyProvider"}), verb
    assert seaweed.secret_access_key not in engine.imports.read_text()
    assert secret.decode() not in engine.imports.read_text()


def test_botocore_is_imported_only_when_something_is_to_be_done(
    new_engine: Engine, bucket: Props, identity: Props, key: Props
):
    for provider, props in ((BucketProvider, bucket), (IdentityProvider, identity), (KeyProvider, key)):
        new_engine.check(provider, props, olds=props)
        new_engine.diff(provider, "id", props, props)
    assert new_engine.imported("infra.resources.key") == 1
    assert new_engine.imported("boto3") == 0
    assert new_engine.imported("botocore") == 0
    new_engine.create(BucketProvider, bucket)
    new_engine.create(IdentityProvider, identity)
    assert new_engine.imported("botocore") == 1
    assert new_engine.imported("boto3") == 0
    assert new_engine.imported("minio") == 0


def test_a_diff_connects_to_no_store(engine: Engine, bucket: Props):
    (closed,) = free_ports(1)
    unreachable = bucket | {"endpoint": f"http://127.0.0.1:{closed}"}
    assert engine.diff(BucketProvider, bucket["name"], unreachable, unreachable).changes == _NOTHING_CHANGES
    assert engine.diff(BucketProvider, bucket["name"], unreachable, bucket).changes == _CHANGES


# --- failures -------------------------------------------------------------------------------------------


def test_a_failure_arrives_as_its_sentence_alone(engine: Engine, bucket: Props):
    (closed,) = free_ports(1)
    said = engine.refusal(BucketProvider, bucket | {"endpoint": f"http://127.0.0.1:{closed}"})
    assert said.startswith(f"bucket {bucket['name']}: no useful response from http://127.0.0.1:{closed}")
    assert "Traceback" not in said
    assert "\n" not in said


def test_a_bucket_that_is_not_empty_arrives_as_its_sentence_alone(engine: Engine, bucket: Props, s3: S3Client):
    keep = bucket | {"disposable": False}
    id_, outs = engine.create(BucketProvider, keep)
    s3.put_object(Bucket=id_, Key="precious.mp4", Body=b"x")
    with pytest.raises(grpc.RpcError) as caught:
        engine.delete(BucketProvider, id_, outs)
    assert caught.value.details().startswith(f"bucket {id_} is not empty")
    assert "Traceback" not in caught.value.details()


@pytest.mark.flow
def test_a_wrong_admin_key_arrives_as_its_sentence_alone(tmp_path: Path, bucket: Props, identity: Props):
    admin = {"adminAccessKeyId": "AKIAWRONG", "adminSecretAccessKey": "wrong-secret"}
    with _conversation(tmp_path, admin) as engine:
        for message in (engine.refusal(BucketProvider, bucket), engine.refusal(IdentityProvider, identity)):
            assert "MPR_ADMIN_ACCESS_KEY_ID" in message
            assert "...RONG" in message
            assert "Traceback" not in message
            assert "wrong-secret" not in message


def test_an_unexpected_exception_is_reported_with_its_traceback(engine: Engine, bucket: Props):
    del bucket["name"]
    said = engine.refusal(BucketProvider, bucket)
    assert "Traceback" in said
    assert "KeyError: 'name'" in said


@pytest.mark.flow
def test_static_keys_come_from_the_configuration_of_the_stack(tmp_path: Path, key: Props, iam: IAMClient):
    iam.create_user(UserName=key["identity"])
    made = iam.create_access_key(UserName=key["identity"])["AccessKey"]
    pair = {"accessKeyId": made["AccessKeyId"], "secretAccessKey": made["SecretAccessKey"]}
    with _conversation(tmp_path, {"keys": json.dumps({"app": pair})}) as engine:
        _, outs = engine.create(KeyProvider, key | {"credentials": "static"})
        assert {name: outs[name] for name in pair} == pair
