from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import pytest

import core.storage
from core.storage import StorageConfigError, StorageError

PACKAGE = Path(core.storage.__file__).parent

NAMES = [
    "BUCKET_IN", "BUCKET_OUT", "AccessDeniedError", "BucketNotFoundError", "BulkProgress", "CachedFrame",
    "ClockSkewError", "ExpiredCredentialsError", "FrameCache", "FrameManifest", "IntegrityError",
    "InvalidCredentialsError", "InvalidResponseError", "LayoutError", "ObjectChangedError", "ObjectInfo",
    "ObjectNotFoundError", "Settings", "StorageConfigError", "StorageError", "StoreUnreachableError",
    "TransferResult", "UnsafeKeyError", "WrongRegionError", "delete_many", "delete_object", "download_bytes",
    "download_file", "download_many", "download_to_temp", "get_object_info", "get_presigned_url",
    "get_s3_client", "list_objects", "object_exists", "open_object", "safe_path", "temporary_download",
    "upload_bytes", "upload_file", "upload_many",
]  # fmt: skip

SIGNATURES = {
    "list_objects": "(bucket, prefix, *, suffixes, limit, workers)",
    "download_file": "(bucket, key, path, *, progress)",
    "download_to_temp": "(bucket, key)",
    "temporary_download": "(bucket, key)",
    "upload_file": "(path, bucket, key, *, content_type, metadata, progress)",
    "upload_bytes": "(data, bucket, key, *, content_type, metadata)",
    "download_bytes": "(bucket, key, *, start, length)",
    "open_object": "(bucket, key)",
    "get_object_info": "(bucket, key)",
    "object_exists": "(bucket, key)",
    "delete_object": "(bucket, key)",
    "delete_many": "(items)",
    "get_presigned_url": "(bucket, key, expires, *, method, content_type, filename)",
    "get_s3_client": "(settings)",
    "safe_path": "(folder, key)",
    "FrameCache": "(timeline_id, *, bucket)",
    "download_many": "(items, folder, *, workers, progress)",
    "upload_many": "(items, *, workers, resume, progress)",
}
#: Slow to import, and used by some programs only.
HEAVY = {"boto3", "botocore", "s3transfer", "urllib3", "http", "email", "opentelemetry"}
#: What the package itself must not import either: it may be imported for the sake of its errors alone.
NOT_YET = {"asyncio", "ssl", "logging", "hashlib", "tempfile", "dataclasses", "typing", "pathlib", "re"}

if TYPE_CHECKING:
    # Type checkers see through the lazy import, and do not believe in what is not there.
    assert_type(core.storage.BUCKET_IN, str)
    assert_type(next(core.storage.list_objects("b")).size, int)
    assert_type(core.storage.get_presigned_url("b", "k"), str)
    core.storage.downlod_file  # type: ignore[attr-defined]  # noqa: B018


def fresh(code: str) -> list[str]:
    """What `code` prints in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()


def test_the_exported_names_are_these(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "r")
    monkeypatch.setenv("S3_BUCKET_IN", "media-in")
    monkeypatch.setenv("S3_BUCKET_OUT", "media-out")
    assert core.storage.__all__ == NAMES
    assert set(NAMES) <= set(dir(core.storage))
    for name in NAMES:
        assert getattr(core.storage, name)


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_public_functions_have_these_signatures(name):
    signature = inspect.signature(getattr(core.storage, name))
    parameters = [one.replace(annotation=one.empty, default=one.empty) for one in signature.parameters.values()]
    assert str(inspect.Signature(parameters)) == SIGNATURES[name]


def test_every_public_thing_says_what_it_does():
    for name in NAMES[2:]:
        assert inspect.getdoc(getattr(core.storage, name)), name


def test_every_public_class_and_function_shows_as_a_name_of_the_package():
    shown = {name: getattr(core.storage, name).__module__ for name in NAMES if not name.startswith("BUCKET")}
    assert set(shown.values()) == {"core.storage"}


def test_every_error_is_a_storage_error_and_a_builtin_where_one_fits():
    for name in NAMES:
        if name.endswith("Error"):
            assert issubclass(getattr(core.storage, name), StorageError)
    assert issubclass(core.storage.ObjectNotFoundError, FileNotFoundError)
    assert issubclass(core.storage.AccessDeniedError, PermissionError)
    assert issubclass(core.storage.StoreUnreachableError, ConnectionError)
    assert issubclass(StorageConfigError, ValueError)


def test_an_import_costs_next_to_nothing():
    bare = set(fresh("import sys; print(*sys.modules)"))
    extra = set(fresh("import sys, core.storage; print(*sys.modules)")) - bare
    assert not {name.split(".")[0] for name in extra} & (HEAVY | NOT_YET)
    assert len(extra) < 10, sorted(extra)


def test_importing_every_function_imports_nothing_that_only_some_programs_use():
    names = ", ".join(NAMES[2:])
    loaded = {
        name.split(".")[0] for name in fresh(f"import sys\nfrom core.storage import {names}\nprint(*sys.modules)")
    }
    assert not loaded & HEAVY


def test_buckets_are_read_when_they_are_asked_for(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "r")
    monkeypatch.setenv("S3_BUCKET_IN", "media-in")
    assert core.storage.BUCKET_IN == "media-in"
    monkeypatch.setenv("S3_BUCKET_IN", "other-in")
    assert core.storage.BUCKET_IN == "other-in"
    monkeypatch.setenv("S3_BUCKET_OUT", "media-out")
    assert core.storage.BUCKET_OUT == "media-out"


def test_a_missing_bucket_is_a_sentence_and_no_import_error(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "r")
    with pytest.raises(StorageConfigError, match=r"S3_BUCKET_IN is not set.*make up"):
        exec("from core.storage import BUCKET_IN", {})  # as a module of the user's would  # noqa: S102
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(StorageConfigError, match="AWS_REGION"):
        exec("from core.storage import BUCKET_OUT", {})  # noqa: S102


def test_what_does_not_exist_is_an_import_error():
    with pytest.raises(ImportError, match="downlod_file"):
        exec("from core.storage import downlod_file", {})  # noqa: S102


def test_core_is_a_namespace_package():
    assert not (PACKAGE.parent / "__init__.py").exists()
    assert importlib.import_module("core").__file__ is None
    assert (PACKAGE / "py.typed").exists()


def test_files_are_one_concept_each():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 270, path.name
