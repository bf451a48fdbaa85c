"""The configuration of an environment: what ``environments/Pulumi.<environment>.yaml`` says, typed and checked.

No Pulumi in here: the Pulumi program hands over what the engine gives it (`from_engine`), and commands
without the engine read the same file themselves (`load`). Both end in `parse`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.storage._internal import endpoint_problem, region_problem
from infra.config_reader import Reader, nearest
from infra.config_rules import check
from infra.errors import UsageError
from infra.features import FEATURES, TARGETS
from infra.identities import APP, ROLES, Identity, Role, read_identities
from infra.slots import Slots, read_slots

#: The project's root: Pulumi.yaml, environments/ and .local/ are here.
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "environments"

NAMESPACE = "mpr-storage"
#: The endpoint that stands for the store which `python -m infra store start` runs on this machine.
EMBEDDED = "embedded"

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_STRUCTURED = ("buckets", "identities", "keys", "slots", "tags", "trust")
_SECRET = ("adminAccessKeyId", "adminSecretAccessKey", "keys")
_OF_BUCKETS = tuple(one.removeprefix("buckets.") for one in FEATURES if one.startswith("buckets."))
_KNOWN = ("target", "credentials", "buckets", "identities", *(one for one in FEATURES if "." not in one))

#: As CIS AWS Foundations 1.14 and Google's best practices for keys have it.
MAX_KEY_AGE_DAYS = 90

_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", re.ASCII)
_BOUNDARY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", re.ASCII)
_ACCOUNT = re.compile(r"[0-9a-f]{32}")
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_PLACE = re.compile(r"[A-Za-z0-9-]{2,40}")
_JURISDICTIONS = ("default", "eu", "fedramp")
#: https://cloud.google.com/storage/docs/soft-delete
_SOFT_DELETE_DAYS = range(7, 91)


class ConfigError(UsageError):
    """The configuration is wrong. The message lists every mistake with its path."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(f"{source}:\n" + "\n".join(f"  {problem}" for problem in problems))


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """Objects under `prefix` are deleted `days` days after they were written."""

    prefix: str
    days: int


