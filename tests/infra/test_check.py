from __future__ import annotations

import io
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import botocore.auth
import botocore.compat
import pytest
from rich.console import Console

from core.storage import StorageError, StoreUnreachableError
from core.storage.settings import Settings
from infra import cli
from infra.check import page, probes
from infra.check.command import check_access
from infra.check.probes import Probe, Scope, attempt
from infra.check.runner import Finding, run
from infra.check.table import table
from infra.config.identities import ROLES
from infra.env import files
from infra.errors import InfraError, UnreachableError, UsageError
from infra.stores import iam
from infra.stores.access_key import AccessKey
from infra.stores.contact import contact
from infra.stores.store import Store
from tests.core._tls import serving
from tests.infra.conftest import (
    ALL,
    Environment,
    Response,
    Server,
    environment_on,
    fresh,
    http_server,
    policy_of,
    remove_bucket,
    responding,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def content(environment: Environment) -> dict[str, Any]:
    """Everything that a check could leave behind, in all versions."""
    s3 = environment.store.s3
    found: dict[str, Any] = {}
    for role in ROLES:
        bucket = environment.config.bucket(role).name or ""
        page = s3.list_object_versions(Bucket=bucket)
        found[bucket] = [
            (kind, one["Key"], one["VersionId"])
            for kind in ("Versions", "DeleteMarkers")
            for one in page.get(kind, [])  # type: ignore[attr-defined]  # a literal of both
        ]
        found[f"{bucket} uploads"] = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    found["foreign"] = sorted(probe_buckets_that_stay(s3))
    return found


def probe_buckets_that_stay(s3: S3Client) -> set[str]:
    """Return the buckets of probes that are not deleted. Checks of other workers have some for a short time."""
    names, deadline = probe_buckets(s3), time.monotonic() + 20
    while names and time.monotonic() < deadline:
        time.sleep(0.1)
        names &= probe_buckets(s3)
    return names


def probe_buckets(s3: S3Client) -> set[str]:
    return {one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("mpr-probe")}


def failures(environment: Environment) -> set[tuple[str, str, str]]:
    return {(one.identity, one.where, one.probe) for one in run(environment.config) if one.failed}


def allow(environment: Environment, *actions: str, identity: str = "viewer", resource: str = "*") -> None:
    """Give an identity more than it must have."""
    names: dict[str, str] = {role: environment.config.bucket(role).name or "" for role in ROLES}
    document = policy_of(identity, names, rename=contact(environment.store, names["in"]).rename)
    document["Statement"].append({"Effect": "Allow", "Action": list(actions), "Resource": [resource]})
    environment.server.manager.ensure_identity(environment.store, f"mpr-{environment.name}-{identity}", document)


def without_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPR_ADMIN_ACCESS_KEY_ID")
    monkeypatch.delenv("MPR_ADMIN_SECRET_ACCESS_KEY")


@pytest.fixture
def pair(seaweed_environment: Environment) -> Environment:
    """An environment with two identities: half the requests of four."""
    seaweed_environment.values["identities"] = ["app", "viewer"]
    return seaweed_environment


#: What each identity may do: the whole expectation once more, by hand.
EXPECTED = {
    "app": {"in": "list put get presign multipart delete", "out": "list put get presign multipart delete"},
    "pipeline": {"in": "list get presign", "out": "list put get presign multipart delete"},
    "ingest": {"in": "list put get presign multipart delete", "out": ""},
    "viewer": {"in": "list get presign", "out": "list get presign"},
}


class TestOnSeaweed:
    def test_every_identity_has_exactly_its_rights_and_the_probes_leave_nothing_behind(self, seaweed_environment):
        seaweed_environment.initialise()
        seaweed_environment.store.s3.put_object(
            Bucket=f"{seaweed_environment.name}-in", Key="mpr-probe/theirs", Body=b"theirs"
        )
        before = content(seaweed_environment)
        findings = list(run(seaweed_environment.config))
        assert [one for one in findings if one.failed] == []
        assert content(seaweed_environment) == before
        allowed = {
            identity: {
                where: " ".join(
                    one.probe
                    for one in findings
                    if one.identity == identity and one.where == where and one.allowed
                )
                for where in ("in", "out")
            }
            for identity in ALL
        }
        assert allowed == EXPECTED
        others = [one for one in findings if one.where not in ROLES]
        assert {one.where for one in others} == {"other bucket", "store"}
        assert not any(one.allowed for one in others)
        assert len(findings) == 4 * (7 * 2 + 3 + 3)

    @pytest.mark.flow
    def test_without_admin_keys_no_bucket_of_another_environment_is_probed(self, pair, monkeypatch):
        pair.initialise()
        without_admin(monkeypatch)
        findings = list(run(pair.config))
        assert {one.where for one in findings} == {"in", "out", "store"}
        assert not any(one.failed for one in findings)

    @pytest.mark.flow
    def test_the_check_fails_for_an_identity_with_the_policy_of_another(self, pair, capsys):
        pair.initialise()
        names: dict[str, str] = {role: pair.config.bucket(role).name or "" for role in ROLES}
        rename = contact(pair.store, names["in"]).rename
        iam.ensure_identity(
            pair.store,
            f"mpr-{pair.name}-viewer",
            policy_of("app", names, rename=rename),
        )
        before = content(pair)
        with pytest.raises(InfraError) as caught:
            check_access(pair.config)
        assert caught.value.exit_code == 1
        said = str(caught.value)
        assert said.startswith("6 of 40 access checks failed: viewer, in: put is allowed, must be denied; ")
        assert "viewer, out: delete is allowed, must be denied" in said
        assert "app, " not in said
        assert "allowed  must be denied" in capsys.readouterr().out
        assert content(pair) == before

    @pytest.mark.flow
    def test_the_check_fails_for_an_identity_without_its_policy(self, pair):
        pair.initialise()
        name = f"mpr-{pair.name}-app"
        pair.store.iam.delete_user_policy(UserName=name, PolicyName="mpr-storage")
        rights = ("list", "put", "get", "presign", "multipart", "delete")
        assert failures(pair) == {("app", role, one) for role in ROLES for one in rights}

    def test_the_check_names_each_permission_that_an_identity_should_not_have(self, pair):
        pair.initialise()
        before = content(pair)
        for actions, found in (
            (["s3:PutBucketPolicy"], {("in", "change policy"), ("out", "change policy")}),
            (["iam:PutUserPolicy"], {("store", "change own rights")}),
            (
                ["s3:ListBucket", "s3:GetObject"],
                {("other bucket", "list"), ("other bucket", "get"), ("store", "list buckets")},
            ),
        ):
            allow(pair, *actions)
            assert failures(pair) == {("viewer", *one) for one in found}
        assert content(pair) == before

    @pytest.mark.flow
    def test_the_check_fails_for_an_identity_with_all_rights_and_leaves_nothing(self, pair):
        pair.initialise()
        allow(pair, "s3:*")
        before = content(pair)
        found = {(where, probe) for _, where, probe in failures(pair)}
        assert {("store", "create bucket"), ("other bucket", "put"), ("in", "put"), ("out", "delete")} <= found
        assert content(pair) == before

    def test_an_object_written_by_a_probe_that_should_be_denied_is_deleted(self, pair):
        pair.initialise()
        allow(pair, "s3:PutObject")
        before = content(pair)
        assert ("viewer", "in", "put") in failures(pair)
        assert content(pair) == before

    @pytest.mark.flow
    def test_nothing_is_left_behind_in_a_bucket_with_versions(self, pair):
        pair.values["buckets"]["in"]["versioning"] = True
        pair.initialise()
        before = content(pair)
        assert failures(pair) == set()
        assert content(pair) == before

    @pytest.mark.flow
    def test_an_interruption_leaves_nothing_behind(self, pair, monkeypatch):
        pair.initialise()
        before = content(pair)

        def interrupt(scope: Scope) -> None:
            assert scope.s3.head_object(Bucket=scope.bucket, Key=scope.key)
            raise KeyboardInterrupt

        rows = tuple(replace(one, run=interrupt) if one.name == "get" else one for one in probes.ON_EACH_BUCKET)
        monkeypatch.setattr(probes, "ON_EACH_BUCKET", rows)
        with pytest.raises(KeyboardInterrupt):
            list(run(pair.config))
        assert content(pair) == before

    def test_a_deleted_access_key_is_reported_in_one_sentence(self, pair):
        pair.initialise()
        iam.delete_identity(pair.store, f"mpr-{pair.name}-app")
        with pytest.raises(
            InfraError, match=r"the access key in the env file of app is not accepted \(InvalidAccessKeyId\)"
        ):
            check_access(pair.config)
        assert content(pair)["foreign"] == []

    @pytest.mark.flow
    def test_a_missing_bucket_is_reported_in_one_sentence(self, pair):
        pair.initialise()
        pair.store.s3.delete_bucket(Bucket=f"{pair.name}-in")
        with pytest.raises(InfraError, match="a bucket of app does not exist; deploy again to create it"):
            list(run(pair.config))
        pair.store.s3.create_bucket(Bucket=f"{pair.name}-in")

    @pytest.mark.parametrize("admin", [True, False])
    @pytest.mark.flow
    def test_a_clock_that_is_off_by_an_hour_is_reported_in_one_sentence(self, pair, monkeypatch, admin):
        pair.initialise()
        if not admin:
            without_admin(monkeypatch)
        now = botocore.compat.get_current_datetime
        with monkeypatch.context() as patched:
            patched.setattr(botocore.auth, "get_current_datetime", lambda *given: now(*given) + timedelta(hours=1))
            with pytest.raises(InfraError, match=r"this machine's clock differs too much .*; correct the clock"):
                check_access(pair.config)

    def test_wrong_admin_keys_are_reported_in_one_sentence(self, pair, monkeypatch):
        pair.initialise()
        monkeypatch.setenv("MPR_ADMIN_SECRET_ACCESS_KEY", "hush-wrong")
        with pytest.raises(UsageError, match="does not accept the admin key") as caught:
            check_access(pair.config)
        assert "hush" not in str(caught.value)

    def test_the_json_report_parses_and_holds_no_secret(self, pair, capsys):
        pair.initialise()
        check_access(pair.config, as_json=True)
        out, err = capsys.readouterr()
        rows = json.loads(out)
        assert len(rows) == 40
        assert set(rows[0]) == {"identity", "where", "probe", "expected", "allowed", "error", "failed", "surprise"}
        assert err == ""
        for identity in ("app", "viewer"):
            keys = files.access_key(pair.file(identity))
            assert keys
            assert keys.secret_access_key not in out
            assert keys.access_key_id not in out

    def test_the_table_names_every_probe_and_identity(self, pair, capsys):
        pair.initialise()
        check_access(pair.config)
        out = capsys.readouterr().out
        for word in (
            "app",
            "viewer",
            "multipart",
            "presign",
            "change own rights",
            "40 access checks passed: every identity has exactly the expected permissions",
            "other bucket",
        ):
            assert word in out
        for identity in ("app", "viewer"):
            keys = files.access_key(pair.file(identity))
            assert keys
            assert keys.access_key_id not in out

    def test_a_missing_env_file_is_reported_before_the_first_probe(self, pair, monkeypatch):
        monkeypatch.setattr(probes, "attempt", lambda *_: pytest.fail("tried"))
        with pytest.raises(
            UsageError, match=r"\.env is missing; create it with `python -m infra up .*` or `pulumi up -s"
        ):
            check_access(pair.config)
        pair.file("app").write_text("nonsense\n")
        with pytest.raises(UsageError, match=r"\.env cannot be used: .*line 1: expected NAME=value"):
            check_access(pair.config)

    @pytest.mark.flow
    def test_externally_managed_keys_are_checked_without_admin_keys(self, pair, monkeypatch):
        pair.initialise()
        without_admin(monkeypatch)
        given = {}
        for identity in ("app", "viewer"):
            keys = files.access_key(pair.file(identity))
            assert keys
            given[identity] = {"accessKeyId": keys.access_key_id, "secretAccessKey": keys.secret_access_key}
        static = replace(pair, values=pair.values | {"credentials": "static", "keys": given})
        assert failures(static) == set()


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (responding(302, "", {"Location": "http://127.0.0.1:1/?token=hush"}), "a redirect"),
        (responding(200, ""), "is not from an S3 API"),
        (responding(200, "<Foo/>"), "is not from an S3 API"),
        (responding(200, "<html>log in</html>"), "is not from an S3 API"),
    ],
    ids=["redirect", "empty", "xml", "html"],
)
def test_what_is_not_a_store_is_refused_before_any_probe(
    seaweed_environment: Environment, response: Response, words: str
):
    environment = seaweed_environment
    environment.values["identities"] = ["app"]
    with http_server(response) as endpoint:
        environment.values.update(endpoint=endpoint, buckets=BUCKETS)
        files.write(environment.file("app"), files.render(settings_at(endpoint), environment.name, "app"))
        with pytest.raises(StorageError, match=words) as caught:
            check_access(environment.config)
    assert "hush" not in str(caught.value)


