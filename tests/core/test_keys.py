from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.storage import UnsafeKeyError, safe_path
from core.storage._keys import check_key, check_new_key

BAD = ["", "/", "a/", "a\0b", "\ud800", "k" * 1025, "é" * 513]
#: Good as keys, bad as paths.
ODD = ["/a", "//a", "a//b", "..", "../a", "a/../../b", "a/..", "./a", "a/.", "a\\b", "..\\a", "a/" + "x" * 256]


@pytest.mark.parametrize("key", BAD)
def test_a_key_that_names_no_object_is_refused(key, tmp_path):
    for function in (check_key, check_new_key, lambda key: safe_path(tmp_path, key)):
        with pytest.raises(UnsafeKeyError) as caught:
            function(key)
        assert caught.value.key == key


@pytest.mark.parametrize("key", ODD)
def test_a_key_that_is_no_safe_path_may_be_read_but_not_become_a_path(key, tmp_path):
    assert check_key(key) == key
    with pytest.raises(UnsafeKeyError):
        safe_path(tmp_path, key)


@pytest.mark.parametrize(
    "key", ["a/b.mp4", "a b+c&d", "...", "..a", "a..", ".hidden", "C:x", "~", "$HOME", "é" * 127]
)
def test_a_key_that_is_an_object_and_a_path_is_accepted_as_both(key, tmp_path):
    assert check_new_key(key) == key
    assert safe_path(tmp_path, key) == tmp_path / key


@pytest.mark.parametrize("key", ["é" * 128, "a/" + "x" * 256 + "/b", ".mpr-0123abcd.part", "a/.mpr-0123abcd.part"])
def test_a_key_that_no_file_can_have_is_not_uploaded(key):
    assert check_key(key) == key
    with pytest.raises(UnsafeKeyError):
        check_new_key(key)


def test_a_key_of_the_greatest_length():
    assert check_key("é" * 512)


def test_links_that_lead_out_are_refused_and_links_within_are_followed(tmp_path):
    folder, outside = tmp_path / "in", tmp_path / "out"
    (folder / "real").mkdir(parents=True)
    outside.mkdir()
    (folder / "away").symlink_to(outside)
    (folder / "up").symlink_to("..")
    (folder / "near").symlink_to("real")
    for key in ("away/x", "up/x", "near/../../x", "up/in2/x"):
        with pytest.raises(UnsafeKeyError):
            safe_path(folder, key)
    assert safe_path(folder, "near/x") == folder / "near" / "x"
    # The folder itself may be reached through a link.
    (tmp_path / "link").symlink_to(folder)
    assert safe_path(tmp_path / "link", "real/x") == tmp_path / "link" / "real" / "x"


def test_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert safe_path("here", "a/b") == Path("here/a/b")


@given(st.text(alphabet=st.sampled_from("./\\ab\0 é"), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_key_leaves_its_folder(tmp_path, key):
    folder = tmp_path / "folder"
    try:
        path = safe_path(folder, key)
    except UnsafeKeyError:
        return
    assert os.path.normpath(path).startswith(f"{folder}{os.sep}")
    assert str(path) == f"{folder}/{key}"
