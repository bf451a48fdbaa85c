from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.config import stack_yaml
from infra.config.environment import ConfigError
from infra.config.load import load_environment
from infra.config.reader import Reader
from tests.infra.conftest import in_folder

R2 = "mpr-storage:target: r2\n  mpr-storage:account: 0123456789abcdef0123456789abcdef\n"


def write(folder: Path, text: str, name: str = "test") -> Path:
    file = folder / f"Pulumi.{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def read(folder: Path, *lines: str) -> Reader:
    """Read a file with these lines under `config`."""
    write(folder, "\n  ".join(["config:", *lines]))
    with in_folder(folder):
        return stack_yaml.read("test")


def problems(folder: Path, text: str) -> list[str]:
    """The problems of the configuration in a file with this text."""
    write(folder, text)
    with pytest.raises(ConfigError) as caught, in_folder(folder):
        load_environment("test")
    return caught.value.problems


def test_a_link_to_a_missing_file_is_named(tmp_path):
    write(tmp_path, "", "prod")
    (tmp_path / "Pulumi.test.yaml").symlink_to("elsewhere.yaml")
    with (
        pytest.raises(ConfigError, match=r"is a link to elsewhere.yaml, which does not exist"),
        in_folder(tmp_path),
    ):
        stack_yaml.read("test")


def test_the_error_for_an_unknown_environment_lists_those_that_exist(tmp_path):
    write(tmp_path, "", "prod")
    write(tmp_path, "", "local")
    with (
        pytest.raises(ConfigError, match=r"there is no environment 'lokal'; did you mean local\?"),
        in_folder(tmp_path),
    ):
        stack_yaml.read("lokal")
    with (
        pytest.raises(ConfigError, match=r"there is no environment 'studio'; there are: local, prod"),
        in_folder(tmp_path),
    ):
        stack_yaml.read("studio")
    with pytest.raises(ConfigError, match=r"there are: none"), in_folder(tmp_path / "missing"):
        stack_yaml.read("lokal")


ODD = ["0189", "1e5", "0o17", "yes", "2026-01-02", "~", "true", "<<", "0x1f", ".5", "a: b", "# c", "", "null"]


@given(
    st.dictionaries(
        st.text() | st.sampled_from(ODD), st.sampled_from(ODD) | st.text() | st.booleans() | st.integers()
    )
)
def test_what_is_written_is_read_with_the_same_types(content):
    printable = {key: one for key, one in content.items() if f"{key}{one}".isprintable()}
    assert stack_yaml.load(stack_yaml.dump(printable), "here") == printable


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("config: [", "cannot be read: while parsing"),
        ("\tconfig: {}", "cannot be read:"),
        ("config: {a: 08}", "cannot be read:"),
        ("", "must hold a mapping under `config:`"),
        ("- a", "must hold a mapping under `config:`"),
        ("text", "must hold a mapping under `config:`"),
        ("config: 3", "must hold a mapping under `config:`"),
        ("encryptionsalt: v1:x", "must hold a mapping under `config:`"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_one_line(tmp_path, text, problem):
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught, in_folder(tmp_path):
        stack_yaml.read("test")
    assert str(caught.value).startswith(f"{file}:\n  {problem}")
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_utf8_or_no_file_is_refused_in_words(tmp_path):
    (tmp_path / "Pulumi.test.yaml").write_bytes(b"config: \xff")
    (tmp_path / "Pulumi.folder.yaml").mkdir()
    for name in ("test", "folder"):
        with pytest.raises(ConfigError, match="cannot be read"), in_folder(tmp_path):
            stack_yaml.read(name)


def test_a_key_that_is_there_twice_is_refused_with_its_line(tmp_path):
    (problem,) = problems(tmp_path, "config:\n  mpr-storage:target: aws\n  mpr-storage:target: gcp\n")
    assert problem.startswith("cannot be read: mpr-storage:target is defined twice")
    assert "line 3" in problem
    assert "prefix is defined twice" in problems(tmp_path, "config: {a: [{prefix: a, prefix: b}]}")[0]


def test_an_anchor_may_be_merged_as_in_any_yaml(tmp_path):
    (tmp_path / "Pulumi.test.yaml").write_text(
        f"config:\n  {R2}  mpr-storage:buckets:\n    in: &both\n      abortMultipartDays: 3\n"
        "    out:\n      <<: *both\n      name: media-out\n"
    )
    with in_folder(tmp_path):
        found = load_environment("test")
    assert (found.bucket_out.name, found.bucket_out.abort_multipart_days) == ("media-out", 3)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *((word, word) for word in ("yes", "no", "on", "off", "Yes", "y", "1:30", "2026-11", "=")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, None) for word in ("null", "~", "")),
        *(("30", 30), ("0x1f", 31), ("1.5", 1.5), ("1e3", 1000.0), ("'30'", "30"), ("-1", -1)),
    ],
)
def test_values_have_the_types_that_pulumi_reads(tmp_path, written, value):
    assert read(tmp_path, f"mpr-storage:region: {written}").values == {"region": value}