def test_a_profile_of_the_user_that_does_not_exist_does_not_matter(seaweed_environment, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "missing")
    seaweed_environment.initialise()


@pytest.mark.minio
def test_every_identity_has_exactly_its_rights_on_minio(minio_environment):
    minio_environment.values["identities"] = ["viewer"]
    minio_environment.initialise()
    assert failures(minio_environment) == set()


@pytest.mark.minio
def test_the_probes_leave_nothing_behind_on_minio(minio_environment):
    minio_environment.values["identities"] = ["pipeline", "ingest"]
    minio_environment.initialise()
    before = content(minio_environment)
    assert failures(minio_environment) == set()
    assert content(minio_environment) == before


#: The configured names of the buckets of `settings_at`.
BUCKETS = {"in": {"name": "media-in"}, "out": {"name": "media-out"}}


def settings_at(endpoint: str) -> Settings:
    return Settings(
        endpoint_url=endpoint,
        region="us-east-1",
        bucket_in="media-in",
        bucket_out="media-out",
        access_key_id="APPKEY",
        secret_access_key=fresh(),  # so that no two tests share a client
    )


def offline(environments: Any, endpoint: str) -> Environment:
    """An environment with an env file for `app` alone, at any endpoint."""
    made = environment_on(
        Server(Store(endpoint, "us-east-1", AccessKey("a", "b")), "iam"), environments, identities=["app"]
    )
    made.values["buckets"] = BUCKETS
    made.save()
    files.write(made.file("app"), files.render(settings_at(endpoint), made.name, "app"))
    return made


