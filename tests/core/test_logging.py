from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time

import pytest

from core.storage import (
    IntegrityError,
    StoreUnreachableError,
    _log,
    download_file,
    list_objects,
    temporary_download,
)
from core.storage._config import current
from core.storage._transfer import atomic_file
from tests.core._fake_s3 import busy, flipped, truncated

BODY = os.urandom(3 * 1024 * 1024)


@pytest.fixture
def said(caplog, monkeypatch):
    """The records of the library, at every level, as level and sentence."""
    monkeypatch.setattr(current, "_cache", None)  # what the store of another test was is no change here
    caplog.set_level(logging.DEBUG, logger="core.storage")
    return lambda: [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "core.storage"]


@pytest.fixture
def served(fake):
    fake.put("/bucket/k", BODY)
    return fake


def test_a_verified_download_is_logged_as_debug(served, said, tmp_path):
    download_file("bucket", "k", tmp_path / "k")
    assert said() == [("DEBUG", f"'bucket/k' is complete: {len(BODY)} bytes, verified by md5")]
    with temporary_download("bucket", "k"):
        assert len(said()) == 2


def test_a_download_verified_by_size_alone_is_logged_so(served, said, tmp_path):
    served.headers["ETag"] = '"no hash"'
    download_file("bucket", "k", tmp_path / "k")
    assert said()[-1][1].endswith("verified by size")


def test_a_retried_request_is_logged_as_info(served, said, tmp_path):
    served.faults += [busy, busy]
    download_file("bucket", "k", tmp_path / "k")
    levels, sentences = zip(*said(), strict=True)
    assert levels == ("INFO", "INFO", "DEBUG")
    for number, sentence in enumerate(sentences[:2], start=1):
        form = rf"GetObject on 'bucket/k' failed \('SlowDown'\), attempt {number} of 5; tried again after 0\.\d+ s"
        assert re.fullmatch(form, sentence)


def test_a_retry_without_a_response_is_logged_with_its_cause(use, said, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    use("http://127.0.0.1:9", "bucket")
    with pytest.raises(StoreUnreachableError):
        list(list_objects("bucket"))
    sentences = [sentence for _, sentence in said()]
    assert len(sentences) == 4  # the fifth is the error
    assert all("ListObjectsV2 on 'bucket' failed" in one and "refused" in one for one in sentences)


def test_a_resumed_download_is_logged_as_info(served, said, tmp_path):
    served.faults.append(truncated(1_000_000))
    download_file("bucket", "k", tmp_path / "k")
    level, sentence = said()[0]
    assert level == "INFO"
    assert re.match(
        rf"the download of 'bucket/k' broke at byte \d+ of {len(BODY)} \(.+\); resumed after 0\.\d+ s", sentence
    )


def test_a_damaged_download_is_logged_as_a_warning(served, said, tmp_path):
    served.faults.append(flipped)
    download_file("bucket", "k", tmp_path / "k")
    level, sentence = said()[0]
    assert level == "WARNING"
    assert sentence.endswith("it is read once more")
    served.always = flipped
    with pytest.raises(IntegrityError):
        download_file("bucket", "k", tmp_path / "k")
    assert [one for one, _ in said()].count("WARNING") == 2


def test_removed_parts_are_logged_as_info(said, tmp_path):
    for name in ("0000000a", "0000000b"):
        part = tmp_path / f".mpr-{name}.part"
        part.touch()
        os.utime(part, (0, 0))
    (tmp_path / ".mpr-0000000c.part").touch()
    atomic_file.sweep(str(tmp_path))
    assert said() == [("INFO", f"removed 2 temporary files of killed downloads from {str(tmp_path)!r}")]


def test_a_line_break_in_a_key_breaks_no_line_of_the_log(fake, said, tmp_path):
    fake.put("/bucket/a%0AINFO forged", b"x")
    fake.faults.append(busy)
    download_file("bucket", "a\nINFO forged", tmp_path / "k")
    assert len(said()) == 2
    assert not any("\n" in sentence for _, sentence in said())


def test_without_configured_logging_nothing_is_printed(served, tmp_path):
    """Without logging configured, the library writes nothing anywhere, not even warnings."""
    served.faults.append(flipped)
    code = "import sys; from core.storage import download_file; download_file('bucket', 'k', sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "k"], env=os.environ, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_library_configures_no_log_handler():
    (handler,) = [one for one in _log.logger.handlers if not type(one).__module__.startswith("_pytest")]
    assert type(handler) is logging.NullHandler
    assert _log.logger.level == logging.NOTSET
    assert _log.logger.propagate
