"""Whole copies between two environments on real stores, with the keys of `app` alone."""

from __future__ import annotations

import io
import os
import unicodedata

import pytest
from boto3.s3.transfer import TransferConfig

from core import storage
from core.storage import download_file, upload_file
from core.storage._transfer import upload
from infra.copy import mirror, process
from tests.infra.copy.conftest import Pair, Place

MIB = 1024 * 1024


def in_parts(place: Place, key: str, sizes: list[int], body: bytes) -> None:
    """Upload to the in bucket in parts of these sizes."""
    bucket = place.settings.bucket("in")
    upload = place.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    at = {"Bucket": bucket, "Key": key, "UploadId": upload}
    parts = []
    for number, size in enumerate(sizes, start=1):
        piece, body = body[:size], body[size:]
        part = place.s3.upload_part(**at, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    place.s3.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})


def fill(place: Place) -> None:
    described = {
        "ContentType": "video/mp4",
        "CacheControl": "max-age=60",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"camera": "north"},
    }
    place.put("in", "chunks/2025/match-01.mp4", b"video", **described)
    place.put("in", "empty.mp4")
    place.put("out", "frames/0001.jpg", b"frame")


class TestMirror:
    def test_both_buckets_are_copied_whole_and_verified(self, pair: Pair):
        fill(pair.source)
        before = pair.source.all()
        done = pair.copy("--yes")
        assert (done.code, done.err) == (0, "")
        assert "in: 2 objects, 5 bytes copied; 2 objects verified, all by MD5" in done.out
        assert {at: body for at, (body, _) in pair.target.all().items()} == {
            at: body for at, (body, _) in before.items()
        }
        assert pair.source.all() == before

    @pytest.mark.flow
    def test_metadata_and_content_headers_come_along(self, pair: Pair):
        fill(pair.source)
        assert pair.copy("--yes").code == 0
        theirs, ours = (place.get("in", "chunks/2025/match-01.mp4") for place in (pair.source, pair.target))
        headers = (
            "ContentType",
            "CacheControl",
            "ContentDisposition",
            "ContentEncoding",
            "ContentLanguage",
            "ETag",
        )
        assert {name: ours[name] for name in headers} == {name: theirs[name] for name in headers}
        assert set(ours["Metadata"]) == {"camera", "mtime", "btime"}, "what rclone adds is documented"
        assert ours["Metadata"]["camera"] == "north"

    @pytest.mark.flow
    def test_a_second_run_changes_nothing_and_says_so(self, pair: Pair):
        fill(pair.source)
        pair.copy("--yes")
        before = pair.target.all()
        done = pair.copy("--yes")
        assert done.code == 0
        assert "out: nothing to copy; 1 object verified, all by MD5" in done.out
        assert pair.target.all() == before

    @pytest.mark.flow
    def test_only_what_is_missing_is_copied(self, pair: Pair):
        fill(pair.source)
        pair.copy("--yes")
        pair.source.put("out", "frames/0002.jpg", b"new")
        before = pair.target.all()
        found = pair.copy("--yes", "--json").json["out"]
        assert (found["copied"], found["verified"]) == ({"objects": 1, "bytes": 3}, {"md5": 2, "bytes": 0})
        assert before.items() <= pair.target.all().items()

    def test_empty_buckets_are_nothing_to_do(self, pair: Pair):
        done = pair.copy("--yes")
        assert done.code == 0
        assert "in: nothing to copy" in done.out

    def test_nothing_is_ever_deleted_at_the_target(self, pair: Pair):
        fill(pair.source)
        pair.target.put("out", "theirs/0001.jpg", b"theirs")
        done = pair.copy("--yes")
        assert done.code == 0
        assert f"only at {pair.target.name}, left alone: 1 object" in done.out
        assert pair.target.get("out", "theirs/0001.jpg")["Body"] == b"theirs"

    @pytest.mark.flow
    def test_the_users_own_rclone_configuration_is_ignored(self, pair: Pair, monkeypatch):
        monkeypatch.setenv("RCLONE_DRY_RUN", "true")
        monkeypatch.setenv("RCLONE_CONFIG_TO_ENDPOINT", "http://127.0.0.1:1")
        fill(pair.source)
        assert pair.copy("--yes").code == 0
        assert pair.target.keys("out") == ["frames/0001.jpg"]


