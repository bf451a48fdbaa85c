from __future__ import annotations

import dataclasses
import os
import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.storage import Settings, StorageConfigError
from core.storage._config import current
from core.storage._config.env_file import parse, render
from core.storage._config.validate import bucket_name_problem, endpoint_problem
from core.storage.settings import read_env_file

FULL = {
    "S3_ENDPOINT_URL": "http://localhost:8333",
    "S3_PUBLIC_ENDPOINT_URL": "https://media.example.org",
    "S3_BUCKET_IN": "media-in",
    "S3_BUCKET_OUT": "media-out",
    "S3_BUCKET_OWNER": "123456789012",
    "S3_ADDRESSING_STYLE": "virtual",
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "the-secret",
    "AWS_SESSION_TOKEN": "the-token",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/mpr-prod-app",
}

parts = st.text(string.ascii_lowercase + string.digits, min_size=3, max_size=10)
names = parts | st.builds("{}-{}".format, parts, parts)
secrets = st.text(string.ascii_letters + string.digits + "/+=", min_size=1, max_size=40)
urls = st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), names, st.sampled_from(["", ":9000"]))


@st.composite
def any_settings(draw):
    keys = draw(st.booleans())
    return Settings(
        endpoint_url=draw(st.none() | urls),
        public_endpoint_url=draw(st.none() | urls),
        bucket_in=draw(st.none() | names),
        bucket_out=draw(st.none() | names),
        bucket_owner=draw(st.none() | st.integers(0, 10**12 - 1).map("{:012}".format)),
        addressing_style=draw(st.sampled_from([None, "path", "virtual"])),
        region=draw(names),
        access_key_id=draw(secrets) if keys else None,
        secret_access_key=draw(secrets) if keys else None,
        session_token=draw(st.none() | secrets) if keys else None,
        role_arn=draw(st.none() | names.map("arn:aws:iam::123456789012:role/{}".format)),
    )


@given(any_settings())
def test_what_is_written_is_read_back(settings):
    env = settings.to_env()
    assert Settings.from_env(env) == settings
    assert Settings.from_env(parse(render(env))) == settings
    assert list(env) == list(settings.to_env())


