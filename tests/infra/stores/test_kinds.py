from __future__ import annotations

from typing import Any

import pytest

from infra.config import BucketConfig, EnvironmentConfig, Expiry
from infra.errors import UsageError
from infra.stores.kinds import ABORT_MULTIPART_DAYS, GENERIC, KINDS, bucket_settings, named
from infra.stores.settings import ATTRIBUTES

KIND = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        ("SeaweedFS 30GB 4.48", KIND["SeaweedFS"]),
        ("MinIO", KIND["MinIO"]),
        ("MinIO/RELEASE", KIND["MinIO"]),
        ("VERSITYGW", KIND["Versity S3 Gateway"]),
        ("", GENERIC),
        ("nginx", GENERIC),
        ("not MinIO", GENERIC),
        ("minio", GENERIC),
    ],
)
def test_a_store_is_known_by_the_start_of_its_server_header(server, kind):
    assert named(server) is kind


def config(**settings: Any) -> EnvironmentConfig:
    return EnvironmentConfig(
        environment="test",
        target="s3-compatible",
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
    wanted = config(versioning=True, noncurrent_days=3, expire=(Expiry(prefix="a", days=1),))
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
        bucket_settings(config(abort_multipart_days=2, cors_origins=("*",)), KIND["MinIO"])
    assert str(caught.value).splitlines() == [
        (
            "buckets.out.corsOrigins: not supported by MinIO; "
            "MinIO has one CORS setting for the whole server, MINIO_API_CORS_ALLOW_ORIGIN"
        ),
        (
            "buckets.out.abortMultipartDays: not supported by MinIO; "
            "MinIO deletes the parts of stale uploads by itself after 24 hours"
        ),
    ]


def test_every_unsupported_setting_of_a_kind_is_an_existing_setting():
    for kind in KINDS:
        assert set(kind.unsupported) <= set(ATTRIBUTES)
