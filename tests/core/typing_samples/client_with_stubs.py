"""The client of boto3 in an application that has boto3-stubs installed. Type checkers read it; it never runs."""

from __future__ import annotations

from typing import assert_type

from mypy_boto3_s3 import S3Client

from core.storage import get_s3_client

assert_type(get_s3_client(), S3Client)
assert_type(get_s3_client().get_object(Bucket="b", Key="k")["ContentLength"], int)

get_s3_client().get_objekt()  # type: ignore[attr-defined]
get_s3_client().get_object(Bucket="b", Key=1)  # type: ignore[arg-type]
