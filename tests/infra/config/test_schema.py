"""The JSON schema accepts what the reader accepts, and both refuse the same mistakes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # has no types
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.config.definitions import CONFIGURATION
from infra.config.environment import ConfigError
from infra.config.load import load_environment, parse
from infra.config.reader import Reader
from infra.config.schema import FILE, schema, text
from infra.config.setting import Either, List, Map, Section, Setting, Text
from infra.targets.capabilities import SETTINGS
from infra.targets.registry import TARGETS
from tests.conftest import REPO
from tests.docs._blocks import blocks
from tests.infra.conftest import in_folder

SCHEMA = jsonschema.Draft7Validator(schema())
PAGES = [REPO / "README.md", *sorted((REPO / "docs").rglob("*.md")), *sorted(REPO.glob("examples/*/README.md"))]

STORE: dict[str, Any] = {
    "target": "s3-compatible",
    "endpoint": "http://store:9000",
    "buckets": {"in": {"name": "media-in"}, "out": {"name": "media-out"}},
}
AWS: dict[str, Any] = {"target": "aws", "region": "eu-west-1"}
GCP: dict[str, Any] = {"target": "gcp", "project": "acme-media", "location": "EU"}
R2: dict[str, Any] = {"target": "r2", "account": "0123456789abcdef0123456789abcdef"}
ENCRYPTED = {"secure": "v1:x"}


def file_of(values: Mapping[str, object]) -> dict[str, Any]:
    """The content of a stack file with these settings."""
    return {"config": {f"mpr-storage:{name}": value for name, value in values.items()}}


def is_valid(content: object) -> bool:
    return bool(SCHEMA.is_valid(content))


def is_read(content: object, folder: Path) -> bool:
    (folder / "Pulumi.test.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with in_folder(folder):
        try:
            load_environment("test")
        except ConfigError:
            return False
    return True


# --- the file, and everything that shows a stack file ---------------------------------------------------


def test_the_committed_schema_is_that_of_the_definitions():
    assert FILE.read_text(encoding="utf-8") == text(), "run `python -m infra.config.schema`"


def test_it_is_a_schema_that_editors_know():
    jsonschema.Draft7Validator.check_schema(json.loads(text()))


@pytest.mark.parametrize("file", sorted((REPO / "environments").glob("*.yaml")), ids=lambda file: file.name)
def test_each_environment_is_valid_and_names_its_schema(file):
    assert file.read_text().splitlines()[0] == "# yaml-language-server: $schema=schema.json"
    assert list(SCHEMA.iter_errors(yaml.safe_load(file.read_text()))) == []
    assert load_environment(file.name.split(".")[1]).target in TARGETS


def stack_files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every block of the pages that is a stack file, or some of its settings."""
    for page in PAGES:
        for index, block in enumerate(blocks(page.read_text(encoding="utf-8"), "yaml")):
            if "mpr-storage:" in block and "runtime:" not in block:  # not a program of docs/how-to/components.md
                yield f"{page.relative_to(REPO)}[{index}]", yaml.safe_load(block)


@pytest.mark.parametrize(("where", "content"), list(stack_files()))
def test_each_stack_file_in_the_documentation_is_valid(tmp_path, where, content):
    if "config" not in content:  # some settings, to be added to a file
        names = {name.removeprefix("mpr-storage:") for name in content}
        for base in (AWS, STORE, GCP, R2):
            whole = {"config": file_of(base)["config"] | content}
            if is_valid(whole) and names <= set(CONFIGURATION.keys):
                break
        content = whole
    assert list(SCHEMA.iter_errors(content)) == [], where
    assert is_read(content, tmp_path), where


def test_the_documentation_shows_stack_files():
    assert len(list(stack_files())) >= 6


# --- the definitions ------------------------------------------------------------------------------------


def definitions(setting: Setting, path: str = "") -> Iterator[tuple[str, Setting]]:
    """A setting with all that are inside it."""
    yield path, setting
    if isinstance(setting, Section):
        for name, inner in setting.keys.items():
            yield from definitions(inner, f"{path}.{name}".strip("."))
    elif isinstance(setting, List | Map):
        yield from definitions(setting.of, f"{path}[]")
    elif isinstance(setting, Either):
        yield from definitions(setting.word, path)
        yield from definitions(setting.section, path)


ALL = list(definitions(CONFIGURATION))


def test_each_setting_has_a_description():
    assert [path for path, setting in ALL if path and not setting.description and not path.endswith("]")] == []


def test_each_pattern_is_one_that_javascript_reads_alike():
    patterns = [setting.pattern for _, setting in ALL if isinstance(setting, Text) and setting.pattern]
    assert len(patterns) > 10
    # No flags, named groups or lookbehind, and no classes that hold other characters there.
    assert not [one for one in patterns if re.search(r"\(\?[^:!=]|\\[wdbAZ]", one)]