@pytest.mark.parametrize(
    "written", ["2026-11-25", "2026-11-25T07:00:00Z", "2026-1-2 7:00:00", "2026-11-25t07:00:00.5+01:00"]
)
def test_a_date_without_quotes_is_refused_because_pulumi_reads_another_text(tmp_path, written):
    with pytest.raises(ConfigError, match="is a date to Pulumi: put it in quotes"):
        read(tmp_path, f"mpr-storage:region: {written}")
    assert read(tmp_path, f"mpr-storage:region: '{written}'").values == {"region": written}


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a"])
def test_a_text_that_is_no_stack_file_is_a_config_error(text):
    with pytest.raises(ConfigError, match="here"):
        stack_yaml.parse(text, "here")


# --- keys that only Pulumi, or only this project, would understand --------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"config:\n  {R2}confg: {{}}\n", "confg: unknown key, did you mean config?"),
        (f"config:\n  {R2}encryptionSalt: x\n", "encryptionSalt: unknown key, did you mean encryptionsalt?"),
        (f"config:\n  {R2}3: x\n", "3: unknown key, known are config, secretsprovider, encryptedkey"),
        (f"config:\n  {R2}  disposable: true\n", "disposable: has no namespace: write mpr-storage:disposable"),
        (
            f"config:\n  {R2}  mpr-storge:disposable: true\n",
            "mpr-storge:disposable: unknown namespace, did you mean mpr-storage?",
        ),
        (f"config:\n  {R2}  aws-native:region: x\n", "aws-native:region: unknown namespace, known are"),
        (f"config:\n  {R2}  azure:x: y\n", "azure:x: unknown namespace, known are mpr-storage, pulumi, aws"),
        (
            f"config:\n  {R2}  mpr-storage:config:disposable: true\n",
            "config:disposable: unknown key, did you mean disposable?",
        ),
        (f"config:\n  {R2}  mpr-storage:disposable:\n", "disposable: has no value: write one, or remove it"),
    ],
)
def test_a_key_that_is_not_understood_by_all_is_refused_with_the_right_spelling(tmp_path, text, problem):
    (said,) = problems(tmp_path, text)
    assert said.startswith(problem)


def test_a_misspelt_key_without_namespace_has_both_problems(tmp_path):
    assert problems(tmp_path, f"config:\n  {R2}  disposible: true\n") == [
        "disposible: has no namespace: write mpr-storage:disposible",
        "disposible: unknown key, did you mean disposable?",
    ]


def test_a_file_whose_configuration_is_misspelt_says_how_it_is_spelt(tmp_path):
    assert problems(tmp_path, f"confg:\n  {R2}") == [
        "confg: unknown key, did you mean config?",
        "must hold a mapping under `config:`",
    ]


def test_all_problems_of_a_file_are_reported_at_once(tmp_path):
    text = "config:\n  target: aws\n  mpr-storge:region: 3\n  mpr-storage:disposable: perhaps\nconfg: {}\n"
    assert [problem.partition(": ")[0] for problem in problems(tmp_path, text)] == [
        "confg", "target", "mpr-storge:region", "region", "disposable",
    ]  # fmt: skip


