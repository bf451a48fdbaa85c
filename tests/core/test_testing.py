"""The pytest plugin for applications, on the tests of a small one, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO

APPLICATION = '''
from core.storage import BUCKET_IN, BUCKET_OUT, StorageError, download_bytes, list_objects, upload_bytes


def summarise(day):
    """Write the names and sizes of the videos of a day; the number of videos."""
    videos = list(list_objects(BUCKET_IN, f"chunks/{day}/"))
    lines = [f"{video.key} {video.size}" for video in videos]
    upload_bytes("\\n".join(lines).encode(), BUCKET_OUT, f"summaries/{day}.txt")
    return len(videos)


def summary(day):
    try:
        return download_bytes(BUCKET_OUT, f"summaries/{day}.txt").decode()
    except StorageError as error:
        return f"not available: {error.code}"
'''
CONFTEST = 'pytest_plugins = ["core.storage.testing"]\n'
TESTS = """
import os
import time

import pytest

import summaries
from core.storage import IntegrityError, get_object_info, list_objects, upload_bytes


def test_a_day_is_summarised(storage):
    upload_bytes(b"film", storage.bucket_in, "chunks/2026-11-28/a.mp4")
    assert summaries.summarise("2026-11-28") == 1
    assert summaries.summary("2026-11-28") == "chunks/2026-11-28/a.mp4 4"
    assert storage.requests == ["PutObject", "ListObjectsV2", "PutObject", "GetObject"]


def test_no_test_sees_the_objects_of_another(storage):
    assert list(list_objects(storage.bucket_in)) == []
    assert summaries.summary("2026-11-28") == "not available: NoSuchKey"


def test_the_buckets_are_there_without_the_fixture_too():
    assert summaries.summarise("2026-11-28") == 0


def test_a_fault_that_passes_is_not_seen(storage):
    storage.fail("PutObject", times=2)
    assert summaries.summarise("2026-11-28") == 0
    assert storage.requests == ["ListObjectsV2", *["PutObject"] * 3]


def test_a_fault_that_stays_is_an_error_of_the_application(storage):
    storage.fail("GetObject", code="AccessDenied")
    assert summaries.summary("2026-11-28") == "not available: AccessDenied"


def test_a_flipped_bit_is_noticed(storage):
    upload_bytes(b"x" * 1000, storage.bucket_out, "summaries/1.txt")
    storage.corrupt("GetObject")
    assert summaries.summary("1") == "x" * 1000
    storage.corrupt("GetObject", times=2)
    with pytest.raises(IntegrityError):
        from core.storage import download_bytes
        download_bytes(storage.bucket_out, "summaries/1.txt")
    storage.corrupt("PutObject")
    with pytest.raises(IntegrityError):
        upload_bytes(b"y", storage.bucket_out, "k")


def test_a_slow_store_is_slow(storage):
    storage.slow("HeadObject", seconds=0.3)
    upload_bytes(b"x", storage.bucket_out, "k")
    start = time.monotonic()
    get_object_info(storage.bucket_out, "k")
    assert time.monotonic() - start >= 0.3


def test_nothing_of_the_user_is_there(storage):
    assert storage.settings.endpoint_url.startswith("http://127.0.0.1:")
    assert "AWS_PROFILE" not in os.environ
    assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"


def test_wrong_faults_are_refused(storage):
    with pytest.raises(ValueError, match="operation must be one of ListObjectsV2, "):
        storage.fail("GetObjekt")
    with pytest.raises(ValueError, match="code must be one of AccessDenied, "):
        storage.fail("GetObject", code="Nonsense")
    with pytest.raises(ValueError, match="times must be at least 1, got 0"):
        storage.slow("GetObject", seconds=1, times=0)
    with pytest.raises(ValueError, match="operation must be GetObject, PutObject or UploadPart"):
        storage.corrupt("ListObjectsV2")


@pytest.mark.parametrize("number", range(10))
def test_large_objects_go_in_parts(storage, number):
    if number:
        assert list(list_objects(storage.bucket_out)) == []
        return
    upload_bytes(bytes(33 * 1024 * 1024), storage.bucket_out, "large")
    assert storage.requests[0] == "CreateMultipartUpload"
    assert storage.requests[-1] == "CompleteMultipartUpload"
    assert get_object_info(storage.bucket_out, "large").size == 33 * 1024 * 1024
"""


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on the application, as its developer would."""
    environment = {**os.environ, "PYTHONPATH": f"{REPO}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"AWS_PROFILE": "of-the-user", "AWS_ACCESS_KEY_ID": "of-the-user", **variables}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.fixture
def application(tmp_path: Path) -> Path:
    (tmp_path / "summaries.py").write_text(APPLICATION)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_summaries.py").write_text(TESTS)
    return tmp_path


def test_an_application_is_tested_without_a_store(application):
    done = run(application)
    assert "19 passed" in done.stdout, done.stdout + done.stderr
    assert "warning" not in done.stdout


def test_its_tests_run_side_by_side_and_in_any_order(application):
    done = run(application, "-n", "2", "-p", "xdist")
    assert "19 passed" in done.stdout, done.stdout + done.stderr


def test_a_conftest_that_imports_the_application_names_the_plugin_with_p(application):
    (application / "conftest.py").write_text("import summaries\n")
    assert "AWS_REGION is not set" in run(application).stderr
    done = run(application, "-p", "core.storage.testing", "-k", "summarised")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_environment_is_as_before_afterwards(application):
    (application / "conftest.py").write_text(
        f"{CONFTEST}import os\ndef pytest_unconfigure(): print('key', os.environ['AWS_ACCESS_KEY_ID'])\n"
    )
    assert "key " in run(application, "-k", "summarised", "-s").stdout
    script = (
        "import os, pytest; pytest.main(['-q', '-p', 'no:cacheprovider', '-k', 'summarised']); "
        "print(os.environ['AWS_ACCESS_KEY_ID'], os.environ.get('S3_BUCKET_IN'))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{REPO}{os.pathsep}{application}", "AWS_ACCESS_KEY_ID": "mine"}
    environment.pop("S3_BUCKET_IN", None)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=application,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "mine None"
