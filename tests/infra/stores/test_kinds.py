from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any, get_args

import pytest

from infra.config.environment import ABORT_MULTIPART_DAYS, BucketConfig, EnvironmentConfig, Expiry
from infra.errors import UsageError
from infra.stores.codes import means
from infra.stores.kinds import GENERIC, KINDS, Meaning, bucket_settings, named
from infra.stores.settings import ATTRIBUTES
from tests.conftest import REPO

KIND = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        ("SeaweedFS 30GB 4.48", KIND["SeaweedFS"]),
        ("MinIO", KIND["MinIO"]),
        ("MinIO/RELEASE", KIND["MinIO"]),
        ("VERSITYGW", KIND["Versity S3 Gateway"]),
        ("Ceph Object Gateway (squid)", KIND["Ceph"]),
        ("", GENERIC),
        ("nginx", GENERIC),
        ("not MinIO", GENERIC),
        ("minio", GENERIC),
    ],
)
def test_a_store_is_known_by_the_start_of_its_server_header(server, kind):
    assert named(server) is kind


def config(credentials: str = "iam", **settings: Any) -> EnvironmentConfig:
    return EnvironmentConfig(
        environment="test",
        target="s3-compatible",
        credentials=credentials,
        bucket_in=BucketConfig(name="in"),
        bucket_out=BucketConfig(name="out", **settings),
    )


@pytest.mark.parametrize("kind", [KIND["SeaweedFS"], GENERIC], ids=lambda kind: kind.name)
def test_unfinished_uploads_are_aborted_unless_the_configuration_says_otherwise(kind):
    found, notices = bucket_settings(config(abort_multipart_days=2, cors_origins=("*",)), kind)
    assert notices == []
    assert found["in"] == BucketConfig(name="in", abort_multipart_days=ABORT_MULTIPART_DAYS)
    assert found["out"] == BucketConfig(name="out", abort_multipart_days=2, cors_origins=("*",))


def test_each_default_setting_that_minio_lacks_is_a_notice():
    wanted = config("minio", versioning=True, noncurrent_days=3, expire=(Expiry(prefix="a", days=1),))
    found, notices = bucket_settings(wanted, KIND["MinIO"])
    assert found == {"in": wanted.bucket_in, "out": wanted.bucket_out}
    assert notices == [
        (
            "corsOrigins: not supported by MinIO, skipped: "
            "MinIO has one CORS setting for the whole server, MINIO_API_CORS_ALLOW_ORIGIN"
        ),
        (
            "abortMultipartDays: not supported by MinIO, skipped: "
            "MinIO deletes the parts of stale uploads by itself after 24 hours"
        ),
    ]


def test_a_configured_setting_that_minio_lacks_is_an_error():
    with pytest.raises(UsageError) as caught:
        bucket_settings(config("minio", abort_multipart_days=2, cors_origins=("*",)), KIND["MinIO"])
    assert str(caught.value).splitlines() == [
        (
            "buckets.out.corsOrigins: not supported by MinIO; MinIO has one CORS setting for the whole server, "
            f"MINIO_API_CORS_ALLOW_ORIGIN ({KIND['MinIO'].documentation})"
        ),
        (
            "buckets.out.abortMultipartDays: not supported by MinIO; MinIO deletes the parts of stale uploads by "
            f"itself after 24 hours ({KIND['MinIO'].documentation})"
        ),
    ]


@pytest.mark.parametrize(
    ("kind", "credentials", "others"),
    [
        ("MinIO", "iam", "minio or static"),
        ("SeaweedFS", "minio", "iam or static"),
        ("Versity S3 Gateway", "iam", "static"),
    ],
)
def test_credentials_that_a_kind_cannot_create_are_an_error(kind, credentials, others):
    with pytest.raises(UsageError, match=f"^credentials: {kind} does not support {credentials}; use {others}$"):
        bucket_settings(config(credentials), KIND[kind])
    bucket_settings(config("static"), KIND[kind])


def test_every_unsupported_setting_of_a_kind_is_an_existing_setting():
    for kind in KINDS:
        assert set(kind.unsupported) <= set(ATTRIBUTES)


def test_every_kind_names_its_documentation():
    assert [kind.name for kind in KINDS if not kind.documentation.startswith("https://")] == []