@pytest.mark.usefixtures("no_backoff")
def test_a_stopped_store_is_reported_as_unreachable(environments, refusing):
    made = offline(environments, refusing)
    with pytest.raises(StoreUnreachableError, match=r"Connection refused\); is the store running"):
        check_access(made.config)


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (407, "", 3, "407"),
        (500, "", 3, "500"),
        (503, "<Error><Code>SlowDown</Code></Error>", 3, "try again later (the store said SlowDown)"),
    ],
)
def test_a_server_that_is_not_ready_is_reported_at_once(environments, capsys, status, body, code, words):
    with http_server(responding(status, body)) as endpoint:
        assert cli.run(["check", offline(environments, endpoint).name]) == code
    assert words in capsys.readouterr().err


def test_a_server_that_does_not_respond_is_reported_after_five_seconds(environments, capsys, monkeypatch):
    monkeypatch.setattr("infra.stores.contact._TIMEOUT", 0.2)
    with http_server(lambda _: time.sleep(1)) as endpoint:
        assert cli.run(["check", offline(environments, endpoint).name]) == 3
    assert f"cannot reach the store at {endpoint}: no response within 0.2 s" in capsys.readouterr().err


def test_a_page_does_not_replace_an_env_file(environments, capsys):
    made = offline(environments, "http://127.0.0.1:1")
    made.save()
    before = made.file("app").read_bytes()
    assert cli.run(["check", made.name, "--html", str(made.file("app"))]) == 2
    assert "name a file in another folder" in capsys.readouterr().err
    assert made.file("app").read_bytes() == before


