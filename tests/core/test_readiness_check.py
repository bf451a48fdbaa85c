from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from email.utils import formatdate

import pytest

from core.storage import get_s3_client
from core.storage.__main__ import main
from core.storage._readiness import check, env_file_check
from tests.core._fake_s3 import Page
from tests.core._tls import serving
from tests.core.transport import requests_of

LISTING = b'<?xml version="1.0"?><ListBucketResult></ListBucketResult>'


@pytest.fixture
def checked(capsys):
    """Runs the command here; its exit code, and what it found by name. No output holds a secret or a traceback."""

    def checked(*arguments):
        code = main(["check", "--json", *arguments])
        out, err = capsys.readouterr()
        assert err == ""
        assert os.environ.get("AWS_SECRET_ACCESS_KEY", "no secret") not in out
        report = json.loads(out)
        assert report["exit_code"] == code
        assert report["ready"] == (code == 0)
        return code, {one["name"]: (one["status"], one["message"]) for one in report["findings"]}

    return checked


@pytest.fixture
def user(iam, bucket, monkeypatch):
    """Has the environment be that of a user who may do these actions on these resources, and nothing else."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def user(*actions):
        statement = {"Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{bucket}/*"]}
        listing = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{bucket}"]}
        policy = {"Version": "2012-10-17", "Statement": [listing, *([statement] if actions else [])]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])

    return user


def run(*arguments, seconds=60):
    """The command as a container runs it: the exit code, and the lines."""
    command = [sys.executable, "-m", "core.storage", "check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.mark.usefixtures("any_bucket")
def test_a_good_environment_passes_and_nothing_is_written(any_bucket, any_store):
    code, lines = run()
    assert code == 0
    assert [line.split()[:2] for line in lines] == [
        ["ok", one] for one in ("settings", "endpoint", "clock", "credentials", "in", "out")
    ]
    assert f"access key ID ...{any_store.access_key_id[-4:]}" in lines[0]
    assert get_s3_client().list_objects_v2(Bucket=any_bucket)["KeyCount"] == 0


def test_with_write_an_object_is_put_and_deleted_again(any_bucket, checked):
    code, found = checked("--write")
    assert code == 0
    assert found["in write"] == ("ok", f"{any_bucket} can be written")
    assert get_s3_client().list_objects_v2(Bucket=any_bucket)["KeyCount"] == 0


def test_an_identity_that_may_only_read_passes(user, checked):
    user("s3:GetObject")
    code, found = checked("--write")
    assert code == 0
    assert found["in"][0] == "ok"
    assert found["out write"][0] == "ok"
    assert "read-only" in found["out write"][1]


def test_an_object_that_cannot_be_deleted_again_is_named(fake, checked):
    fake.put("/bucket", LISTING)
    fake.refuse["DELETE"] = (403, "AccessDenied")
    code, found = checked("--write")
    assert code == 0
    assert found["in write"][0] == "warning"
    (left,) = (
        path
        for path in fake.objects
        if path.startswith("/bucket/") and path.split("/")[-1] in found["in write"][1]
    )
    assert left.startswith("/bucket/.mpr-check/")


def test_a_store_that_refuses_a_write_fails_the_bucket(fake, checked):
    fake.put("/bucket", LISTING)
    fake.refuse["PUT"] = (400, "QuotaExceeded")
    code, found = checked("--write")
    assert code == 1
    assert found["in write"][0] == "failed"
    assert found["in write"][1].startswith("QuotaExceeded: PutObject on bucket/.mpr-check/")
    assert found["in write"][1].endswith("about that code")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN12345"}, ": the store does not know the access key"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "SignatureDoesNotMatch: the secret does not belong to"),
    ],
)
def test_a_wrong_access_key_fails_the_credentials(any_bucket, monkeypatch, checked, change, said):
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    code, found = checked("--write")
    assert code == 1
    assert found["credentials"][0] == "failed"
    assert said in found["credentials"][1]
    assert "AKIAUNKNOWN12345" not in str(found)
    assert "in" not in found


def test_an_expired_access_key_fails_the_credentials(fake, checked):
    fake.put("/bucket", b"")
    fake.always = lambda handler, _body, _start: handler.send_error_document(400, "ExpiredToken")
    code, found = checked()
    assert code == 1
    assert found["credentials"][0] == "failed"
    assert found["credentials"][1].endswith("have expired; fetch new ones")


def test_each_bucket_is_reported_by_its_own_rights(user, bucket, monkeypatch, checked):
    user()
    other = f"{bucket}-other"
    monkeypatch.setenv("S3_BUCKET_OUT", other)
    admin = {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin-secret"}
    with pytest.MonkeyPatch.context() as as_admin:
        for name, value in admin.items():
            as_admin.setenv(name, value)
        get_s3_client().create_bucket(Bucket=other)
    code, found = checked()
    assert code == 1
    assert found["credentials"][0] == "ok"
    assert found["in"] == ("ok", f"{bucket} can be listed")
    assert found["out"][0] == "failed"
    assert found["out"][1].startswith("AccessDenied: ")
    assert "--prefix out=" in found["out"][1]


def test_a_missing_bucket_fails_alone(any_bucket, monkeypatch, checked):
    monkeypatch.setenv("S3_BUCKET_IN", "none-of-that-name")
    code, found = checked("--write")
    assert code == 1
    assert found["in"] == (
        "failed",
        "NoSuchBucket: there is no bucket none-of-that-name; check S3_BUCKET_IN and S3_BUCKET_OUT",
    )
    assert found["out"] == ("ok", f"{any_bucket} can be listed")
    assert "in write" not in found


def test_a_wrong_region_fails_the_bucket_and_says_what_to_set(fake, checked):
    fake.put("/bucket", b"")
    fake.always = lambda handler, _body, _start: handler.send_error_document(400, "AuthorizationHeaderMalformed")
    code, found = checked()
    assert code == 1
    assert found["in"][1].endswith("set AWS_REGION to the region of the bucket")


def test_with_a_prefix_nothing_outside_it_is_requested(fake, checked):
    fake.put("/bucket", LISTING)
    code, _ = checked("--write", "--prefix", "out=frames/a b/")
    assert code == 0
    lists = [path for verb, path, _ in fake.requests if verb == "GET"]
    assert [path.partition("prefix=")[2] for path in lists] == ["", "frames%2Fa%20b%2F"]
    puts = [path for verb, path, _ in fake.requests if verb == "PUT"]
    assert [path.partition(".mpr-check/")[0] for path in puts] == ["/bucket/", "/bucket/frames/a%20b/"]


@pytest.mark.parametrize(
    ("seconds", "status", "said", "wanted"),
    [
        (0, "ok", "the store's", 0),
        (300, "warning", "300 s behind", 0),
        (-300, "warning", "300 s ahead of", 0),
        (3600, "failed", "3600 s behind", 1),
    ],
)
def test_a_clock_that_differs_is_reported(fake, checked, monkeypatch, seconds, status, said, wanted):
    now = float(int(time.time()))
    monkeypatch.setattr(time, "time", lambda: now)
    fake.put("/bucket", LISTING)
    fake.headers["Date"] = formatdate(now + seconds, usegmt=True)
    code, found = checked()
    assert code == wanted
    assert found["clock"][0] == status
    assert said in found["clock"][1]
    assert "sync it" in found["clock"][1] or not seconds


def test_a_clock_that_the_store_refuses_is_a_failure(fake, checked):
    fake.put("/bucket", b"")
    fake.always = lambda handler, _body, _start: handler.send_error_document(403, "RequestTimeTooSkewed")
    code, found = checked()
    assert code == 1
    assert found["clock"][0] == "failed"
    assert "sync the clock" in found["clock"][1]


def test_a_store_that_is_down_is_unreachable(use):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        use(f"http://127.0.0.1:{taken.getsockname()[1]}", "bucket")
        code, lines = run()
    assert code == 3
    assert lines[-1].startswith("failed   endpoint")
    assert lines[-1].endswith("is the store running, and S3_ENDPOINT_URL correct?")


def test_a_host_name_that_is_unknown_is_unreachable(use, checked):
    use("http://store.invalid", "bucket")
    code, found = checked()
    assert code == 3
    assert found["endpoint"][1].startswith("http://store.invalid: the host name cannot be resolved")
    assert found["endpoint"][1].endswith("DNS of this machine")


def test_a_store_that_is_too_busy_gets_one_request(fake, checked):
    fake.put("/bucket", b"")
    fake.always = lambda handler, _body, _start: handler.send_error_document(503, "SlowDown")
    code, found = checked()
    assert code == 3
    assert "too busy" in found["endpoint"][1]
    assert len(fake.requests) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_never_responds_is_unreachable(use, scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", "bucket")
        code, lines = run("--timeout", "1", seconds=15)  # one read alone would wait for 20
    assert code == 3
    assert {
        "http": "accepted the connection and sent no response within 1 s",
        "https": "could not connect to https://127.0.0.1:",
    }[scheme] in lines[-1]
    assert " within 1 s; " in lines[-1]
    assert lines[-1].endswith("?")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (Page(), "status 200, Content-Type text/html ('Sign in - Example') and no XML element ListBucketResult"),
        (Page(404), "status 404, Content-Type text/html ('Sign in - Example') and no error code of S3"),
        (Page(404, b"404 page not found\n", "text/plain"), "Content-Type text/plain ('404 page not found')"),
        (Page(200, b"{}", ""), "status 200, no Content-Type and no XML element ListBucketResult"),
    ],
)
def test_a_server_that_is_not_a_store_fails_the_endpoint(fake, checked, page, said):
    fake.page = page
    code, found = checked("--write")
    assert code == 1
    assert set(found) == {"settings", "endpoint"}
    assert found["endpoint"][0] == "failed"
    assert said in found["endpoint"][1]
    assert "Check the host and port of S3_ENDPOINT_URL (MinIO's console is on port 9001" in found["endpoint"][1]
    assert len(fake.requests) == 1


def test_a_page_in_the_place_of_a_refusal_fails_the_endpoint(fake, checked):
    fake.page = Page(403)
    code, found = checked()
    assert code == 1
    assert "status 403, Content-Type text/html ('Sign in - Example')" in found["endpoint"][1]


def test_a_certificate_is_trusted_by_the_file_of_aws_ca_bundle(tmp_path, use, monkeypatch, checked):
    with serving(tmp_path, "media") as store:
        use(store.endpoint, "media", key=store.access_key_id, secret=store.secret_access_key)
        code, found = checked()
        assert code == 3
        assert "does not trust the store's certificate" in found["endpoint"][1]
        assert found["endpoint"][1].endswith("AWS_CA_BUNDLE")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(store.authority))
        assert checked("--write")[0] == 0
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none"))
        code, found = checked()
        assert code == 2
        assert "AWS_CA_BUNDLE" in found["settings"][1]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (["AWS_REGION", "S3_ENDPOINT_URL"], "AWS_REGION is not set"),
        (["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], "no credentials"),
        (["S3_BUCKET_IN", "S3_BUCKET_OUT"], "neither S3_BUCKET_IN nor S3_BUCKET_OUT"),
    ],
)
def test_a_variable_that_is_missing_fails_the_settings(use, monkeypatch, checked, missing, said):
    use("http://127.0.0.1:9", "bucket")
    for name in missing:
        monkeypatch.delenv(name)
    code, found = checked()
    assert code == 2
    assert set(found) == {"settings"}
    assert said in found["settings"][1]


def keyless(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("bucket")
def test_credentials_of_the_chain_of_boto3_pass(monkeypatch, tmp_path, checked, store):
    keyless(monkeypatch)
    file = tmp_path / "credentials"
    keys = {"aws_access_key_id": store.access_key_id, "aws_secret_access_key": store.secret_access_key}
    file.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    code, found = checked()
    assert code == 0
    assert found["settings"][1].endswith("credentials from boto3's credential chain")
    assert store.secret_access_key not in str(found)


@pytest.mark.usefixtures("bucket")
def test_a_credential_chain_that_breaks_fails_the_settings(monkeypatch, checked):
    keyless(monkeypatch)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    code, found = checked()
    assert code == 2
    assert found["settings"][1].startswith("boto3's credential chain raised ProfileNotFound; no credentials: set")


@pytest.mark.usefixtures("bucket")
def test_a_credential_chain_that_hangs_ends_at_the_time_limit(monkeypatch):
    keyless(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "30")
        code, lines = run("--timeout", "3", seconds=25)
    assert code == 3
    assert "no credentials were found within 3 s; set AWS_ACCESS_KEY_ID" in lines[-1]


@pytest.mark.usefixtures("fake")
def test_a_name_lookup_that_hangs_ends_at_the_time_limit(monkeypatch, checked):
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: ended.wait(20) and [])
    try:
        code, found = checked("--timeout", "1")
    finally:
        ended.set()
        for one in threading.enumerate():
            if one.name == "mpr-check":
                one.join()
    assert code == 3
    assert "the name 127.0.0.1 was not resolved within 1 s; check S3_ENDPOINT_URL" in found["endpoint"][1]


def test_a_folder_in_the_place_of_the_env_file_fails_the_settings(tmp_path, monkeypatch, checked):
    monkeypatch.setenv("S3_ENV_FILE", str(tmp_path))
    code, found = checked()
    assert code == 2
    assert set(found) == {"settings"}


@pytest.fixture
def env_file(tmp_path, bucket, monkeypatch):
    """An env file for the store, which the environment names, and nothing but that."""
    names = [name for name in os.environ if name.startswith(("S3_", "AWS_")) and "FILE" not in name]
    names.remove("AWS_EC2_METADATA_DISABLED")
    file = tmp_path / "a b.env"
    file.write_text("".join(f"{name}={os.environ[name]}\n" for name in names))
    file.chmod(0o600)
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.setenv("S3_ENV_FILE", str(file))
    return file


def test_an_env_file_that_only_its_owner_may_read_passes(env_file, checked):
    code, found = checked()
    assert code == 0
    assert found["env file"] == ("ok", f"only its owner may read {env_file} (mode 0600)")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_an_env_file_of_this_user_that_others_can_open_fails(env_file, checked, mode):
    env_file.chmod(mode)
    code, found = checked()
    assert code == 1
    assert found["env file"][0] == "failed"
    assert found["in"][0] == "ok"
    command = found["env file"][1].partition("run: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert checked()[0] == 0


@pytest.mark.parametrize(("mode", "status"), [(0o600, "warning"), (0o644, "warning"), (0o664, "failed")])
def test_an_env_file_of_another_user_is_a_warning_or_fails_if_others_write_it(env_file, monkeypatch, mode, status):
    env_file.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: env_file.stat().st_uid + 1)
    found, said = env_file_check.judged(str(env_file))
    assert found == status
    assert f"chmod 600 '{env_file}'" in said


def test_an_env_file_on_a_read_only_mount_passes_whatever_its_mode(tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(secret)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own takes root, and the right to mount")
    try:
        data = secret / "..data"
        data.mkdir()
        (data / "app.env").write_text("AWS_REGION=r\n")
        (data / "app.env").chmod(0o644)
        (secret / "app.env").symlink_to("..data/app.env")
        assert env_file_check.judged(str(secret / "app.env"))[0] == "failed"
        subprocess.run(["mount", "-o", "remount,ro", str(secret)], check=True)
        status, said = env_file_check.judged(str(secret / "app.env"))
        assert status == "ok"
        assert "mode 0644" in said
    finally:
        subprocess.run(["umount", str(secret)], check=True)


def test_an_env_file_that_does_not_exist_fails_the_settings(monkeypatch, checked):
    monkeypatch.setenv("S3_ENV_FILE", "/nowhere/app.env")
    code, found = checked()
    assert code == 2
    assert "cannot read the env file /nowhere/app.env" in found["settings"][1]


@pytest.mark.parametrize(
    "arguments",
    [["--timeout", "0"], ["--timeout", "inf"], ["--timeout", "x"], ["--prefix", "x"], ["--prefix", "a=b"]],
)
def test_wrong_arguments_are_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", *arguments])
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
def test_a_mistake_in_the_program_is_a_sentence_without_a_secret(transport, checked):
    transport.fail(requests_of("ListObjectsV2"), ZeroDivisionError("admin-secret"))
    code, found = checked()
    assert code == 1
    assert "ZeroDivisionError" in found["check"][1]


def test_ctrl_c_ends_the_command_with_130(monkeypatch, capsys):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "check", interrupted)
    assert main(["check"]) == 130
    assert capsys.readouterr().err == "interrupted; run it again\n"