def test_the_table_of_capabilities_has_the_settings_that_are_defined():
    buckets = CONFIGURATION.keys["buckets"]
    assert isinstance(buckets, Section)
    bucket = buckets.keys["in"]
    assert isinstance(bucket, Section)
    top = set(CONFIGURATION.keys) - {"target", "credentials", "buckets", "identities"}
    inner = {f"buckets.{name}" for name in bucket.keys} | {"identities.prefixes", "identities.trust"}
    assert set(SETTINGS) == top | inner


# --- mistakes -------------------------------------------------------------------------------------------

VALUES: dict[str, list[object]] = {
    "endpoint": ["store:9000", "http://a/path", 3, "", "ftp://x"],
    "publicEndpoint": ["embedded", "a", "http://a b"],
    "region": ["eu west", 3, ""],
    "addressingStyle": ["host", 1],
    "credentials": ["IAM", "user", 3],
    "adminAccessKeyId": ["", 3, {"secure": "x", "other": "y"}],
    "adminSecretAccessKey": ["hush"],
    "keys": ["x", {"app": {"secretAccessKey": "hush"}}, {"app": {"acessKeyId": "x"}}, {"app": 3}],
    "slots": [{"app": {}}, {"app": {"current": "c"}}, {"app": {"current": "a", "step": "finish"}}, []],
    "maxKeyAgeDays": [0, "x", 1.5, True],
    "adopt": ["maybe", 1, [], "yes"],
    "disposable": ["maybe"],
    "identities": ["app", ["root"], [{"rights": "app"}], [{"name": "Web", "rights": "app"}], ["app", "app"], [3]],
    "buckets": ["x", {"inn": {}}, {"in": {"name": "media-in"}}, {"in": {}, "out": {}}],
    "location": ["EU"],
    "tags": [{"team": "media"}],
    "adoptIdentities": [True],
    "zzzz": [1],
}
BUCKET: dict[str, list[object]] = {
    "name": ["A_b", "ab", 3],
    "versioning": ["yes", 1],
    "noncurrentDays": ["-1", 0, 1.5],
    "expire": [
        [{"prefix": "a", "days": 0}],
        [{"prefix": "a"}],
        [{"days": 1}],
        [{"prefix": "/cache/", "days": 1}],
        [{"prefix": "cache/*", "days": 1}],
        [{"prefix": "a", "days": 1, "x": 1}],
        ["cache/"],
        {"prefix": "a", "days": 1},
    ],
    "softDeleteDays": [7],
    "corsOrigins": [
        ["localhost:3000"],
        ["http://a/"],
        ["https://App.example"],
        ["http://a", "http://a"],
        [3],
        "*",
    ],
    "versionning": [True],
}
IDENTITY: dict[str, list[object]] = {
    "name": ["admin", "a", "we-b", 7],
    "rights": ["viewr", 3],
    "prefixes": [["a/"], {"outt": ["a/"]}, {"out": []}, {"out": ["a"]}, {"out": ["a*/"]}, {"out": ["/a/"]}],
    "trust": [{"principals": ["arn:aws:iam::123456789012:role/batch"]}],
    "prefix": [{}],
}
OTHERS: list[dict[str, Any]] = [
    AWS | {"region": None},
    AWS | {"trust": []},
    AWS | {"trust": {"gitub": []}},
    AWS | {"trust": {"github": ["acme/*:x"]}},
    AWS | {"trust": {"eks": {}}},
    AWS | {"trust": {"principals": ["x"]}},
    *(AWS | {"encryption": one} for one in ("AES256", "aws:kms", "alias/media")),
    *(AWS | {"permissionsBoundary": one} for one in ("cap", "arn:aws:iam::123456789012:role/x")),
    AWS | {"buckets": {"in": {"softDeleteDays": 7}}},
    AWS | {"endpoint": "http://a"},
    AWS | {"tags": {"team": 3}},
    AWS | {"adminAccessKeyId": ENCRYPTED},
    AWS | {"region": ENCRYPTED},
    *(GCP | {"project": one} for one in ("Acme Media", "acme", 123456789)),
    *(GCP | {"buckets": {"in": {"softDeleteDays": days}}} for days in (1, 6, 91)),
    GCP | {"identities": [{"name": "web", "rights": "viewer", "prefixes": {"out": ["a/"]}}]},
    *(R2 | {name: value} for name, value in (("account", "acme"), ("jurisdiction", "us"), ("tags", {"a": "b"}))),
    R2 | {"buckets": {"out": {"versioning": True}}},
    {"target": "s3"},
    {"target": "gcp"},
    {},
]


def mistakes() -> Iterator[dict[str, Any]]:
    yield from (STORE | {name: value} for name, values in VALUES.items() for value in values)
    for name, values in BUCKET.items():
        for value in values:
            changed = copy.deepcopy(STORE)
            changed["buckets"]["out"][name] = value
            yield changed
    web = {"name": "web", "rights": "viewer"}
    yield from (
        STORE | {"identities": [web | {name: value}]} for name, values in IDENTITY.items() for value in values
    )
    yield from OTHERS