def test_what_pulumi_itself_writes_or_reads_is_left_to_it(tmp_path):
    others = "encryptionsalt: v1:x\nencryptedkey: x\nsecretsprovider: awskms://x\nenvironment: [media]\n"
    namespaces = (
        "  aws:profile: ours\n  gcp:project: x\n  cloudflare:apiToken:\n    secure: v1:x\n  pulumi:tags: {a: b}\n"
    )
    write(tmp_path, f"{others}config:\n  {R2}{namespaces}")
    with in_folder(tmp_path):
        assert load_environment("test").target == "r2"


# --- encrypted values, and secrets in plain text --------------------------------------------------------

ENCRYPTED = {"secure": "v1:x"}
STORE: dict[str, Any] = {
    "target": "s3-compatible",
    "endpoint": "http://store",
    "buckets": {"in": {"name": "media-in"}, "out": {"name": "media-out"}},
}


def text_of(**values: object) -> str:
    return yaml.safe_dump({"config": {f"mpr-storage:{name}": value for name, value in (STORE | values).items()}})


@pytest.mark.parametrize(
    "values",
    [
        {"adminAccessKeyId": ENCRYPTED, "adminSecretAccessKey": ENCRYPTED},
        {"keys": ENCRYPTED},
        {"keys": {"app": ENCRYPTED}},
        # what `pulumi config set --path --secret mpr-storage:keys.app.secretAccessKey` writes
        {"keys": {"app": {"accessKeyId": "AKIA", "secretAccessKey": ENCRYPTED}}},
        {"keys": {"app": {"accessKeyId": ENCRYPTED, "secretAccessKey": ENCRYPTED}}},
    ],
)
def test_an_encrypted_secret_counts_as_absent(tmp_path, values):
    write(tmp_path, text_of(**values))
    with in_folder(tmp_path):
        secrets = load_environment("test").secrets
    assert secrets.admin() is None
    assert "secure" not in repr(secrets.values)


@pytest.mark.parametrize(
    ("values", "path", "command", "variable"),
    [
        (
            {"adminSecretAccessKey": "hush"},
            "adminSecretAccessKey",
            "mpr-storage:adminSecretAccessKey",
            "MPR_ADMIN_SECRET_ACCESS_KEY",
        ),
        (
            {"keys": {"app": {"accessKeyId": "AKIA", "secretAccessKey": "hush"}}},
            "keys.app.secretAccessKey",
            "--path 'mpr-storage:keys.app.secretAccessKey'",
            "MPR_APP_SECRET_ACCESS_KEY",
        ),
    ],
)
def test_a_secret_in_plain_text_is_refused_with_the_commands_that_help(tmp_path, values, path, command, variable):
    (said,) = problems(tmp_path, text_of(**values))
    assert said.startswith(f"{path}: is a secret in plain text, in a file that is committed: remove it")
    assert f"`pulumi config set --secret {command}`, which asks for it, or in the variable {variable}" in said
    assert "hush" not in said


@pytest.mark.parametrize("value", [3, "hush", ["hush"], {"app": "hush"}, {"app": {"accessKeyId": ["hush"]}}])
def test_no_problem_shows_a_secret(tmp_path, value):
    assert "hush" not in str(problems(tmp_path, text_of(keys=value)))


@pytest.mark.parametrize(
    ("values", "path", "command"),
    [
        ({"region": ENCRYPTED}, "region", "mpr-storage:region"),
        ({"buckets": ENCRYPTED}, "buckets", "mpr-storage:buckets"),
        ({"publicEndpoint": {"secure": {"a": 1}}}, "publicEndpoint", "mpr-storage:publicEndpoint"),
        (
            {"slots": {"app": {"current": ENCRYPTED}}},
            "slots.app.current",
            "--path 'mpr-storage:slots.app.current'",
        ),
    ],
)
def test_an_encrypted_value_that_only_pulumi_could_read_is_refused(tmp_path, values, path, command):
    instead = f"write it in plain text, `pulumi config set --plaintext {command}`"
    assert f"{path}: is encrypted, and only Pulumi can read it: {instead}" in problems(tmp_path, text_of(**values))


def test_a_value_that_does_not_fit_its_tag_is_reported():
    with pytest.raises(ConfigError, match="cannot be read"):
        stack_yaml.parse("config:\n  mpr-storage:endpoint: !!bool zzz\n", "here.yaml")
