from __future__ import annotations

from typing import Any

import pytest

from infra.config.environment import ConfigError, EnvironmentConfig
from infra.config.load import parse
from infra.targets.capabilities import SETTINGS, markdown
from infra.targets.registry import TARGETS

#: The least that each target takes.
MINIMAL: dict[str, dict[str, Any]] = {
    "s3-compatible": {
        "endpoint": "http://store:9000",
        "buckets": {"in": {"name": "media-in"}, "out": {"name": "media-out"}},
    },
    "aws": {"region": "eu-west-1"},
    "gcp": {"project": "acme-media", "location": "EU"},
    "r2": {"account": "0123456789abcdef0123456789abcdef"},
}
TRUST = {"principals": ["arn:aws:iam::123456789012:role/batch"]}
#: A right value for each setting of the table.
VALUES: dict[str, object] = {
    "endpoint": "http://store:9000",
    "publicEndpoint": "https://media.example",
    "region": "eu-west-1",
    "location": "weur",
    "jurisdiction": "eu",
    "project": "acme-media",
    "account": "0123456789abcdef0123456789abcdef",
    "addressingStyle": "path",
    "adminAccessKeyId": "admin",
    "adminSecretAccessKey": "hush",
    "keys": {"app": {"accessKeyId": "a", "secretAccessKey": "hush"}},
    "slots": {"app": {"current": "b", "step": "switch"}},
    "maxKeyAgeDays": 30,
    "trust": TRUST,
    "permissionsBoundary": "arn:aws:iam::123456789012:policy/cap",
    "tags": {"team": "media"},
    "encryption": "kms",
    "adopt": True,
    "adoptIdentities": True,
    "disposable": True,
    "identities.prefixes": {"out": ["frames/"]},
    "identities.trust": TRUST,
    "buckets.name": "media-frames",
    "buckets.versioning": True,
    "buckets.noncurrentDays": 30,
    "buckets.expire": [{"prefix": "cache/", "days": 30}],
    "buckets.abortMultipartDays": 3,
    "buckets.softDeleteDays": 7,
    "buckets.corsOrigins": ["https://media.example"],
}
#: What a setting needs beside it, where it is honoured.
WITH: dict[str, dict[str, Any]] = {
    "trust": {"credentials": "role"},
    "identities.trust": {"credentials": "role"},
    "adopt": {"buckets": {"in": {"name": "media-in"}, "out": {"name": "media-out"}}},
}
REFUSED = [(target, setting) for target, spec in TARGETS.items() for setting in spec.refused]
REQUIRED = [(target, setting) for target, spec in TARGETS.items() for setting in spec.required]
HONOURED = [(target, setting) for target in TARGETS for setting in SETTINGS if (target, setting) not in REFUSED]


def configured(target: str, setting: str, value: object, **others: Any) -> tuple[dict[str, Any], str]:
    """The least configuration of a target with one setting more, and the path of that setting."""
    values = {"target": target} | MINIMAL[target] | others
    section, _, key = setting.rpartition(".")
    if section == "buckets":
        buckets = {role: dict(values.get("buckets", {}).get(role, {})) for role in ("in", "out")}
        buckets["out"][key] = value
        return values | {"buckets": buckets}, f"buckets.out.{key}"
    if section == "identities":
        web = {"name": "web", "rights": "viewer", key: value}
        return values | {"identities": [web]}, f"identities[0].{key}"
    return values | {key: value}, key


def problems(values: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse("test", values, "here.yaml")
    return caught.value.problems


def read(values: dict[str, Any]) -> EnvironmentConfig:
    return parse("test", values, "here.yaml")


def test_these_tests_know_every_setting_and_target():
    assert list(VALUES) == list(SETTINGS)
    assert list(MINIMAL) == list(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_names_only_settings_of_the_table(target):
    spec = TARGETS[target]
    assert {*spec.required, *spec.refused} <= set(SETTINGS)
    assert not set(spec.required) & set(spec.refused)


@pytest.mark.parametrize("target", TARGETS)
def test_the_least_configuration_is_enough(target):
    found = read({"target": target} | MINIMAL[target])
    assert found.credentials == TARGETS[target].credentials[0]
    assert found.region == (MINIMAL[target].get("region") or TARGETS[target].region)
    assert TARGETS[target].is_cloud is (target != "s3-compatible")


@pytest.mark.parametrize(("target", "setting"), HONOURED)
def test_a_setting_that_the_target_honours_is_accepted(target, setting):
    values, _ = configured(target, setting, VALUES[setting], **WITH.get(setting, {}))
    read(values)


@pytest.mark.parametrize(("target", "setting"), REFUSED)
def test_a_setting_that_the_target_cannot_honour_is_refused_with_what_to_use_instead(target, setting):
    values, path = configured(target, setting, VALUES[setting])
    instead = TARGETS[target].refused[setting]
    assert problems(values) == [f"{path}: not supported by target {target}: {instead}"]
    assert len(instead.split()) > 1


@pytest.mark.parametrize(("target", "setting"), REQUIRED)
def test_a_setting_that_the_target_cannot_do_without_is_named(target, setting):
    values, path = configured(target, setting, VALUES[setting])
    (values["buckets"]["out"] if path.startswith("buckets.out.") else values).pop(setting.rpartition(".")[2])
    assert problems(values) == [f"{path}: is required"]


@pytest.mark.parametrize(
    ("target", "setting", "nothing"),
    [
        ("r2", "buckets.versioning", False),
        ("gcp", "identities.prefixes", {}),
        ("r2", "tags", {}),
        ("aws", "buckets.softDeleteDays", 0),
    ],
)
def test_an_unsupported_setting_is_refused_even_if_its_value_is_off_or_empty(target, setting, nothing):
    values, path = configured(target, setting, nothing)
    assert problems(values) == [f"{path}: not supported by target {target}: {TARGETS[target].refused[setting]}"]


def test_an_unsupported_setting_is_reported_at_every_path_where_it_is_set():
    versioned = {"versioning": True}
    values = {"target": "r2"} | MINIMAL["r2"] | {"buckets": {"in": versioned, "out": versioned}}
    assert [one.partition(":")[0] for one in problems(values)] == [
        "buckets.in.versioning",
        "buckets.out.versioning",
    ]
    held = [{"name": name, "rights": "viewer", "prefixes": {"out": ["frames/"]}} for name in ("web", "tv")]
    values = {"target": "gcp"} | MINIMAL["gcp"] | {"identities": ["app", *held]}
    assert [one.partition(":")[0] for one in problems(values)] == [
        "identities[1].prefixes",
        "identities[2].prefixes",
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_only_the_kinds_of_credentials_of_the_target_are_accepted(target):
    ways = {way for one in TARGETS.values() for way in one.credentials}
    for way in ways:
        values = {"target": target} | MINIMAL[target] | {"credentials": way}
        if way not in TARGETS[target].credentials:
            assert problems(values) == [
                f"credentials: must be one of {', '.join(TARGETS[target].credentials)}, got {way}"
            ]
        elif way == "role":
            read(values | {"trust": TRUST})
        else:
            read(values)


def test_every_row_of_the_table_has_a_cell_for_each_target():
    rows = [line.strip("|").split("|") for line in markdown().splitlines()]
    assert {len(row) for row in rows} == {1 + len(TARGETS)}
    assert [row[0].strip() for row in rows[2:-1]] == [f"`{setting}`" for setting in SETTINGS]
    cells = {cell.strip() for row in rows[2:-1] for cell in row[1:]}
    assert cells == {"yes", "no", "required"}