@dataclass(frozen=True, kw_only=True)
class BucketConfig:
    """What an environment wants of one bucket. What is not set is left as the store has it."""

    name: str | None = None
    #: Keep replaced and deleted objects as noncurrent versions.
    versioning: bool | None = None
    #: Days after which a noncurrent version is deleted.
    noncurrent_days: int | None = None
    expire: tuple[Expiry, ...] = ()
    #: Days after which the parts of an unfinished upload are deleted: they cost money and show in no listing.
    abort_multipart_days: int | None = None
    #: Days for which what was deleted can be restored (gcp); 0: none.
    soft_delete_days: int | None = None
    #: Exact ``scheme://host[:port]`` origins whose pages may read and upload.
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EnvironmentConfig:
    """One environment, checked. `environment` is its name, which is also that of the Pulumi stack."""

    environment: str
    target: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str = "us-east-1"
    #: Where buckets are, in the words of gcp (EU, europe-west1) and r2 (weur).
    location: str | None = None
    #: Of r2: where data is guaranteed to stay.
    jurisdiction: str | None = None
    #: Of gcp.
    project: str | None = None
    #: Of r2.
    account: str | None = None
    addressing_style: Literal["path", "virtual"] | None = None
    credentials: str = "iam"
    #: Of aws: ``aes256``, ``kms`` for a key of the environment's own, or the ARN of a KMS key.
    encryption: str = "aes256"
    #: Of aws: ARN of the policy that no identity may exceed.
    permissions_boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    bucket_in: BucketConfig
    bucket_out: BucketConfig
    identities: tuple[Identity, ...] = (APP,)
    #: By identity; those that are absent have one key, in slot a.
    slots: Mapping[str, Slots] = field(default_factory=dict)
    #: Days after which `check` asks for a key to be rotated.
    max_key_age_days: int = MAX_KEY_AGE_DAYS
    #: True: take over buckets of these names that there are already.
    adopt: bool = False
    #: True: take over IAM users, roles or service accounts of these names, after the state of the stack was lost.
    adopt_identities: bool = False
    #: True: `destroy` and `down --delete` may delete the buckets that the environment created, with their content.
    disposable: bool = False

    @property
    def in_cloud(self) -> bool:
        """Whether a provider of Pulumi's does the work, and not this project's own."""
        return bool(TARGETS[self.target].extra)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the identities."""
        return tuple(one.name for one in self.identities)

    def slots_of(self, identity: str) -> Slots:
        """Which key slots of an identity are in use: slot a where nothing is said of it."""
        return self.slots.get(identity, Slots())

    def require(self, identity: str) -> None:
        """Refuse the name of an identity that there is not.

        Raises:
            UsageError: with the nearest that there is.
        """
        if identity not in self.names:
            hint = nearest(identity, self.names)
            raise UsageError(f"environment {self.environment} has no identity {identity!r}; {hint}")

    def bucket(self, role: Role) -> BucketConfig:
        """The bucket with this role."""
        return self.bucket_in if role == "in" else self.bucket_out


def parse(environment: str, values: Mapping[str, object], source: str) -> EnvironmentConfig:
    """The configuration in `values`, whose keys are without the namespace.

    Raises:
        ConfigError: with every mistake at once.
    """
    read = Reader(values)
    read.only(*_KNOWN)
    if not _NAME.fullmatch(environment):
        # A dot would make `a.viewer` the env file of two environments; a slash would leave the folder.
        read.note("environment", f"a name holds only letters, digits, - and _, got {environment}")
    name = read.text("target", choices=tuple(TARGETS), required=True)
    buckets = read.section("buckets")
    buckets.only(*ROLES)
    target = TARGETS.get(name or "", TARGETS["s3-compatible"])
    config = EnvironmentConfig(
        environment=environment,
        target=name or "",
        endpoint=_url(read, "endpoint", EMBEDDED),
        public_endpoint=_url(read, "publicEndpoint"),
        region=_region(read) or target.region,
        location=_like(read, "location", _PLACE, "a location such as EU, europe-west1 or weur"),
        jurisdiction=read.text("jurisdiction", choices=_JURISDICTIONS),
        project=_like(read, "project", _PROJECT, "the id of a project, not its name or number"),
        account=_like(read, "account", _ACCOUNT, "the account's id of 32 hexadecimal digits"),
        addressing_style=read.text("addressingStyle", choices=("path", "virtual")),  # type: ignore[arg-type]  # the choices are the type
        credentials=read.text("credentials", choices=target.credentials) or target.credentials[0],
        encryption=_encryption(read),
        permissions_boundary=_like(read, "permissionsBoundary", _BOUNDARY, "the ARN of an IAM policy"),
        tags=read.pairs("tags"),
        bucket_in=_bucket(buckets.section("in")),
        bucket_out=_bucket(buckets.section("out")),
        identities=read_identities(read),
        slots=read_slots(read),
        max_key_age_days=read.days("maxKeyAgeDays") or MAX_KEY_AGE_DAYS,
        adopt=read.flag("adopt") or False,
        adopt_identities=read.flag("adoptIdentities") or False,
        disposable=read.flag("disposable") or False,
    )
    check(read, config)
    if read.problems:
        raise ConfigError(source, read.problems)
    return config


def load(environment: str, folder: Path | None = None) -> EnvironmentConfig:
    """The configuration of an environment, read from its file without the Pulumi engine.

    Raises:
        ConfigError: there is no such environment, or its file is wrong.
    """
    return parse(environment, read_values(environment, folder), str(stack_file(environment, folder)))


def stack_file(environment: str, folder: Path | None = None) -> Path:
    """Where the configuration of an environment is kept, relative to the current folder if it can be."""
    path = (folder or ENVIRONMENTS) / f"Pulumi.{environment}.yaml"
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def read_values(environment: str, folder: Path | None = None) -> dict[str, object]:
    """The values of an environment's file under their bare names.

    An encrypted value counts as absent: only the engine can decrypt it, and `infra.connection` looks for it
    in the environment instead.
    """
    import yaml  # noqa: PLC0415  # 20 ms that the Pulumi program need not pay, four times an update

    path = stack_file(environment, folder)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(one.name[7:-5] for one in path.parent.glob("Pulumi.*.yaml"))) or "none"
        raise ConfigError(str(path), [f"there is no environment {environment!r}; there are: {there}"]) from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or a date that is none
        raise ConfigError(str(path), [f"cannot be read: {' '.join(str(error).split())}"]) from error
    values = (content or {}).get("config") if isinstance(content or {}, dict) else None
    if not isinstance(values, dict):
        raise ConfigError(str(path), ["must hold a mapping under `config:`"])
    return _without_namespace(_readable(values))


def from_engine(values: Mapping[str, str]) -> dict[str, object]:
    """The values as the engine hands them over (all text, structures as JSON), under their bare names."""
    bare = _without_namespace(values)
    return {key: _decoded(value) if key in _STRUCTURED else value for key, value in bare.items()}


def _decoded(value: object) -> object:
    try:
        return json.loads(str(value))
    except ValueError:
        return value  # the reader says what is wrong with it


def _without_namespace(values: Mapping[str, object]) -> dict[str, object]:
    start = f"{NAMESPACE}:"
    return {str(key).removeprefix(start): value for key, value in values.items() if str(key).startswith(start)}


def _readable(values: Mapping[str, object]) -> dict[str, object]:
    """The values without those that are encrypted, at any depth."""
    return {
        key: _readable(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if not (isinstance(value, dict) and list(value) == ["secure"])
    }


def _bucket(read: Reader) -> BucketConfig:
    read.only(*_OF_BUCKETS)
    return BucketConfig(
        name=read.text("name"),
        versioning=read.flag("versioning"),
        noncurrent_days=read.days("noncurrentDays"),
        expire=_expiries(read),
        abort_multipart_days=read.days("abortMultipartDays"),
        soft_delete_days=_soft_delete_days(read),
        cors_origins=_origins(read),
    )


def _soft_delete_days(read: Reader) -> int | None:
    days = read.days("softDeleteDays", least=0)
    if days and days not in _SOFT_DELETE_DAYS:
        read.note("softDeleteDays", f"must be 0 or {_SOFT_DELETE_DAYS[0]} to {_SOFT_DELETE_DAYS[-1]}, got {days}")
    return days


def _expiries(read: Reader) -> tuple[Expiry, ...]:
    found: dict[str, Expiry] = {}
    for rule in read.sections("expire"):
        rule.only("prefix", "days")
        prefix, days = rule.text("prefix", required=True), rule.days("days", required=True)
        if prefix in found:
            rule.note("prefix", f"{prefix} has a rule already")
        elif prefix and days:
            found[prefix] = Expiry(prefix=prefix, days=days)
    return tuple(found.values())


def _origins(read: Reader) -> tuple[str, ...]:
    origins = read.texts("corsOrigins")
    for index, origin in enumerate(origins):
        if origin != "*" and (endpoint_problem(origin) or origin.endswith("/")):
            read.note(f"corsOrigins[{index}]", f"must be * or an exact scheme://host[:port], got {origin}")
    return origins


def _region(read: Reader) -> str | None:
    region = read.text("region")
    if region is not None and (problem := region_problem(region)):
        read.note("region", f"{problem}, got {region}")
    return region


def _like(read: Reader, key: str, pattern: re.Pattern[str], shape: str) -> str | None:
    value = read.text(key)
    if value is not None and not pattern.fullmatch(value):
        read.note(key, f"must be {shape}, got {value}")
    return value


def _encryption(read: Reader) -> str:
    value = read.text("encryption") or "aes256"
    if value not in {"aes256", "kms"} and not _KMS_KEY.fullmatch(value):
        read.note("encryption", f"must be aes256, kms (a key of its own) or the ARN of a KMS key, got {value}")
    return value


def _url(read: Reader, key: str, *words: str) -> str | None:
    url = read.text(key)
    if url is not None and url not in words and (problem := endpoint_problem(url)):
        read.note(key, f"{problem}, got {url}" + (f" (or {', '.join(words)})" if words else ""))
    return url.removesuffix("/") if url else None
