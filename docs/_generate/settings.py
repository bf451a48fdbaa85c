"""The reference of the settings, from their definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from docs._generate.table import table
from infra.config.definitions import CONFIGURATION
from infra.config.setting import Days, Either, Flag, List, Map, Section, Setting, Text
from infra.targets.capabilities import markdown


def _all(section: Section, path: str = "") -> Iterator[tuple[str, Setting]]:
    """Yield each setting with its path; the two buckets have the same settings."""
    for name, setting in section.keys.items():
        if path == "buckets." and name == "out":
            continue
        here = f"{path}{'<role>' if path == 'buckets.' else name}"
        yield here, setting
        inner, part = setting, here
        while isinstance(inner, List | Map | Either):
            part += {List: "[]", Map: ".<name>"}.get(type(inner), "")
            inner = inner.section if isinstance(inner, Either) else inner.of
        if isinstance(inner, Section):
            yield from _all(inner, f"{part}.")


def _type(setting: Setting) -> str:  # noqa: PLR0911  # one for each type
    match setting:
        case Text(choices=()):
            return "text"
        case Text():
            return "one of " + ", ".join(f"`{choice}`" for choice in setting.choices)
        case Flag():
            return "`true` or `false`"
        case Days():
            bounds = f"{setting.least} to {setting.most}" if setting.most else f"{setting.least} or more"
            return f"days: {'0, or ' if setting.or_none else ''}{bounds}"
        case List():
            return f"list of: {_type(setting.of)}"
        case Map():
            return f"mapping to: {_type(setting.of)}"
        case Either():
            return f"{_type(setting.word)}, or a mapping"
    return "mapping"


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    if setting.default is None:
        return ""
    return f"`{str(setting.default).lower()}`"


def _secret(setting: Setting) -> str:
    return " Only encrypted in a stack file." if setting.encryption == "required" else ""


def _of_settings() -> str:
    rows = [
        (f"`{path}`", _type(setting), _default(setting), f"{setting.description}{_secret(setting)}")
        for path, setting in _all(CONFIGURATION)
    ]
    return table(("setting", "value", "default", "meaning"), rows)


REGIONS: dict[str, Callable[[], str]] = {
    "settings": _of_settings,
    "targets": markdown,
}