def test_the_error_codes_of_every_kind_have_their_meaning():
    rows = [
        (code, meaning)
        for kind in (GENERIC, *KINDS)
        for meaning in kind.codes
        for code in kind.codes[meaning].split()
    ]
    assert ("XAdminUserNotFound", "wrong access key") in rows
    assert all(means(code, meaning) for code, meaning in rows)
    assert {meaning for _, meaning in rows} == set(get_args(Meaning))
    assert not any(means("NoSuchThing", meaning) for meaning in get_args(Meaning))


#: A row that is added to the table of a copy of this project.
ROW = """
    Kind(
        "TinyStore",
        "Tiny",
        documentation="https://tiny.example",
        rename={"s3:GetObject": "s3:Read"},
        unsupported={"versioning": "TinyStore keeps no versions"},
        hides_below_objects=True,
        codes={"wrong access key": "TinyWrong", "access denied": "TinyNo", "no bucket": "TinyNone"},
    ),"""

#: What runs there: the store responds to every request with the same code, or with an empty listing.
PROGRAM = r"""
from types import SimpleNamespace
import pytest
from core.storage.settings import Settings
from infra.check.probes import ON_EACH_BUCKET, Scope, attempt
from infra.config.environment import BucketConfig, EnvironmentConfig
from infra.copy import plan
from infra.copy.listing import contact as copy_contact
from infra.copy.side import Side
from infra.errors import UsageError
from infra.stores import buckets
from infra.stores.access_key import AccessKey
from infra.stores.contact import contact
from infra.stores.keys import is_accepted
from infra.stores.kinds import bucket_settings
from infra.stores.store import Store
from tests.infra.conftest import responding, http_server

SERVER = {"Server": "TinyStore/1"}
LISTED = "<ListBucketResult><IsTruncated>false</IsTruncated>%s</ListBucketResult>"
OBJECT = "<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-11-28T00:00:00Z</LastModified></Contents>"

def store_at(endpoint):
    return Store(endpoint, "x", AccessKey("a", "b"))

def refusing(code):
    return http_server(responding(403, f"<Error><Code>{code}</Code></Error>", SERVER))

def side_at(endpoint):
    keys = {"access_key_id": "a", "secret_access_key": "b"}
    return Side("e", Settings(endpoint_url=endpoint, region="x", bucket_in="b-in", **keys))

with refusing("TinyNo") as endpoint:
    kind = contact(store_at(endpoint), "b-in")
    assert (kind.name, kind.rename) == ("TinyStore", {"s3:GetObject": "s3:Read"})
    scope = Scope(side_at(endpoint).settings, "b-in", frozenset())
    assert [attempt(probe, scope) for probe in ON_EACH_BUCKET[:3]] == [False, False, False]
    assert is_accepted(store_at(endpoint), AccessKey("c", "d"))
with refusing("TinyWrong") as endpoint:
    with pytest.raises(UsageError, match="does not accept the admin key"):
        contact(store_at(endpoint), "b-in")
    assert not is_accepted(store_at(endpoint), AccessKey("e", "f"))
with refusing("TinyNone") as endpoint:
    assert buckets.read(store_at(endpoint), "b-in") is None
both = BucketConfig(name="b-in", versioning=True)
config = EnvironmentConfig(environment="e", target="s3-compatible", bucket_in=both, bucket_out=both)
with pytest.raises(UsageError, match=r"not supported by TinyStore; TinyStore keeps no versions \(https://tiny"):
    bucket_settings(config, kind)
with http_server(responding(200, LISTED % (OBJECT % "a" + OBJECT % "a/b"), SERVER)) as source:
    with http_server(responding(200, LISTED % "", SERVER)) as target:
        assert copy_contact(side_at(target), "in") is kind
        assert set(plan.make_plan(side_at(source), side_at(target), "in").left_out) == {"a", "a/b"}
print("known everywhere")
"""


def test_a_row_in_the_table_is_all_that_a_new_kind_needs(project):
    file = project.root / "infra/stores/kinds.py"
    table = file.read_text(encoding="utf-8")
    file.write_text(table.replace("\nKINDS = (", f"\nKINDS = ({ROW}"), encoding="utf-8")
    shutil.copytree(REPO / "tests", project.root / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=project.root, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("known everywhere\n", "")