def test_buckets_of_killed_checks_are_deleted(seaweed_environment: Environment, monkeypatch):
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.initialise()
    s3 = seaweed_environment.store.s3
    left, other = f"mpr-probe-{secrets.token_hex(8)}", fresh("mpr-probe")
    for bucket in (left, other):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    names = lambda: {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}  # noqa: E731  # used three times
    assert failures(seaweed_environment) == set()
    assert {left, other} <= names()  # another check may use it now
    monkeypatch.setattr("infra.check.runner._LONGEST_CHECK", timedelta(0))
    try:
        assert failures(seaweed_environment) == set()
        assert left not in names()
        assert other in names()
    finally:
        remove_bucket(s3, left)
        remove_bucket(s3, other)


def test_an_env_file_of_another_bucket_than_the_configured_is_refused(environments):
    made = offline(environments, "http://127.0.0.1:1")
    made.values["buckets"] = BUCKETS | {"out": {"name": "media-other"}}
    said = "app names bucket media-out, and the configuration media-other: .* --check"
    with pytest.raises(UsageError, match=said):
        check_access(made.config)


def test_a_response_that_neither_allows_nor_denies_fails_the_check(environments, capsys):
    def response(request):
        (error(403, "AccessDenied") if request.command == "DELETE" else error(409, "Weird"))(request)

    with http_server(response) as endpoint:
        made = offline(environments, endpoint)
        findings = list(run(made.config))
        with pytest.raises(InfraError, match="app, in: list is Weird, must be allowed"):
            check_access(made.config)
    assert "Weird  must be" in capsys.readouterr().out
    (listing,) = (one for one in findings if (one.where, one.probe) == ("in", "list"))
    assert (listing.allowed, listing.error, listing.failed) == (None, "Weird", True)


