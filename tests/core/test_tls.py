from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError, SSLError

from core.storage import (
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
    download_file,
    get_presigned_url,
    get_s3_client,
    list_objects,
    upload_file,
)
from core.storage._http import translate
from core.storage._transfer import upload
from core.storage.settings import Settings, read_env_file
from infra.env import files
from tests.core._tls import TlsStore, serving

IN, OUT = "media-in", "media-out"
KEY = "chunks/match-01.mp4"
CHECKSUMS = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("tls"), IN, OUT) as running:
        yield running


@pytest.fixture
def env_file(store: TlsStore, tmp_path):
    """What a deployment writes for this store."""
    settings = Settings(
        endpoint_url=store.endpoint,
        bucket_in=IN,
        bucket_out=OUT,
        region=store.region,
        access_key_id=store.access_key_id,
        secret_access_key=store.secret_access_key,
    )
    file = tmp_path / "tls.env"
    files.write(file, files.render(settings, "tls", "app"))
    return file


@pytest.fixture
def loaded(store, env_file, monkeypatch):
    """The environment of an application that was given the env file, and the authority."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(store.authority))
    monkeypatch.setenv("S3_ENV_FILE", str(env_file))


@pytest.fixture
def sourced(store, env_file, monkeypatch):
    """The same for a program that reads variables alone, such as one that has never heard of core.storage."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(store.authority))
    for name, value in read_env_file(env_file).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def stock():
    """boto3 without a Config: all settings from the environment."""
    client = boto3.client("s3")
    yield client
    client.close()


@pytest.fixture
def defaults(sourced, monkeypatch):
    """The control: the same environment without the two lines about checksums."""
    for name in CHECKSUMS:
        monkeypatch.delenv(name)


def refused(operation):
    return pytest.raises(ClientError, match=rf"\(MissingContentLength\) when calling the {operation} operation")


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("size", [0, 1_000_003, upload.THRESHOLD + 1], ids=["empty", "small", "in parts"])
def test_the_library_works_from_the_env_file(tmp_path, size):
    source, target = tmp_path / "source.mp4", tmp_path / "target.mp4"
    source.write_bytes(os.urandom(size))
    uploaded = upload_file(source, IN, KEY)
    assert uploaded.etag.endswith("-3") == (size > upload.THRESHOLD)
    assert [(one.key, one.size) for one in list_objects(IN, "chunks/")] == [(KEY, size)]
    assert download_file(IN, KEY, target).size == size
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.usefixtures("loaded")
def test_presigned_urls_work(store):
    trust = ssl.create_default_context(cafile=store.authority)
    put = urllib.request.Request(
        get_presigned_url(OUT, "presigned.txt", method="PUT", content_type="text/plain"),
        data=b"by a browser",
        headers={"Content-Type": "text/plain"},
        method="PUT",
    )
    urllib.request.urlopen(put, context=trust).close()
    with urllib.request.urlopen(get_presigned_url(OUT, "presigned.txt"), context=trust) as response:
        assert response.read() == b"by a browser"


@pytest.mark.usefixtures("defaults")
def test_the_control_defaults_of_boto3_fail(stock):
    with refused("PutObject"):
        stock.put_object(Bucket=IN, Key="default", Body=b"x")
    upload = stock.create_multipart_upload(Bucket=IN, Key="default")["UploadId"]
    with refused("UploadPart"):
        stock.upload_part(Bucket=IN, Key="default", UploadId=upload, PartNumber=1, Body=b"x")
    stock.abort_multipart_upload(Bucket=IN, Key="default", UploadId=upload)


@pytest.mark.usefixtures("sourced")
def test_two_lines_of_the_env_file_are_what_makes_boto3_itself_work(stock, tmp_path):
    stock.put_object(Bucket=OUT, Key="stock", Body=b"x")
    assert stock.get_object(Bucket=OUT, Key="stock")["Body"].read() == b"x"
    large = tmp_path / "large"
    large.write_bytes(os.urandom(9 * 1024 * 1024))  # boto3 sends more than 8 MiB in parts
    stock.upload_file(str(large), OUT, "large")
    assert stock.head_object(Bucket=OUT, Key="large")["ContentLength"] == large.stat().st_size


