"""Lifecycle rules: a bucket's expiry settings as S3 rules and back.

Only rules whose id starts with ``mpr-`` are ours. Others, made by hand or by another tool, are kept as they
are, although S3 can only replace all rules of a bucket at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.config import BucketConfig, Expiry

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import LifecycleRuleOutputTypeDef, LifecycleRuleUnionTypeDef

_OURS = "mpr-"
_NONCURRENT = "mpr-noncurrent"
_ABORT = "mpr-abort-multipart"
_EXPIRE = "mpr-expire-"
#: Days of a rule of ours that somebody changed otherwise: never what is wanted, so that it is written anew.
CHANGED = 0


def rules(wanted: BucketConfig, there: Iterable[LifecycleRuleOutputTypeDef]) -> list[LifecycleRuleUnionTypeDef]:
    """All rules that the bucket shall have: those of others as they are, and ours."""
    result: list[Any] = [rule for rule in there if not rule.get("ID", "").startswith(_OURS)]
    result += [_rule(_EXPIRE + one.prefix, one.prefix, Expiration={"Days": one.days}) for one in wanted.expire]
    if wanted.noncurrent_days:
        action = {"NoncurrentDays": wanted.noncurrent_days}
        result.append(_rule(_NONCURRENT, "", NoncurrentVersionExpiration=action))
    if wanted.abort_multipart_days:
        abort = {"DaysAfterInitiation": wanted.abort_multipart_days}
        result.append(_rule(_ABORT, "", AbortIncompleteMultipartUpload=abort))
    return result


def settings(there: Iterable[LifecycleRuleOutputTypeDef], base: BucketConfig) -> BucketConfig:
    """`base` with the expiry settings that our rules among those `there` amount to."""
    ours = {rule["ID"]: rule for rule in there if rule.get("ID", "").startswith(_OURS) and _enabled(rule)}
    expire = [
        Expiry(prefix=_prefix(rule), days=_days(rule, _prefix(rule), "Expiration", "Days"))
        for name, rule in ours.items()
        if name.startswith(_EXPIRE)
    ]
    return replace(
        base,
        expire=tuple(sorted(expire, key=lambda one: one.prefix)),
        noncurrent_days=_value(ours, _NONCURRENT, "NoncurrentVersionExpiration", "NoncurrentDays"),
        abort_multipart_days=_value(ours, _ABORT, "AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
    )


def _rule(name: str, prefix: str, **action: Mapping[str, int]) -> dict[str, object]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, **action}


def _value(ours: Mapping[str, Any], name: str, action: str, key: str) -> int | None:
    return _days(ours[name], "", action, key) if name in ours else None


def _days(rule: Mapping[str, Any], prefix: str, action: str, key: str) -> int:
    """The days of one of our rules, if it is as we write it."""
    days: int = rule.get(action, {}).get(key, CHANGED)
    others = set(rule) - {"ID", "Status", "Filter", "Prefix", action}
    narrowed = set(rule.get("Filter", {})) - {"Prefix"}
    return CHANGED if others or narrowed or _prefix(rule) != prefix else days


def _prefix(rule: Mapping[str, Any]) -> str:
    prefix: str = rule.get("Filter", {}).get("Prefix") or rule.get("Prefix", "")
    return prefix


def _enabled(rule: Mapping[str, Any]) -> bool:
    return rule.get("Status") == "Enabled"
