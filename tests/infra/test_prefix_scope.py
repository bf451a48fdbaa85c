"""Identities held to prefixes, on real stores: what they reach, what they do not, and that `check` shows it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from core.storage import get_s3_client
from core.storage.settings import Settings, read_env_file
from infra import plan
from infra.check.command import check_access
from infra.check.runner import run
from infra.check.table import table
from infra.config.identities import Role
from infra.policies import Policy, normalised
from infra.resources.identity import IdentityProvider
from infra.stores.codes import means
from infra.stores.kinds import KINDS
from tests.infra.conftest import Environment
from tests.infra.resources.support import configured, over_grpc

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WEB: dict[str, Any] = {
    "name": "web",
    "rights": "viewer",
    "prefixes": {"in": ["clips/"], "out": ["frames/", "ö:l/"]},
}
STUDIO: dict[str, Any] = {"name": "studio", "rights": "app", "prefixes": {"out": ["frames/"]}}
INSIDE = ("frames/1.jpg", "frames/deep/2.jpg", "frames/a b+c?.jpg", "ö:l/3.jpg")
#: Beside the prefixes, and as near to them as can be.
OUTSIDE = ("secret.txt", "frames-old/1.jpg", "other/frames/1.jpg", "*/1.jpg", "ö/1.jpg", "ö:/1.jpg", "o:l/1.jpg")
#: Outside too, but on SeaweedFS.
OTHER_CASE = "Frames/1.jpg"


@pytest.fixture
def scoped(environment: Environment) -> Environment:
    """An environment on each real store in turn, with objects below and beside the prefixes."""
    environment.values["identities"] = ["app", WEB, STUDIO]
    environment.save()
    environment.initialise()
    return environment


@pytest.fixture
def filled(scoped: Environment) -> Environment:
    for key in (*INSIDE, *OUTSIDE, OTHER_CASE):
        scoped.store.s3.put_object(Bucket=bucket(scoped, "out"), Key=key, Body=key.encode())
    scoped.store.s3.put_object(Bucket=bucket(scoped, "in"), Key="clips/1.mp4", Body=b"clip")
    scoped.store.s3.put_object(Bucket=bucket(scoped, "in"), Key="private.mp4", Body=b"private")
    return scoped


def bucket(environment: Environment, role: Role) -> str:
    return environment.config.bucket(role).name or ""


def client(environment: Environment, identity: str) -> S3Client:
    return get_s3_client(Settings.from_env(read_env_file(environment.file(identity))))


def is_denied(request: Callable[..., object], **arguments: object) -> bool:
    try:
        request(**arguments)
    except ClientError as error:
        if means(error, "access denied"):
            return True
        raise
    return False


@pytest.mark.flow
def test_an_identity_with_prefixes_reads_below_them_and_nowhere_else(filled):
    web, out = client(filled, "web"), bucket(filled, "out")
    for key in INSIDE:
        assert web.get_object(Bucket=out, Key=key)["Body"].read() == key.encode()
    assert [key for key in OUTSIDE if not is_denied(web.get_object, Bucket=out, Key=key)] == []
    assert web.get_object(Bucket=bucket(filled, "in"), Key="clips/1.mp4")["Body"].read() == b"clip"
    assert is_denied(web.get_object, Bucket=bucket(filled, "in"), Key="private.mp4")
    # the prefixes of one bucket are none of the other's
    assert is_denied(web.get_object, Bucket=out, Key="clips/1.mp4")


@pytest.mark.flow
def test_an_identity_with_prefixes_lists_below_them_and_nowhere_else(filled):
    web, out = client(filled, "web"), bucket(filled, "out")
    listed = [one["Key"] for one in web.list_objects_v2(Bucket=out, Prefix="frames/")["Contents"]]
    assert listed == sorted(key for key in INSIDE if key.startswith("frames/"))
    assert web.list_objects_v2(Bucket=out, Prefix="frames/deep/")["KeyCount"] == 1
    assert web.list_objects_v2(Bucket=out, Prefix="ö:l/", Delimiter="/")["KeyCount"] == 1
    for prefix in ("", "f", "frames", "frames-old/", "other/frames/", "Frames/", "ö", "*", "frames*"):
        assert is_denied(web.list_objects_v2, Bucket=out, Prefix=prefix), prefix
    assert is_denied(web.list_objects_v2, Bucket=out)
    assert is_denied(web.list_objects, Bucket=out)
    assert is_denied(web.list_object_versions, Bucket=out)
    assert is_denied(web.list_objects_v2, Bucket=bucket(filled, "in"))


def test_an_identity_with_prefixes_writes_below_them_and_nowhere_else(filled):
    studio, out = client(filled, "studio"), bucket(filled, "out")
    studio.put_object(Bucket=out, Key="frames/new.jpg", Body=b"new")
    studio.delete_object(Bucket=out, Key="frames/new.jpg")
    upload = studio.create_multipart_upload(Bucket=out, Key="frames/big")["UploadId"]
    studio.upload_part(Bucket=out, Key="frames/big", PartNumber=1, UploadId=upload, Body=b"part")
    assert studio.list_parts(Bucket=out, Key="frames/big", UploadId=upload)["Parts"][0]["Size"] == 4
    studio.abort_multipart_upload(Bucket=out, Key="frames/big", UploadId=upload)
    for key in OUTSIDE:
        assert is_denied(studio.put_object, Bucket=out, Key=key, Body=b""), key
        assert is_denied(studio.delete_object, Bucket=out, Key=key), key
        assert is_denied(studio.create_multipart_upload, Bucket=out, Key=key), key
    source = {"Bucket": out, "Key": "secret.txt"}
    assert is_denied(studio.copy_object, Bucket=out, Key="frames/stolen", CopySource=source)
    # it has the whole of the other bucket
    studio.put_object(Bucket=bucket(filled, "in"), Key="anywhere.mp4", Body=b"")
    assert is_denied(client(filled, "web").put_object, Bucket=out, Key="frames/1.jpg", Body=b"")


@pytest.mark.flow
def test_only_seaweedfs_ignores_the_case_of_a_prefix_and_a_notice_says_so(filled):
    web, out = client(filled, "web"), bucket(filled, "out")
    lax = filled.server.credentials == "iam"
    notice = f"identities.prefixes: {next(kind.prefixes for kind in KINDS if kind.name == 'SeaweedFS')}"
    assert is_denied(web.get_object, Bucket=out, Key=OTHER_CASE) is not lax
    assert (notice in plan.for_update(filled.config).notices) is lax
    filled.values["identities"] = ["app"]
    assert notice not in plan.for_update(filled.config).notices


@pytest.mark.flow
def test_an_identity_with_prefixes_cannot_list_the_multipart_uploads_of_the_bucket(filled):
    assert is_denied(client(filled, "studio").list_multipart_uploads, Bucket=bucket(filled, "out"))
    client(filled, "app").list_multipart_uploads(Bucket=bucket(filled, "out"))


@pytest.mark.flow
def test_check_shows_each_prefix_and_the_rest_of_the_bucket(scoped, capsys):
    findings = list(run(scoped.config))
    assert [one for one in findings if one.failed] == []
    allowed = {
        where: " ".join(
            one.probe for one in findings if (one.identity, one.where) == ("web", where) and one.allowed
        )
        for where in dict.fromkeys(one.where for one in findings if one.identity == "web")
    }
    reading = "list get presign"
    assert allowed == {
        "in clips/": reading,
        "in elsewhere": "",
        "out frames/": reading,
        "out ö:l/": reading,
        "out elsewhere": "",
        "other bucket": "",
        "store": "",
    }
    beside = [one.probe for one in findings if (one.identity, one.where) == ("studio", "out elsewhere")]
    assert beside == ["list all", "list", "get", "put"]
    shown = io.StringIO()
    Console(file=shown, width=120).print(table(scoped.name, scoped.config.names, findings))
    assert "out frames/" in shown.getvalue()
    assert "out elsewhere" in shown.getvalue()
    check_access(scoped.config)
    assert "access checks passed" in capsys.readouterr().out


def wider(environment: Environment, change: Callable[[Policy], None]) -> set[tuple[str, str]]:
    """Return the failed probes of `web` after a change of its policy on the store."""
    made = plan.for_update(environment.config)
    web = environment.config.identities[1]
    document = made.policy(web)
    change(document)
    environment.server.manager.ensure_identity(environment.store, made.name(web), document)
    found = run(environment.config)
    return {(one.where, one.probe) for one in found if one.failed and one.identity == "web"}


@pytest.mark.flow
def test_check_fails_if_the_whole_bucket_can_be_listed(scoped):
    def unbounded(document: Policy) -> None:
        for statement in document["Statement"]:
            statement.pop("Condition", None)

    assert wider(scoped, unbounded) == {
        (f"{role} elsewhere", probe) for role in ("in", "out") for probe in ("list", "list all")
    }


@pytest.mark.flow
def test_check_fails_if_objects_outside_of_the_prefixes_are_allowed(scoped):
    def unbounded(document: Policy) -> None:
        for statement in document["Statement"]:
            statement["Resource"] = [
                f"{one.split('/')[0]}/*" if "/" in one else one for one in statement["Resource"]
            ]

    assert wider(scoped, unbounded) == {(f"{role} elsewhere", "get") for role in ("in", "out")}


@pytest.mark.flow
def test_check_passes_for_a_prefix_that_holds_the_keys_of_the_probes(environment):
    environment.values["identities"] = [{"name": "odd", "rights": "viewer", "prefixes": {"out": ["mpr-probe/"]}}]
    environment.save()
    environment.initialise()
    assert [one for one in run(environment.config) if one.failed] == []


@pytest.mark.flow
def test_the_store_keeps_the_policy_and_a_second_look_sees_no_change(scoped):
    made = plan.for_update(scoped.config)
    for identity in scoped.config.identities:
        props = over_grpc(
            {
                "name": made.name(identity),
                "policy": made.policy(identity),
                "credentials": scoped.config.credentials,
                "endpoint": scoped.store.endpoint,
                "region": scoped.config.region,
            }
        )
        provider = configured(IdentityProvider())
        found = provider.read(made.name(identity), props)
        assert found.outs is not None
        assert found.outs == props
        assert not provider.diff(made.name(identity), found.outs, props).changes
        kept = scoped.server.manager.read_identity(scoped.store, made.name(identity))
        assert not provider.diff(made.name(identity), props | {"policy": kept}, props).changes


@pytest.mark.flow
def test_another_prefix_is_a_change_of_the_policy(scoped):
    made = plan.for_update(scoped.config)
    kept = scoped.server.manager.read_identity(scoped.store, made.name(scoped.config.identities[1]))
    scoped.values["identities"][1] = WEB | {"prefixes": {"in": ["clips/"], "out": ["frames/"]}}
    changed = plan.for_update(scoped.config)
    assert normalised(kept) != normalised(changed.policy(changed.config.identities[1]))
    scoped.initialise()
    assert is_denied(client(scoped, "web").list_objects_v2, Bucket=bucket(scoped, "out"), Prefix="ö:l/")