@pytest.mark.usefixtures("defaults")
@pytest.mark.parametrize("name", CHECKSUMS)
def test_only_the_first_of_the_two_decides_over_uploads(monkeypatch, name):
    monkeypatch.setenv(name, "when_required")
    client = boto3.client("s3")
    if name == CHECKSUMS[0]:
        client.put_object(Bucket=OUT, Key="one", Body=b"x")
    else:
        with refused("PutObject"):
            client.put_object(Bucket=OUT, Key="one", Body=b"x")
    client.close()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("operation", ["list", "upload", "download"])
def test_a_certificate_of_an_unknown_authority_is_refused(monkeypatch, tmp_path, env_file, operation):
    monkeypatch.delenv("AWS_CA_BUNDLE")
    calls = {
        "list": lambda: list(list_objects(IN)),
        "upload": lambda: upload_file(env_file, IN, KEY),
        "download": lambda: download_file(IN, KEY, tmp_path / "target"),
    }
    with pytest.raises(StoreUnreachableError, match=r"does not trust the store's certificate .* AWS_CA_BUNDLE$"):
        calls[operation]()
    assert not (tmp_path / "target").exists()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"])
def test_a_ca_bundle_without_certificates_is_a_configuration_error(monkeypatch, tmp_path, content):
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with pytest.raises(StorageConfigError, match="AWS_CA_BUNDLE must name a file of certificates"):
        list(list_objects(IN))


@pytest.mark.usefixtures("loaded")
def test_an_empty_aws_ca_bundle_is_absent_and_certificates_are_checked(monkeypatch):
    """Left to botocore, it would mean that no certificate is checked."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "")
    with pytest.raises(StoreUnreachableError, match="does not trust the store's certificate"):
        list(list_objects(IN))
    with pytest.raises(SSLError):
        get_s3_client().list_objects_v2(Bucket=IN)


@pytest.mark.usefixtures("loaded")
def test_an_empty_aws_ca_bundle_leaves_requests_ca_bundle(monkeypatch, store):
    monkeypatch.setenv("AWS_CA_BUNDLE", "")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(store.authority))
    list(list_objects(IN))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    with pytest.raises(StorageConfigError, match="REQUESTS_CA_BUNDLE must name a file of certificates"):
        list(list_objects(IN))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no `openssl` command")
@pytest.mark.usefixtures("loaded")
def test_aws_ca_bundle_may_be_a_folder_of_certificates(monkeypatch, store, tmp_path):
    """Files are named by the hash of their certificate, as `openssl rehash` names them."""
    name = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", str(store.authority)],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (tmp_path / f"{name}.0").write_bytes(store.authority.read_bytes())
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path))
    list(list_objects(IN))


@pytest.mark.usefixtures("sourced")
def test_a_certificate_of_another_host_is_refused(monkeypatch, store):
    monkeypatch.setenv("S3_ENDPOINT_URL", store.endpoint.replace("127.0.0.1", "localhost"))
    with pytest.raises(StoreUnreachableError, match=r"certificate is for another host .* S3_ENDPOINT_URL"):
        list(list_objects(IN))


def test_an_expired_certificate_is_refused():
    # Said by a double: to have a server with one would be to wait for it, or to turn the clock.
    said = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired"
    with pytest.raises(StoreUnreachableError, match="has expired"), translate.translated("GetObject", IN, KEY):
        raise SSLError(endpoint_url=f"https://h/{IN}/{KEY}", error=OSError(said))


def test_a_key_does_not_change_what_a_failed_handshake_means():
    with pytest.raises(StorageError) as caught, translate.translated("GetObject", IN, "match-expired"):
        raise SSLError(endpoint_url="https://h/match-expired", error=OSError("[SSL: WRONG_VERSION_NUMBER]"))
    assert "write https in S3_ENDPOINT_URL only if the store supports TLS" in str(caught.value)