ODD_KEYS = [
    " leading and trailing ",
    "100%25?a=b&c#d+e",
    "[a]{b}",  # no star: SeaweedFS lets no scoped key write one
    "-dash",
    "# hash",
    "a:b",
    "tab\there",
    "line\nbreak\r\n",
    "\x01\x1f\x7f",
    "emoji🎬/日本.mp4",
    unicodedata.normalize("NFC", "café"),
    unicodedata.normalize("NFD", "café"),
    "Up",
    "up",
    "\u201b",
    "\u201b\u201b/\u201bx",
    "\u2400\u240a\u240d\u2421",
    "full\uff0fwidth/\uff0e/\uff0e\uff0e/x\uff0e",
    "...",
    "x/.hidden",
    "x/" + "n" * 255,
]


@pytest.mark.flow
def test_every_object_key_is_copied_unchanged(pair: Pair):
    for key in ODD_KEYS:
        pair.source.put("in", key, key.encode())
    assert pair.source.keys("in") == sorted(ODD_KEYS)
    done = pair.copy("--yes")
    assert (done.code, done.err) == (0, "")
    assert pair.target.keys("in") == sorted(ODD_KEYS)
    assert [pair.target.get("in", key)["Body"] for key in ODD_KEYS] == [key.encode() for key in ODD_KEYS]