def error(status: int, code: str) -> Callable[[Any], None]:
    return responding(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>")


def scope(endpoint: str) -> Scope:
    return Scope(settings_at(endpoint), "media-in", frozenset({"media-in"}))


def probe(name: str) -> Probe:
    rows = (*probes.ON_EACH_BUCKET, *probes.ON_THE_STORE)
    return next(one for one in rows if one.name == name)


@pytest.mark.parametrize(
    ("name", "response", "allowed"),
    [
        ("get", error(404, "NoSuchKey"), True),
        ("get", error(403, "AccessDenied"), False),
        ("presign", error(404, "NoSuchKey"), True),
        ("presign", error(403, "AccessDenied"), False),
        ("presign", responding(200, "probe"), True),
        ("change policy", error(400, "MalformedPolicy"), True),
        ("change policy", error(403, "AccessDenied"), False),
        ("change policy", error(501, "NotImplemented"), False),
        ("change policy", error(405, "MethodNotAllowed"), False),
        ("change policy", responding(204), True),
        ("change own rights", error(403, "AccessDenied"), False),
        ("change own rights", error(404, "NoSuchBucket"), False),
        ("change own rights", error(400, "MissingParameter"), False),  # MinIO has no IAM API
        ("list buckets", error(403, "AccessDenied"), False),
        ("create bucket", error(403, "AccessDenied"), False),
    ],
)
def test_a_response_to_a_probe_counts_as_allowed_or_denied(name, response, allowed):
    with http_server(response) as endpoint:
        assert attempt(probe(name), scope(endpoint)) is allowed


@pytest.mark.parametrize(
    ("response", "result"),
    [
        (responding(200, "<html>log in</html>"), "another body"),
        (responding(200, ""), "another body"),
        (error(400, "BadRequest"), "status 400"),
        (error(503, "SlowDown"), "status 503"),
    ],
)
def test_a_response_to_a_presigned_url_that_neither_allows_nor_denies_is_named(response, result):
    with http_server(response) as endpoint:
        assert attempt(probe("presign"), scope(endpoint)) == result


def test_a_response_without_an_upload_neither_allows_nor_denies_an_upload():
    listing = "<ListBucketResult><Name>media-in</Name></ListBucketResult>"
    with http_server(responding(200, listing)) as endpoint:
        assert attempt(probe("multipart"), scope(endpoint)) == "not a response of S3"
        assert attempt(probe("list buckets"), scope(endpoint)) is False


def cut(request: Any) -> None:
    request.close_connection = True  # without a response


def test_a_presigned_url_without_a_response_is_unreachable_at_its_own_address():
    for response in (cut, lambda request: request.wfile.write(b"HTTP/9.9 what\r\n\r\n")):
        with http_server(response) as endpoint:
            settings = replace(settings_at("http://127.0.0.1:9"), public_endpoint_url=endpoint)
            public = replace(scope(endpoint), settings=settings)
            with pytest.raises(UnreachableError, match=f"a presigned URL got no useful response from {endpoint}"):
                attempt(probe("presign"), public)


def test_a_role_that_the_process_has_tries_its_own_permissions_with_the_credentials_of_botocore(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEPROCESS")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    arn = "arn:aws:iam::123456789012:role/mpr-prod-app"
    role = Settings(region="eu-west-1", bucket_in="media-in", role_arn=arn)
    seen: list[str] = []

    def response(request: Any) -> None:
        seen.append(request.headers["Authorization"])
        responding(404, "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>")(request)

    with http_server(response) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", endpoint)
        assert attempt(probe("change own rights"), Scope(role, "media-in", frozenset())) is True
    assert "Credential=AKIAOFTHEPROCESS/" in seen[0]


def test_a_presigned_url_over_http_needs_no_authority(monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", "missing.pem")
    with http_server(responding(200, "probe")) as endpoint:
        assert attempt(probe("presign"), scope(endpoint)) is True


def test_a_presigned_url_is_requested_with_the_authority_that_the_environment_names(tmp_path, monkeypatch):
    with serving(tmp_path, "media-in") as store:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(store.authority))
        settings = replace(
            settings_at(store.endpoint),
            access_key_id=store.access_key_id,
            secret_access_key=store.secret_access_key,
        )
        assert attempt(probe("presign"), Scope(settings, "media-in", frozenset({"media-in"}))) is True


@pytest.mark.parametrize(
    ("names", "allowed"), [(["media-in"], False), ([], False), (["media-in", "theirs"], True)]
)
def test_listing_buckets_counts_as_allowed_only_if_it_shows_a_foreign_bucket(names, allowed):
    inside = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
    body = f"<ListAllMyBucketsResult><Buckets>{inside}</Buckets></ListAllMyBucketsResult>"
    with http_server(responding(200, body)) as endpoint:
        assert attempt(probe("list buckets"), scope(endpoint)) is allowed


def test_a_bucket_that_could_be_created_and_not_deleted_counts_as_allowed():
    def response(request):
        (responding(200) if request.command == "PUT" else error(403, "AccessDenied"))(request)

    with http_server(response) as endpoint:
        assert attempt(probe("create bucket"), scope(endpoint)) is True


def test_each_run_of_the_probes_writes_a_random_key_below_mpr_probe():
    keys = {scope("http://a").key for _ in range(20)}
    assert len(keys) == 20
    assert all(key.startswith("mpr-probe/") for key in keys)


def test_a_finding_differs_unless_allowed_is_what_was_expected():
    for expected in (True, False):
        for allowed in (True, False, None):
            finding = Finding("app", "in", "put", expected, allowed)
            assert finding.failed is (allowed is not expected)
            assert finding.as_dict()["failed"] is finding.as_dict()["surprise"] is finding.failed


def finding(
    identity: str = "app",
    where: str = "in",
    probe: str = "put",
    *,
    expected: bool = True,
    allowed: bool | None = True,
    error: str = "",
) -> Finding:
    return Finding(identity, where, probe, expected, allowed, error)


def shown(*findings: Finding) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=100).print(table("e", ["app", "viewer"], findings))
    return out.getvalue().splitlines()


def test_an_identity_column_holds_its_own_findings():
    (row,) = (line for line in shown(finding(), finding("viewer", expected=False, allowed=False)) if "put" in line)
    assert row.index("allowed") < row.index("denied")


def test_the_table_has_a_section_for_each_place():
    lines = shown(finding(), finding(where="store"), finding(probe="get"))
    assert [line.split("│")[1].strip() for line in lines if "│" in line] == ["in", "", "store"]


def test_a_prefix_with_brackets_is_shown_as_it_is():
    assert any("out x[/y]/" in line for line in shown(finding(where="out x[/y]/")))


def test_a_failed_check_says_what_must_be():
    (row,) = (line for line in shown(finding(expected=False)) if "put" in line)
    assert "allowed  must be denied" in row


def test_the_page_has_every_finding_and_escapes_what_the_store_sent():
    text = page.page(
        "e",
        ["app", "viewer"],
        [
            finding(),
            finding("viewer", expected=False, allowed=False),
            finding(probe="get", allowed=None, error="<b>&"),
        ],
        datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    assert '<td class="allowed">allowed</td><td class="denied">denied</td>' in text
    assert '<td class="failed">&lt;b&gt;&amp;, must be allowed</td><td></td>' in text
    assert "1 of 3 access checks failed. Checked 2026-01-02 03:04 UTC." in text


@pytest.mark.parametrize("name", ["", "missing/page.html", "link.html"])
def test_a_page_that_cannot_be_written_is_refused_before_the_first_probe(
    pair, monkeypatch, capsys, tmp_path, name
):
    monkeypatch.setattr(probes, "attempt", lambda *_: pytest.fail("a probe was sent"))
    pair.save()
    (tmp_path / "link.html").symlink_to(tmp_path / "elsewhere.html")
    assert cli.run(["check", pair.name, "--html", str(tmp_path / name)]) == 2
    assert "name a regular file in a folder that exists" in capsys.readouterr().err


def test_the_command_writes_the_page_also_when_a_check_fails(pair, capsys, tmp_path):
    pair.save()
    pair.initialise()
    file = tmp_path / "access.html"
    assert cli.run(["check", pair.name, "--html", str(file)]) == 0
    assert "40 access checks passed" in file.read_text()
    viewer = files.access_key(pair.file("viewer"))
    assert viewer
    assert viewer.access_key_id not in file.read_text()
    allow(pair, "s3:*")
    assert cli.run(["check", pair.name, "--html", str(file)]) == 1
    assert '<td class="failed">allowed, must be denied</td>' in file.read_text()
    capsys.readouterr()