@pytest.mark.parametrize("values", list(mistakes()), ids=lambda values: str(values)[:80])
def test_a_mistake_is_refused_by_the_schema_and_by_the_reader(tmp_path, values):
    assert (is_valid(file_of(values)), is_read(file_of(values), tmp_path)) == (False, False)


@pytest.mark.parametrize(
    "content",
    [
        {"confg": file_of(AWS)["config"]},
        file_of(AWS) | {"confg": {}},
        {"config": {"target": "aws", "mpr-storage:region": "eu-west-1"}},
        {"config": file_of(AWS)["config"] | {"mpr-storge:disposable": True}},
        {"config": file_of(AWS)["config"] | {"azure:region": "x"}},
        {"config": None},
        {"config": []},
        [],
        None,
    ],
)
def test_keys_that_only_pulumi_understands_are_refused_by_the_schema_and_by_the_reader(tmp_path, content):
    assert (is_valid(content), is_read(content, tmp_path)) == (False, False)


def test_files_that_pulumi_wrote_are_valid():
    admin = {"adminAccessKeyId": ENCRYPTED, "adminSecretAccessKey": ENCRYPTED}
    for keys in (ENCRYPTED, {"app": ENCRYPTED}, {"app": {"accessKeyId": "AKIA", "secretAccessKey": ENCRYPTED}}):
        assert is_valid({"encryptionsalt": "v1:x"} | file_of(STORE | admin | {"keys": keys}))
    assert is_valid({"config": file_of(AWS)["config"] | {"aws:profile": "ours"}, "environment": ["media"]})
    assert is_valid(file_of(STORE | {"disposable": "true", "maxKeyAgeDays": "30"}))


# --- whatever the reader accepts ------------------------------------------------------------------------


def values_of(setting: Setting) -> st.SearchStrategy[Any]:
    """Values for a setting, most of them valid."""
    if isinstance(setting, Section):
        return st.fixed_dictionaries({}, optional={name: values_of(inner) for name, inner in setting.keys.items()})
    if isinstance(setting, List):
        return st.lists(values_of(setting.of), max_size=3)
    if isinstance(setting, Map):
        return st.dictionaries(st.sampled_from(["app", "viewer", "team"]), values_of(setting.of), max_size=2)
    if isinstance(setting, Either):
        return values_of(setting.word) | values_of(setting.section)
    if isinstance(setting, Text):
        made = st.sampled_from(setting.choices) if setting.choices else st.text(min_size=1, max_size=8)
        return st.from_regex(setting.pattern, fullmatch=True) | made if setting.pattern else made
    return st.sampled_from([True, False, "true", "false", 0, 1, 7, 90, "30", 1000, "x"])


SETTINGS_BY_PATH = [(path, setting) for path, setting in ALL if path]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize(("path", "setting"), SETTINGS_BY_PATH, ids=[path for path, _ in SETTINGS_BY_PATH])
@given(data=st.data())
def test_a_value_that_the_reader_accepts_is_valid(path, setting, data):
    value = data.draw(values_of(setting))
    reader = Reader({}, is_file=True)
    setting.read(reader, path, value)
    if not reader.problems:
        definition = setting.schema() | {"definitions": SCHEMA.schema["definitions"]}
        assert jsonschema.Draft7Validator(definition).is_valid(value)


MINIMAL = {"s3-compatible": STORE, "aws": AWS, "gcp": GCP, "r2": R2}
EXTRA: dict[str, list[object]] = {
    "endpoint": ["embedded", "https://s3.example.com/"],
    "publicEndpoint": ["https://media.example"],
    "region": ["eu-west-1", "garage"],
    "location": ["weur", "EU"],
    "jurisdiction": ["eu"],
    "addressingStyle": ["path"],
    "credentials": [kind for spec in TARGETS.values() for kind in spec.credentials],
    "slots": [{"app": {"current": "b", "step": "switch", "since": "2026-11-25T07:00:00Z"}}],
    "trust": [{"principals": ["arn:aws:iam::123456789012:role/batch"]}],
    "tags": [{"team": "media"}],
    "encryption": ["kms"],
    "adopt": [True, "false"],
    "adoptIdentities": [True],
    "disposable": [True, False],
    "identities": [["app", {"name": "web", "rights": "viewer", "prefixes": {"out": ["frames/"]}}], ["viewer"]],
    "buckets": [
        {"in": {"name": "a-in", "versioning": False}, "out": {"name": "a-out"}},
        {"out": {"softDeleteDays": 0}},
        {"out": {"expire": [{"prefix": "cache/", "days": 3}], "corsOrigins": ["*"]}},
    ],
}


@settings(max_examples=100, deadline=None)
@given(
    target=st.sampled_from(sorted(MINIMAL)),
    extra=st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in EXTRA.items()}),
)
def test_a_configuration_that_the_reader_accepts_is_valid(target, extra):
    values = MINIMAL[target] | extra
    try:
        parse("test", values, "here")
    except ConfigError:
        return
    assert is_valid(file_of(values))
