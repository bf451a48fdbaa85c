"""The reference of the errors: the messages of the library, of the configuration and of the clouds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from core.storage._http import codes
from docs._generate.table import table
from infra.config.environment import ConfigError
from infra.config.load import read
from infra.config.reader import Reader
from infra.targets.registry import TARGETS

_STORE: dict[str, Any] = {
    "target": "s3-compatible",
    "endpoint": "http://store:9000",
    "buckets": {"in": {"name": "media-in"}, "out": {"name": "media-out"}},
}
_AWS: dict[str, Any] = {"target": "aws", "region": "eu-west-1"}
_R2: dict[str, Any] = {"target": "r2", "account": "0123456789abcdef0123456789abcdef"}
_WITHOUT_ENDPOINT = {name: value for name, value in _STORE.items() if name != "endpoint"}
_OUT = {"in": {"name": "media-in"}}

#: A mistake of each kind: the settings that it is in, and the mistake.
MISTAKES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({}, {"target": "s3"}),
    (_WITHOUT_ENDPOINT, {}),
    (_STORE, {"disposible": True}),
    (_STORE, {"disposable": "maybe"}),
    (_STORE, {"maxKeyAgeDays": 0}),
    (_STORE, {"endpoint": "store:9000"}),
    (_STORE, {"credentials": "user"}),
    (_STORE, {"identities": "app"}),
    (_STORE, {"identities": ["admin"]}),
    (_STORE, {"identities": ["app", "app"]}),
    (_STORE, {"identities": [{"name": "web"}]}),
    (_STORE, {"identities": [{"name": "web", "rights": "viewer", "prefixes": {"out": ["frames"]}}]}),
    (_STORE, {"buckets": _OUT | {"out": {"name": "Media_Out"}}}),
    (_STORE, {"buckets": _OUT | {"out": {"name": "media-in"}}}),
    (_STORE, {"buckets": _OUT | {"out": {"name": "media-out", "expire": [{"prefix": "/cache/", "days": 1}]}}}),
    (_STORE, {"buckets": _OUT | {"out": {"name": "media-out", "corsOrigins": ["media.example"]}}}),
    (_STORE, {"adminSecretAccessKey": "secret"}),
    (_STORE, {"tags": {"team": "media"}}),
    (_AWS, {"region": None}),
    (_AWS, {"credentials": "role"}),
    (_AWS, {"trust": {"principals": ["arn:aws:iam::123456789012:role/batch"]}}),
    (_AWS, {"adopt": True}),
    (_AWS, {"encryption": "AES256"}),
    (_R2, {"slots": {"web": {"current": "a"}}}),
)

#: What stands in a message for the values of the failure.
_PLACEHOLDER = re.compile(r"\{(\w+)(?:![rs])?\}")


def problems(settings: dict[str, Any]) -> list[str]:
    """Return the messages about these settings of a stack file."""
    try:
        read("studio", Reader(settings, is_file=True), "the file")
    except ConfigError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    return []


def _of_mistakes() -> str:
    rows = [
        (_setting(mistake), f"`{problem.replace('`', chr(39))}`")
        for settings, mistake in MISTAKES
        for problem in problems(settings | mistake)
    ]
    return table(("setting", "message"), rows)


def _setting(mistake: dict[str, Any]) -> str:
    text = yaml.safe_dump(mistake, default_flow_style=True, width=1000).strip()
    return f"`{text}`" if mistake else "no endpoint"


def _of_codes() -> str:
    groups: dict[tuple[str, str], list[str]] = {}
    for code, (kind, sentence) in codes.CODES.items():
        groups.setdefault((kind.__name__, sentence), []).append(code)
    return table(
        ("error", "codes and statuses", "message"),
        (
            (f"`{kind}`", " ".join(f"`{code}`" for code in sorted(found)), _shown(sentence))
            for (kind, sentence), found in groups.items()
        ),
    )


def _of_responses() -> str:
    groups: dict[tuple[str, str], list[str]] = {}
    for status, (kind, sentence) in codes.BY_STATUS.items():
        groups.setdefault((kind.__name__, sentence), []).append(f"`{status}`")
    rows = [(f"`{kind}`", " ".join(found), _shown(sentence)) for (kind, sentence), found in groups.items()]
    rows.append(("`InvalidResponseError`", "every other response that is not of S3", _shown(codes.NOT_S3)))
    return table(("error", "status", "message"), rows)


def _of_connections() -> str:
    rows = [
        ("`StoreUnreachableError`", _shown(text)) for text in (codes.NO_RESPONSE, codes.UNRESOLVED, codes.PROXY)
    ]
    rows += [(f"`{kind.__name__}`", _shown(sentence)) for _, kind, sentence in codes.TLS]
    rows.append(("`StorageConfigError`", _shown(codes.NO_CREDENTIALS)))
    return table(("error", "message"), rows)


def _of_clouds() -> str:
    rows = [(name, each.sentence) for name, spec in TARGETS.items() for each in spec.explanations]
    return table(("target", "sentence"), rows)


def _of_refusals() -> str:
    rows = [
        (f"`{setting}`", name, instead)
        for name, spec in TARGETS.items()
        for setting, instead in sorted(spec.refused.items())
    ]
    return table(("setting", "target", "what the message says to do"), rows)


def _shown(sentence: str) -> str:
    return _PLACEHOLDER.sub(r"*\1*", sentence)


REGIONS: dict[str, Callable[[], str]] = {
    "mistakes": _of_mistakes,
    "codes": _of_codes,
    "responses": _of_responses,
    "connections": _of_connections,
    "clouds": _of_clouds,
    "refusals": _of_refusals,
}
