"""What data libraries want to hear about a store: the arguments of each, as JSON, and for DuckDB as SQL.

None of them can send `S3_BUCKET_OWNER`. Without keys, each finds credentials by its own chain.
"""

from __future__ import annotations

import json

from infra.env.subject import Subject
from infra.errors import UsageError


def fsspec(subject: Subject) -> str:
    """``storage_options`` of s3fs, which pandas and Dask hand on (https://s3fs.readthedocs.io/en/latest/api.html)."""
    settings = subject.settings
    checksums = settings.dialect.checksums
    config = {
        "s3": {"addressing_style": subject.addressing},
        "request_checksum_calculation": checksums,
        "response_checksum_validation": checksums,
    }
    return _json(
        key=settings.access_key_id,
        secret=settings.secret_access_key,
        token=settings.session_token,
        endpoint_url=settings.endpoint_url,
        client_kwargs={"region_name": settings.region},
        config_kwargs=config,
    )


def pyarrow(subject: Subject) -> str:
    """Arguments of S3FileSystem (https://arrow.apache.org/docs/python/generated/pyarrow.fs.S3FileSystem.html)."""
    settings = subject.settings
    return _json(
        access_key=settings.access_key_id,
        secret_key=settings.secret_access_key,
        session_token=settings.session_token,
        region=settings.region,
        endpoint_override=subject.netloc,
        scheme=subject.scheme,
        force_virtual_addressing=subject.addressing == "virtual",
    )


def polars(subject: Subject) -> str:
    """``storage_options`` of Polars, and of all else that is built on Rust's object_store.

    With an endpoint and virtual addressing it takes the endpoint for that of one bucket
    (https://docs.rs/object_store/latest/object_store/aws/struct.AmazonS3Builder.html#method.with_virtual_hosted_style_request),
    so AWS by its address gets path addressing, and what must have the other cannot be written.

    Raises:
        UsageError: the environment asks for virtual addressing on an endpoint.
    """
    settings = subject.settings
    if settings.endpoint_url and settings.addressing_style == "virtual":
        raise UsageError(
            "Polars cannot reach buckets at an endpoint with S3_ADDRESSING_STYLE=virtual; use pyarrow or fsspec"
        )
    return _json(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        aws_region=settings.region,
        aws_endpoint_url=settings.endpoint_url,
        aws_allow_http="true" if subject.scheme == "http" else None,
        aws_virtual_hosted_style_request="false"
        if settings.endpoint_url or subject.addressing == "path"
        else "true",
    )


def duckdb(subject: Subject) -> str:
    """A secret of DuckDB (https://duckdb.org/docs/stable/core_extensions/httpfs/s3api).

    It applies to the two buckets alone, so that one session may hold the secrets of several environments.
    """
    settings = subject.settings
    buckets = [f"'s3://{name}/'" for name in (settings.bucket_in, settings.bucket_out) if name]
    rows = {
        "PROVIDER": "config" if subject.has_keys else "credential_chain",
        "REFRESH": None if subject.has_keys else "auto",  # those of a role expire
        "KEY_ID": _quoted(settings.access_key_id),
        "SECRET": _quoted(settings.secret_access_key),
        "SESSION_TOKEN": _quoted(settings.session_token),
        "REGION": _quoted(settings.region),
        "ENDPOINT": _quoted(subject.netloc),
        "URL_STYLE": _quoted("path" if subject.addressing == "path" else "vhost"),
        "USE_SSL": "false" if subject.scheme == "http" else "true",
        "SCOPE": f"[{', '.join(buckets)}]" if buckets else None,
    }
    lines = ["TYPE s3", *(f"{name} {value}" for name, value in rows.items() if value is not None)]
    return f'CREATE OR REPLACE SECRET "{subject.label}" (\n    ' + ",\n    ".join(lines) + "\n);\n"


def _quoted(value: str | None) -> str | None:
    return None if value is None else f"'{value}'"


def _json(**values: object) -> str:
    return json.dumps({name: value for name, value in values.items() if value is not None}, indent=2) + "\n"
