"""Check docs/objects.md: its blocks run in order, as printed."""

from __future__ import annotations

from tests.conftest import REPO
from tests.docs._blocks import blocks

PAGE = (REPO / "docs" / "objects.md").read_text(encoding="utf-8")


def test_the_blocks_run_as_printed(seaweed, monkeypatch, capsys):
    bucket = "docs-objects"
    client = seaweed.client("s3")
    client.create_bucket(Bucket=bucket)
    client.close()
    variables = {
        "S3_ENDPOINT_URL": seaweed.endpoint,
        "S3_BUCKET_OUT": bucket,
        "AWS_ACCESS_KEY_ID": seaweed.access_key_id,
        "AWS_SECRET_ACCESS_KEY": seaweed.secret_access_key,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    namespace: dict[str, object] = {}
    for block in blocks(PAGE, "python"):
        exec(compile(block, "docs/objects.md", "exec"), namespace)  # noqa: S102  # the page's own code
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "b'{\"frames\": 1500}'"
    assert len([line for line in printed if line.endswith(" 1000")]) == 100
    assert "b'one'" in printed
    assert printed[-2:] == ["False", "100 deleted"]
