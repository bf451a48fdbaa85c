"""The arguments with which data libraries reach a store: as JSON, and for DuckDB as SQL.

None of them can send `S3_BUCKET_OWNER`. Without an access key, each uses its own credential chain.
"""

from __future__ import annotations

import json

from infra.env.identity_settings import IdentitySettings
from infra.errors import UsageError


def fsspec(identity: IdentitySettings) -> str:
    """Return ``storage_options`` of s3fs, pandas and Dask (https://s3fs.readthedocs.io/en/latest/api.html)."""
    settings = identity.settings
    checksums = settings.dialect.checksums
    config = {
        "s3": {"addressing_style": identity.addressing},
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


def pyarrow(identity: IdentitySettings) -> str:
    """Return arguments of `pyarrow.fs.S3FileSystem`.

    https://arrow.apache.org/docs/python/generated/pyarrow.fs.S3FileSystem.html
    """
    settings = identity.settings
    return _json(
        access_key=settings.access_key_id,
        secret_key=settings.secret_access_key,
        session_token=settings.session_token,
        region=settings.region,
        endpoint_override=identity.netloc,
        scheme=identity.scheme,
        force_virtual_addressing=identity.addressing == "virtual",
    )


def polars(identity: IdentitySettings) -> str:
    """Return ``storage_options`` of Polars and other users of Rust's object_store.

    With virtual addressing, object_store takes an endpoint for that of one bucket
    (https://docs.rs/object_store/latest/object_store/aws/struct.AmazonS3Builder.html#method.with_virtual_hosted_style_request).
    So every endpoint gets path addressing, also one of AWS.

    Raises:
        UsageError: the environment asks for virtual addressing on an endpoint.
    """
    settings = identity.settings
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
        aws_allow_http="true" if identity.scheme == "http" else None,
        aws_virtual_hosted_style_request="false"
        if settings.endpoint_url or identity.addressing == "path"
        else "true",
    )


def duckdb(identity: IdentitySettings) -> str:
    """Return the SQL that creates a secret of DuckDB (https://duckdb.org/docs/stable/core_extensions/httpfs/s3api).

    Its scope is the two buckets, so that one session can have the secrets of several environments.
    """
    settings = identity.settings
    buckets = [f"'s3://{name}/'" for name in (settings.bucket_in, settings.bucket_out) if name]
    rows = {
        "PROVIDER": "config" if identity.has_access_key else "credential_chain",
        "REFRESH": None if identity.has_access_key else "auto",  # credentials of a role expire
        "KEY_ID": _quoted(settings.access_key_id),
        "SECRET": _quoted(settings.secret_access_key),
        "SESSION_TOKEN": _quoted(settings.session_token),
        "REGION": _quoted(settings.region),
        "ENDPOINT": _quoted(identity.netloc),
        "URL_STYLE": _quoted("path" if identity.addressing == "path" else "vhost"),
        "USE_SSL": "false" if identity.scheme == "http" else "true",
        "SCOPE": f"[{', '.join(buckets)}]" if buckets else None,
    }
    lines = ["TYPE s3", *(f"{name} {value}" for name, value in rows.items() if value is not None)]
    return f'CREATE OR REPLACE SECRET "{identity.label}" (\n    ' + ",\n    ".join(lines) + "\n);\n"


def _quoted(value: str | None) -> str | None:
    return None if value is None else f"'{value}'"


def _json(**values: object) -> str:
    return json.dumps({name: value for name, value in values.items() if value is not None}, indent=2) + "\n"