def test_every_variable_of_the_contract_is_written():
    settings = Settings.from_env(FULL)
    env = settings.to_env()
    assert env == FULL | {
        "AWS_ENDPOINT_URL_S3": "http://localhost:8333",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def test_on_aws_nothing_is_written_that_it_does_not_need():
    assert Settings(region="eu-west-1", bucket_in="media-in").to_env() == {
        "S3_BUCKET_IN": "media-in",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }


@pytest.mark.parametrize(
    ("endpoint", "checksums", "addressing"),
    [
        (None, "when_supported", "virtual"),
        ("https://s3.eu-west-1.amazonaws.com", "when_supported", "virtual"),
        ("https://S3.EU-WEST-1.AMAZONAWS.COM:443", "when_supported", "virtual"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "when_supported", "virtual"),
        ("https://storage.googleapis.com", "when_required", "path"),
        ("https://x.r2.cloudflarestorage.com", "when_required", "path"),
        ("http://localhost:9000", "when_required", "path"),
        ("https://amazonaws.com.evil.example", "when_required", "path"),
        ("https://notamazonaws.com", "when_required", "path"),
    ],
)
def test_the_dialect_goes_by_the_host(endpoint, checksums, addressing):
    dialect = Settings(endpoint_url=endpoint, region="r").dialect
    assert (dialect.checksums, dialect.addressing) == (checksums, addressing)


def test_gzip_is_accepted_from_google_alone():
    """It decompresses what is stored with gzip for other clients, and a proxy could compress for this one."""
    google = Settings(endpoint_url="https://storage.googleapis.com", region="auto")
    assert google.dialect.accept_encoding == "gzip"
    assert {Settings(endpoint_url=url, region="r").dialect.accept_encoding for url in (None, "http://h")} == {
        "identity"
    }


def test_a_role_has_a_file_without_keys():
    role = "arn:aws:iam::123456789012:role/mpr-prod-app"
    settings = Settings(region="eu-west-1", bucket_in="media-in", bucket_owner="123456789012", role_arn=role)
    assert settings.to_env() == {
        "S3_BUCKET_IN": "media-in",
        "S3_BUCKET_OWNER": "123456789012",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ROLE_ARN": role,
    }
    assert role in repr(settings)  # it opens nothing


def test_a_role_that_the_platform_names_beside_keys_changes_nothing_of_them():
    # a pod of EKS has a role of its own, whatever store its env file is about
    settings = Settings.from_env(FULL | {"AWS_ROLE_ARN": "arn:aws:iam::210987654321:role/pod"})
    assert dataclasses.replace(settings, role_arn=FULL["AWS_ROLE_ARN"]) == Settings.from_env(FULL)


def test_an_empty_variable_is_absent():
    settings = Settings.from_env({"AWS_REGION": "", "AWS_DEFAULT_REGION": "r-1", "S3_ENDPOINT_URL": ""})
    assert settings == Settings(region="r-1")


def test_the_environment_wins_over_the_file_setting_by_setting(tmp_path):
    file = tmp_path / "x.env"
    file.write_text(render(FULL))
    settings = Settings.load({"S3_ENV_FILE": str(file), "S3_BUCKET_IN": "other-in"})
    assert settings == dataclasses.replace(Settings.from_env(FULL), bucket_in="other-in")


def test_keys_come_from_one_place_together(tmp_path):
    file = tmp_path / "x.env"
    file.write_text(render(FULL))
    pair = {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other-secret"}
    settings = Settings.load({"S3_ENV_FILE": str(file), **pair})
    assert (settings.access_key_id, settings.secret_access_key, settings.session_token) == (*pair.values(), None)
    for name in pair:
        with pytest.raises(StorageConfigError, match="must be set together"):
            Settings.load({"S3_ENV_FILE": str(file), name: "half"})


def test_the_process_environment_is_the_default(monkeypatch, tmp_path):
    file = tmp_path / "x.env"
    file.write_text(render(FULL))
    monkeypatch.setenv("S3_ENV_FILE", str(file))
    assert Settings.load() == Settings.from_env(FULL)


def test_without_a_region_the_message_says_how_to_get_one():
    with pytest.raises(StorageConfigError, match=r"AWS_REGION is not set.*AWS_REGION=.*make up.*S3_ENV_FILE"):
        Settings.load({})


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(StorageConfigError, match=r"none\.env: No such file.*make up"):
        read_env_file(tmp_path / "none.env")
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(StorageConfigError, match="not UTF-8"):
        read_env_file(tmp_path / "binary")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"S3_ENDPOINT_URL": "localhost:9000"}, "S3_ENDPOINT_URL"),
        ({"S3_PUBLIC_ENDPOINT_URL": "https://h/path"}, "S3_PUBLIC_ENDPOINT_URL"),
        ({"S3_BUCKET_IN": "No"}, "S3_BUCKET_IN"),
        ({"S3_BUCKET_OUT": "a..b"}, "S3_BUCKET_OUT"),
        ({"S3_BUCKET_OWNER": "12"}, "S3_BUCKET_OWNER"),
        ({"S3_ADDRESSING_STYLE": "auto"}, "S3_ADDRESSING_STYLE"),
        ({"AWS_REGION": "eu west"}, "AWS_REGION"),
        (
            {"AWS_REGION": "eu-west-1a"},
            "AWS_REGION is eu-west-1a, which is an availability zone: .* region eu-west-1",
        ),
        (
            {"S3_ENDPOINT_URL": "http://my_minio:9000"},
            "an underscore in the host name my_minio",
        ),
        (
            {"S3_ENDPOINT_URL": "http://media-out.s3.example", "S3_ADDRESSING_STYLE": ""},
            "the bucket media-out: leave",
        ),
        ({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE\n"}, "AWS_ACCESS_KEY_ID holds a line break"),
        ({"AWS_ACCESS_KEY_ID": "AKIA EXAMPLE"}, "AWS_ACCESS_KEY_ID holds a space"),
        ({"AWS_ACCESS_KEY_ID": '"AKIAEXAMPLE"'}, "AWS_ACCESS_KEY_ID is in quotes"),
        ({"AWS_SECRET_ACCESS_KEY": "the-secret\r"}, "AWS_SECRET_ACCESS_KEY holds a line break"),
        ({"AWS_SESSION_TOKEN": "'the-token'"}, "AWS_SESSION_TOKEN is in quotes"),
        ({"AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "AWS_SESSION_TOKEN"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_shown(wrong, named):
    with pytest.raises(StorageConfigError, match=named) as caught:
        Settings.from_env(FULL | wrong)
    assert "the-secret" not in str(caught.value)
    assert "the-token" not in str(caught.value)


def test_every_problem_is_reported_at_once():
    with pytest.raises(StorageConfigError, match=r"S3_BUCKET_IN.*AWS_REGION"):
        Settings(bucket_in="X", region="?")


def test_a_repr_shows_no_key():
    text = repr(Settings.from_env(FULL))
    assert "media-in" in text
    for hidden in ("AKIAEXAMPLE", "the-secret", "the-token"):
        assert hidden not in text


def test_a_bucket_that_is_not_named_has_no_default():
    settings = Settings(region="r", bucket_in="media-in")
    assert settings.bucket("in") == "media-in"
    with pytest.raises(StorageConfigError, match=r"S3_BUCKET_OUT is not set.*make up"):
        settings.bucket("out")


@pytest.mark.parametrize("name", ["abc", "a-b.c-1", "0" * 63])
def test_good_bucket_names(name):
    assert bucket_name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Abc", "-ab", "ab-", "a..b", "192.168.0.1", "a_b", "é-b", "a b", "abc\n"]
)
def test_bad_bucket_names(name):
    assert bucket_name_problem(name)


@pytest.mark.parametrize(
    "url", ["http://h", "https://h:1", "http://h/", "http://[::1]:9000", "http://h.example.:1"]
)
def test_good_endpoints(url):
    assert endpoint_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "ftp://h",
        "http://",
        "http://h:x",
        "http://h:99999",
        "http://u:p@h",
        "http://h/p",
        "http://h?q",
        "http://h?",
        "http://h#",
        "http://my_minio:9000",
        "http://[h",
        "https://m\u00e9dias.example",
        "http://a..b",
        "http://.a",
        f"http://{'a' * 64}.example",
        "http://h$",
    ],
)
def test_bad_endpoints(url):
    assert endpoint_problem(url)


@pytest.fixture
def loads(monkeypatch):
    """How often the settings were really read."""
    count: list[int] = []
    real = Settings.load

    def load(_cls: type[Settings]) -> Settings:
        count.append(1)
        return real()

    monkeypatch.setattr(current, "_cache", None)
    monkeypatch.setattr(Settings, "load", classmethod(load))
    return count


def test_current_settings_are_read_again_only_when_something_changed(monkeypatch, tmp_path, loads):
    file = tmp_path / "x.env"
    file.write_text(render(FULL))
    monkeypatch.setenv("S3_ENV_FILE", str(file))
    first = current.current_settings()
    assert current.current_settings() is first
    assert len(loads) == 1

    monkeypatch.setenv("UNRELATED", "x")
    assert current.current_settings() is first

    monkeypatch.setenv("S3_BUCKET_IN", "other-in")
    assert current.current_settings().bucket_in == "other-in"

    rotated = tmp_path / "new"
    rotated.write_text(render(FULL | {"AWS_ACCESS_KEY_ID": "AKIAROTATED"}))
    rotated.replace(file)
    assert current.current_settings().access_key_id == "AKIAROTATED"
    assert len(loads) == 3


@pytest.fixture
def env_file(monkeypatch, tmp_path: Path) -> Path:
    """An env file that the environment names, and that was read."""
    file = tmp_path / "x.env"
    file.write_text(render(FULL))
    monkeypatch.setenv("S3_ENV_FILE", str(file))
    monkeypatch.setattr(current, "_cache", None)
    current.current_settings()
    return file


@pytest.mark.parametrize("content", [None, "", "AWS_REG", "AWS_REGION=eu-west-1\nAWS_ACCESS_KEY_ID=x\n"])
def test_the_last_good_settings_stay_while_the_env_file_cannot_be_used(env_file, content, caplog):
    good = current.current_settings()
    env_file.unlink()
    if content is not None:
        env_file.write_text(content)
    assert current.current_settings() == good
    assert "the env file cannot be used, so the settings and the keys stay as they were: " in caplog.text
    env_file.write_text(render(FULL | {"AWS_ACCESS_KEY_ID": "AKIAROTATED"}))
    assert current.current_settings().access_key_id == "AKIAROTATED"


def test_settings_of_other_variables_do_not_stay(env_file, monkeypatch, tmp_path):
    monkeypatch.setenv("S3_ENV_FILE", str(tmp_path / "another.env"))
    with pytest.raises(StorageConfigError, match="cannot read"):
        current.current_settings()


def test_an_env_file_that_is_a_pipe_is_read_once_by_all_threads(monkeypatch, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("S3_ENV_FILE", str(pipe))
    monkeypatch.setattr(current, "_cache", None)
    barrier = Barrier(8)

    def read(_number: int) -> Settings:
        barrier.wait()
        return current.current_settings()

    with ThreadPoolExecutor(9) as pool:
        written = pool.submit(pipe.write_text, render(FULL))
        found = list(pool.map(read, range(8)))
        written.result()
    assert {settings.bucket_in for settings in found} == {FULL["S3_BUCKET_IN"]}
    assert current.current_settings() is found[0]


def test_a_message_says_which_variables_come_from_the_file(tmp_path):
    file = tmp_path / "x.env"
    file.write_text("AWS_REGION=eu-west-1a\nS3_BUCKET_IN=media-in\n")
    with pytest.raises(StorageConfigError, match=rf"availability zone.* \(AWS_REGION: from {file}\)$"):
        Settings.load({"S3_ENV_FILE": str(file)})
    with pytest.raises(StorageConfigError, match=r"availability zone: set it to the region eu-west-1$"):
        Settings.load({"S3_ENV_FILE": str(file), "AWS_REGION": "eu-west-1b"} | {"AWS_REGION": "eu-west-1a"})


def test_an_endpoint_that_begins_like_a_bucket_is_taken_with_the_path_style():
    settings = Settings(
        region="r", endpoint_url="http://media.example", bucket_in="media", addressing_style="path"
    )
    assert settings.bucket("in") == "media"


def test_an_env_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "x.env").write_bytes(b"\xef\xbb\xbfAWS_REGION=r\n")
    assert read_env_file(tmp_path / "x.env") == {"AWS_REGION": "r"}