@pytest.mark.flow
class TestParts:
    @pytest.fixture
    def body(self) -> bytes:
        return os.urandom(20 * MIB)

    def test_downloads_from_the_target_are_verified_as_those_from_the_source(
        self, pair: Pair, body, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(upload, "THRESHOLD", 8 * MIB)
        file = tmp_path / "video.mp4"
        file.write_bytes(body)
        monkeypatch.setenv("S3_ENV_FILE", str(pair.source.file))
        uploaded = upload_file(file, storage.BUCKET_IN, "video.mp4", metadata={"camera": "north"})
        assert uploaded.etag.endswith("-2")
        assert pair.copy("--yes").code == 0
        monkeypatch.setenv("S3_ENV_FILE", str(pair.target.file))
        downloaded = download_file(storage.BUCKET_IN, "video.mp4", tmp_path / "back.mp4")
        assert (downloaded.verified_by, downloaded.etag) == ("md5", uploaded.etag)
        assert (tmp_path / "back.mp4").read_bytes() == body

    def test_objects_uploaded_by_other_programs_keep_their_part_size(self, pair: Pair, body):
        config = TransferConfig(multipart_chunksize=8 * MIB, preferred_transfer_client="classic")
        bucket = pair.source.settings.bucket("in")
        pair.source.s3.upload_fileobj(io.BytesIO(body), bucket, "8.mp4", Config=config)
        in_parts(pair.source, "one.mp4", [MIB], body[:MIB])
        done = pair.copy("--yes", "--json")
        assert done.code == 0
        assert done.json["in"]["verified"] == {"md5": 2, "bytes": 0}
        for key in ("8.mp4", "one.mp4"):
            assert pair.target.get("in", key)["ETag"] == pair.source.get("in", key)["ETag"]

    def test_objects_without_a_common_hash_are_compared_byte_by_byte(self, pair: Pair, body):
        uneven = body[: 12 * MIB]
        in_parts(pair.source, "uneven.mp4", [6 * MIB, 5 * MIB, MIB], uneven)
        done = pair.copy("--yes")
        assert (done.code, done.err) == (0, "")
        assert "in: 1 object, 12.6 MB copied; 1 object verified, 1 by the bytes" in done.out
        assert pair.target.get("in", "uneven.mp4")["ETag"] != pair.source.get("in", "uneven.mp4")["ETag"]
        assert pair.target.get("in", "uneven.mp4")["Body"] == uneven
        looked = pair.copy("--dry-run")
        assert "only to be compared by their bytes: 1 object, 12.6 MB" in looked.out
        before = pair.target.all()
        again = pair.copy("--yes", "--json")
        assert again.json["in"]["verified"] == {"md5": 0, "bytes": 1}
        assert again.json["in"]["copied"]["objects"] == 0
        assert pair.target.all() == before


class TestAsking:
    def test_a_dry_run_writes_nothing(self, pair: Pair):
        fill(pair.source)
        done = pair.copy("--dry-run")
        assert (done.code, done.err) == (0, "")
        assert (
            f"in: {pair.source.settings.bucket_in} of {pair.source.name} -> {pair.target.settings.bucket_in}"
            in done.out
        )
        assert "  to copy: 2 objects, 5 bytes" in done.out
        found = pair.copy("--dry-run", "--json").json
        assert (found["out"]["to_copy"], found["out"].get("copied")) == ({"objects": 1, "bytes": 5}, None)
        assert pair.target.all() == {}

    @pytest.mark.parametrize("options", [[], ["--json"], ["--overwrite"]])
    def test_without_a_terminal_and_without_yes_nothing_is_copied(self, pair: Pair, options):
        fill(pair.source)
        done = pair.copy(*options)
        assert done.code == 2
        assert "--yes" in done.err
        assert (done.out, pair.target.all()) == ("", {})

    def test_the_reply_no_copies_nothing(self, pair: Pair, terminal):
        fill(pair.source)
        terminal("n")
        done = pair.copy()
        assert (done.code, done.err) == (2, "error: nothing was copied\n")
        assert f"copy 3 objects, 10 bytes to {pair.target.name}?" in done.out
        assert pair.target.all() == {}

    def test_the_reply_yes_copies(self, pair: Pair, terminal):
        fill(pair.source)
        terminal("y")
        assert pair.copy().code == 0
        assert len(pair.target.all()) == 3

    def test_with_nothing_to_copy_there_is_no_question(self, pair: Pair, terminal):
        terminal("n")
        assert pair.copy().code == 0


class TestOtherContent:
    @pytest.fixture(params=["other size", "same size"])
    def theirs(self, request: pytest.FixtureRequest, pair: Pair) -> bytes:
        """What the target has under a key of the source."""
        fill(pair.source)
        body = {"other size": b"another frame", "same size": b"FRAME"}[request.param]
        pair.target.put("out", "frames/0001.jpg", body)
        return body

    @pytest.mark.usefixtures("theirs")
    def test_other_content_under_a_key_is_refused_before_anything_is_copied(self, pair: Pair):
        before = pair.target.all()
        done = pair.copy("--yes")
        assert done.code == 1
        assert (
            "other content under the same keys (out: 1 object, 5 bytes: 'frames/0001.jpg'); nothing was copied"
            in done.err
        )
        assert pair.target.all() == before

    @pytest.mark.flow
    @pytest.mark.usefixtures("theirs")
    def test_other_content_under_a_key_is_replaced_with_overwrite(self, pair: Pair):
        done = pair.copy("--yes", "--overwrite")
        assert (done.code, done.err) == (0, "")
        assert pair.target.get("out", "frames/0001.jpg")["Body"] == b"frame"

    def test_the_question_before_overwrite_says_how_much_would_be_replaced(self, pair: Pair, theirs, terminal):
        terminal("n")
        done = pair.copy("--overwrite")
        assert "and replace there what differs of 1 object, 5 bytes?" in done.out
        assert pair.target.get("out", "frames/0001.jpg")["Body"] == theirs

    @pytest.mark.usefixtures("theirs")
    def test_the_json_output_names_the_keys_with_other_content(self, pair: Pair):
        done = pair.copy("--yes", "--json")
        assert done.code == 1
        assert done.json["out"]["differing"] == {"objects": 1, "bytes": 5, "first": ["frames/0001.jpg"]}


@pytest.mark.flow
class TestProof:
    """What goes wrong between the copy and the proof is seen."""

    @pytest.fixture
    def meanwhile(self, monkeypatch):
        """Has something happen right after rclone is done."""

        def happen(what):
            run = process.run

            def run_and(arguments, *more):
                outcome = run(arguments, *more)
                if "copy" in arguments:
                    what()
                return outcome

            monkeypatch.setattr(mirror, "run", run_and)

        return happen

    @pytest.mark.parametrize("body", [b"FRAME", b"damaged"], ids=["same size", "other size"])
    def test_an_object_that_differs_after_the_copy_is_a_failure(self, pair: Pair, meanwhile, body):
        fill(pair.source)
        meanwhile(lambda: pair.target.put("out", "frames/0001.jpg", body))
        done = pair.copy("--yes")
        assert done.code == 1
        assert "out: 1 object: is not what the source holds" in done.err
        assert "'frames/0001.jpg'" in done.err

    def test_an_object_that_is_missing_after_the_copy_is_a_failure(self, pair: Pair, meanwhile):
        fill(pair.source)
        bucket = pair.target.settings.bucket("out")
        meanwhile(lambda: pair.target.s3.delete_object(Bucket=bucket, Key="frames/0001.jpg"))
        done = pair.copy("--yes", "--json")
        assert done.code == 1
        assert list(done.json["out"]["failed"]["first"]) == ["frames/0001.jpg"]
        assert "is not there afterwards" in done.err

    def test_an_object_of_the_target_alone_that_disappears_during_the_copy_is_a_failure(
        self, pair: Pair, meanwhile
    ):
        fill(pair.source)
        pair.target.put("out", "theirs", b"theirs")
        bucket = pair.target.settings.bucket("out")
        meanwhile(lambda: pair.target.s3.delete_object(Bucket=bucket, Key="theirs"))
        done = pair.copy("--yes")
        assert done.code == 1
        assert f"out: 1 object that {pair.target.name} alone had: gone since the copy began: 'theirs'" in done.err

    def test_an_equal_object_that_changes_during_the_copy_is_a_failure(self, pair: Pair, meanwhile):
        pair.copy("--yes")
        fill(pair.source)
        pair.target.put("out", "frames/0001.jpg", b"frame")
        meanwhile(lambda: pair.target.put("out", "frames/0001.jpg", b"other"))
        done = pair.copy("--yes")
        assert done.code == 1
        assert "out: 1 object: was right before the copy" in done.err

    def test_an_object_that_another_program_adds_during_the_copy_is_mentioned(self, pair: Pair, meanwhile):
        fill(pair.source)
        meanwhile(lambda: pair.target.put("out", "unrelated", b""))
        done = pair.copy("--yes")
        assert done.code == 0
        assert "came to" in done.out
        assert "'unrelated'" in done.out


@pytest.mark.flow
@pytest.mark.minio
class TestMinio:
    def test_a_multipart_object_of_seaweedfs_is_copied_to_minio_in_the_same_parts(self, to_minio: Pair):
        fill(to_minio.source)
        body = os.urandom(11 * MIB)
        in_parts(to_minio.source, "big.mp4", [5 * MIB, 5 * MIB, MIB], body)
        done = to_minio.copy("--yes", "--json")
        assert done.code == 0
        assert done.json["in"]["verified"] == {"md5": 3, "bytes": 0}
        assert to_minio.target.get("in", "big.mp4")["Body"] == body
        assert to_minio.copy("--yes", "--json").json["in"]["copied"]["objects"] == 0

    def test_an_object_whose_key_is_a_prefix_of_another_is_left_out_for_minio(self, to_minio: Pair):
        for key in ("both", "both/below.jpg", "ours", "theirs/ours.jpg", "plain.jpg"):
            to_minio.source.put("out", key, b"1")
        for key in ("ours/theirs.jpg", "theirs"):
            to_minio.target.put("out", key, b"2")
        before = to_minio.target.keys("out")
        done = to_minio.copy("--yes", "--json")
        assert done.code == 1
        assert "4 objects left out, whose keys are an object and the folder of another" in done.err
        assert to_minio.target.keys("out") == sorted([*before, "plain.jpg"])

    def test_a_key_that_minio_would_normalise_is_left_out_and_reported(self, to_minio: Pair):
        """MinIO keeps a backslash, SeaweedFS turns it into a slash."""
        back = Pair(to_minio.target, to_minio.source, to_minio.capsys)
        back.source.put("out", "frames\\0001.jpg", b"backslash")
        back.source.put("out", "frames/0002.jpg", b"slash")
        done = back.copy("--yes")
        assert done.code == 1
        assert "out: 1 object left out, whose keys have a backslash" in done.err
        assert back.target.keys("out") == ["frames/0002.jpg"]
        assert back.copy("--dry-run").code == 1
