"""Convert the expiry settings of a bucket to lifecycle rules of S3 and back.

This project's rules have IDs that start with ``mpr-``. S3 replaces all rules of a bucket at once, so the others
are written back as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.config.environment import ABORT_RULE, EXPIRY_RULE, NONCURRENT_RULE, BucketConfig, Expiry

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, LifecycleRuleUnionTypeDef

_OWN = "mpr-"
#: The days of an own rule that was changed by hand: never a wanted number, so that the rule is written again.
CHANGED = 0


def rules(wanted: BucketConfig, existing: Iterable[LifecycleRuleOutputTypeDef]) -> list[LifecycleRuleUnionTypeDef]:
    """Return all rules for the bucket: the existing ones of others, and those for the wanted settings."""
    result: list[Any] = [rule for rule in existing if not rule.get("ID", "").startswith(_OWN)]
    result += [
        _rule(EXPIRY_RULE + expiry.prefix, expiry.prefix, Expiration={"Days": expiry.days})
        for expiry in wanted.expire
    ]
    if wanted.noncurrent_days:
        action = {"NoncurrentDays": wanted.noncurrent_days}
        result.append(_rule(NONCURRENT_RULE, "", NoncurrentVersionExpiration=action))
    if wanted.abort_multipart_days:
        abort = {"DaysAfterInitiation": wanted.abort_multipart_days}
        result.append(_rule(ABORT_RULE, "", AbortIncompleteMultipartUpload=abort))
    return result


def settings(existing: Iterable[LifecycleRuleOutputTypeDef], base: BucketConfig) -> BucketConfig:
    """Return `base` with the expiry settings of this project's rules among the existing ones."""
    own = {rule["ID"]: rule for rule in existing if rule.get("ID", "").startswith(_OWN) and _enabled(rule)}
    expire = [
        Expiry(prefix=_prefix(rule), days=_days(rule, _prefix(rule), "Expiration", "Days"))
        for name, rule in own.items()
        if name.startswith(EXPIRY_RULE)
    ]
    return replace(
        base,
        expire=tuple(sorted(expire, key=lambda expiry: expiry.prefix)),
        noncurrent_days=_value(own, NONCURRENT_RULE, "NoncurrentVersionExpiration", "NoncurrentDays"),
        abort_multipart_days=_value(own, ABORT_RULE, "AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    )


def _rule(name: str, prefix: str, **action: Mapping[str, int]) -> dict[str, object]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, **action}


def _value(own: Mapping[str, Any], name: str, action: str, key: str) -> int | None:
    return _days(own[name], "", action, key) if name in own else None


def _days(rule: Mapping[str, Any], prefix: str, action: str, key: str) -> int:
    """Return the days of an own rule, or `CHANGED` if it has more than `_rule` gives it."""
    days: int = rule.get(action, {}).get(key, CHANGED)
    others = set(rule) - {"ID", "Status", "Filter", "Prefix", action}
    narrowed = set(rule.get("Filter", {})) - {"Prefix"}
    return CHANGED if others or narrowed or _prefix(rule) != prefix else days


def _prefix(rule: Mapping[str, Any]) -> str:
    prefix: str = rule.get("Filter", {}).get("Prefix") or rule.get("Prefix", "")
    return prefix


def _enabled(rule: Mapping[str, Any]) -> bool:
    return rule.get("Status") == "Enabled"
