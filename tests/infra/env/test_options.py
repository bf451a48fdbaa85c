"""Polars, pyarrow, DuckDB and s3fs read a Parquet file with their options; on SeaweedFS, as identity `app`.

Each runs in a process of its own. s3fs needs another version of botocore, and so an environment of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb_extension_aws  # type: ignore[import-untyped]  # it holds no code
import duckdb_extension_httpfs  # type: ignore[import-untyped]  # the same
import pytest

from core.storage.settings import Settings
from infra.errors import UsageError
from tests.conftest import REPO
from tests.infra.env.conftest import Filled
from tests.infra.env.support import SHAPES, Machine, key_variables, keyless, rendered

_S3FS = REPO / ".local/s3fs/bin/python"

POLARS = """
import json, polars, sys
print(polars.scan_parquet(sys.argv[1], storage_options=json.load(sys.stdin)).collect()["frame"].to_list())
"""
PYARROW = """
import json, pyarrow.fs, pyarrow.parquet, sys
store = pyarrow.fs.S3FileSystem(**json.load(sys.stdin))
print(pyarrow.parquet.read_table(sys.argv[1].removeprefix("s3://"), filesystem=store)["frame"].to_pylist())
"""
DUCKDB = """
import duckdb, sys
base = duckdb.connect(config={"autoinstall_known_extensions": "false"})
for extension in sys.argv[2:]:
    base.execute(f"LOAD '{extension}'")
base.execute("SET enable_progress_bar = false")  # printed after two seconds
base.execute(sys.stdin.read())
print([frame for (frame,) in base.execute("SELECT frame FROM read_parquet(?)", [sys.argv[1]]).fetchall()])
"""
S3FS = """
import fsspec, json, sys
store = fsspec.filesystem("s3", **json.load(sys.stdin))
path = sys.argv[1].removeprefix("s3://")
assert store.ls(path.rpartition("/")[0], detail=False) == [path]
assert store.cat(path)[:4] == b"PAR1"
store.pipe(path + ".copy", b"x")
store.rm(path + ".copy")
print([1, 2, 3])
"""
_EXTENSIONS = [
    str(next(Path(package.__file__ or "").parent.rglob("*.duckdb_extension")))
    for package in (duckdb_extension_httpfs, duckdb_extension_aws)
]

Read = Callable[..., str]


@pytest.fixture(params=["polars", "pyarrow", "duckdb", "fsspec"])
def library(request: pytest.FixtureRequest, machine: Machine, filled: Filled) -> Read:
    """Return a function for each library that returns what it reads with its options."""
    name: str = request.param
    if name == "fsspec" and not _S3FS.exists():
        pytest.skip("s3fs is not in .local/s3fs: `make s3fs` installs it")

    def read(settings: Settings, **variables: str) -> str:
        text = rendered(name, settings)
        if name == "fsspec":
            return machine.run([str(_S3FS), "-c", S3FS, filled.url], text, **variables)
        if name == "duckdb":
            return machine.python(DUCKDB, text, filled.url, *_EXTENSIONS, **variables)
        return machine.python({"polars": POLARS, "pyarrow": PYARROW}[name], text, filled.url, **variables)

    return read


def test_a_parquet_file_is_read(library: Read, filled: Filled):
    assert library(filled.settings) == "[1, 2, 3]\n"


def test_a_parquet_file_is_read_with_the_keys_of_the_environment(library: Read, filled: Filled):
    assert library(keyless(filled.settings), **key_variables(filled.settings)) == "[1, 2, 3]\n"


# --- every shape ----------------------------------------------------------------------------------------


def options(name: str, shape: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(rendered(name, SHAPES[shape]))
    return loaded


def test_the_options_of_aws_leave_the_address_to_the_library():
    for name in ("polars", "pyarrow", "fsspec"):
        for shape in ("aws", "aws role"):
            assert not [option for option in options(name, shape) if "endpoint" in option]
    assert options("polars", "aws role") == {"aws_region": "eu-west-1", "aws_virtual_hosted_style_request": "true"}
    assert options("pyarrow", "aws role") == {
        "region": "eu-west-1",
        "scheme": "https",
        "force_virtual_addressing": True,
    }


def test_the_options_of_other_stores_name_their_address():
    assert options("polars", "r2")["aws_virtual_hosted_style_request"] == "false"
    assert "aws_allow_http" not in options("polars", "r2")
    assert (
        options("polars", "store")["aws_allow_http"] == "true"
    )  # Polars itself allows it, other users of object_store do not
    assert options("pyarrow", "gcp")["endpoint_override"] == "storage.googleapis.com"
    assert options("pyarrow", "gcp")["scheme"] == "https"
    assert options("fsspec", "gcp")["config_kwargs"] == {
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }


def test_polars_refuses_what_it_cannot_express():
    settings = replace(SHAPES["store"], addressing_style="virtual")
    with pytest.raises(UsageError, match="use pyarrow or fsspec"):
        rendered("polars", settings)
    assert json.loads(rendered("pyarrow", settings))["force_virtual_addressing"] is True


_READ = "import json, polars, pyarrow.fs, sys; options = json.load(sys.stdin); "
ACCEPTED = {
    "polars": _READ + "polars.scan_parquet('s3://media-in/x', storage_options=options)",
    "pyarrow": _READ + "pyarrow.fs.S3FileSystem(**options)",
}


@pytest.mark.parametrize("name", ACCEPTED)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.flow
def test_the_library_takes_the_options_of_every_shape(machine: Machine, name, shape):
    machine.python(ACCEPTED[name], rendered(name, SHAPES[shape]))


SECRETS = """
import duckdb, json, sys
base = duckdb.connect(config={"autoinstall_known_extensions": "false", "allow_unredacted_secrets": "true"})
for extension in sys.argv[1:]:
    base.execute(f"LOAD '{extension}'")
base.execute(sys.stdin.read())
rows = base.execute("SELECT name, provider, scope, secret_string FROM duckdb_secrets(redact=false)").fetchall()
print(json.dumps(rows))
"""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.flow
def test_duckdb_takes_the_secret_of_every_shape(machine: Machine, shape):
    settings = SHAPES[shape]
    of_user = {"AWS_ACCESS_KEY_ID": "AKIAUSER", "AWS_SECRET_ACCESS_KEY": "hush"}
    rows = json.loads(machine.python(SECRETS, rendered("duckdb", settings), *_EXTENSIONS, **of_user))
    ((name, provider, scope, text),) = rows
    assert name == "test-app"
    assert provider == ("credential_chain" if shape == "aws role" else "config")
    assert scope == [f"s3://{bucket}/" for bucket in (settings.bucket_in, settings.bucket_out) if bucket]
    values = dict(item.split("=", 1) for item in text.split(";"))
    assert ("refresh_info" in values) == (provider == "credential_chain")
    assert values["secret"] == (settings.secret_access_key or "hush")
    assert values["key_id"] == (settings.access_key_id or "AKIAUSER")
    assert values["region"] == settings.region
    assert values["url_style"] == ("vhost" if shape.startswith("aws") else "path")
    assert values["use_ssl"] == ("false" if (settings.endpoint_url or "").startswith("http:") else "true")
