from __future__ import annotations

from dataclasses import replace

import pytest

from infra.config.environment import BucketConfig, EnvironmentConfig
from infra.targets import defaults


def environment(target: str, **settings) -> EnvironmentConfig:
    bucket = BucketConfig()
    return EnvironmentConfig(environment="prod", target=target, bucket_in=bucket, bucket_out=bucket, **settings)


@pytest.mark.parametrize("target", ["aws", "gcp"])
def test_source_videos_keep_their_versions_for_thirty_days(target):
    found = defaults.bucket("in", environment(target))
    assert (found.versioning, found.noncurrent_days) == (True, 30)


@pytest.mark.parametrize("target", ["aws", "gcp"])
def test_the_out_bucket_has_no_versioning_by_default(target):
    found = defaults.bucket("out", environment(target))
    assert (found.versioning, found.noncurrent_days) == (None, None)


def test_r2_gets_no_versioning_and_no_soft_delete():
    found = defaults.bucket("in", environment("r2"))
    assert (found.versioning, found.noncurrent_days, found.soft_delete_days) == (None, None, None)


@pytest.mark.parametrize("target", ["aws", "gcp", "r2"])
@pytest.mark.parametrize("role", ["in", "out"])
def test_unfinished_multipart_uploads_are_aborted_after_7_days(target, role):
    assert defaults.bucket(role, environment(target)).abort_multipart_days == 7


def test_soft_delete_is_off_in_disposable_environments_and_outside_gcp():
    assert defaults.bucket("in", environment("gcp")).soft_delete_days == 7
    assert defaults.bucket("in", environment("gcp", disposable=True)).soft_delete_days == 0
    assert defaults.bucket("in", environment("aws")).soft_delete_days is None


def test_configured_values_replace_the_defaults():
    asked = BucketConfig(versioning=False, noncurrent_days=3, abort_multipart_days=1, soft_delete_days=0)
    config = replace(environment("gcp"), bucket_in=asked)
    assert defaults.bucket("in", config) == asked
