"""The configuration of an environment: what ``environments/Pulumi.<environment>.yaml`` says, typed and checked.

No Pulumi in here: the Pulumi program hands over what the engine gives it (`from_engine`), and commands
without the engine read the same file themselves (`load`). Both end in `parse`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.storage._validate import bucket_name_problem, endpoint_problem, region_problem
from infra.config_reader import Reader
from infra.errors import UsageError
from infra.policies import IDENTITIES

#: The project's root: Pulumi.yaml, environments/ and .local/ are here.
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "environments"

NAMESPACE = "mpr-storage"
#: The endpoint that stands for the store which `python -m infra store start` runs on this machine.
EMBEDDED = "embedded"

Role = Literal["in", "out"]
ROLES: tuple[Role, Role] = ("in", "out")

#: How keys are made, see `infra.stores`.
CREDENTIALS = ("iam", "minio", "static")

#: Each target (its file is in `infra.targets`) with the settings it cannot do without.
TARGETS = {"s3-compatible": ("endpoint", "buckets.in.name", "buckets.out.name")}

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_STRUCTURED = ("buckets", "identities", "keys")
_SECRET = ("adminAccessKeyId", "adminSecretAccessKey", "keys")
_KNOWN = (
    "target", "endpoint", "publicEndpoint", "region", "addressingStyle", "credentials", "buckets",
    "identities", "disposable", *_SECRET,
)  # fmt: skip


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
    addressing_style: Literal["path", "virtual"] | None = None
    credentials: str = "iam"
    bucket_in: BucketConfig
    bucket_out: BucketConfig
    identities: tuple[str, ...] = ("app",)
    #: True: `destroy` and `down` may delete the buckets with all that is in them.
    disposable: bool = False

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
    target = read.text("target", choices=tuple(TARGETS), required=True)
    buckets = read.section("buckets")
    buckets.only(*ROLES)
    config = EnvironmentConfig(
        environment=environment,
        target=target or "",
        endpoint=_url(read, "endpoint", EMBEDDED),
        public_endpoint=_url(read, "publicEndpoint"),
        region=_region(read),
        addressing_style=read.text("addressingStyle", choices=("path", "virtual")),  # type: ignore[arg-type]  # the choices are the type
        credentials=read.text("credentials", choices=CREDENTIALS) or "iam",
        bucket_in=_bucket(buckets.section("in")),
        bucket_out=_bucket(buckets.section("out")),
        identities=_identities(read),
        disposable=read.flag("disposable") or False,
    )
    _require(read, TARGETS.get(config.target, ()))
    if config.bucket_in.name and config.bucket_in.name == config.bucket_out.name:
        buckets.note("out.name", "must differ from buckets.in.name")
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
    read.only("name", "versioning", "noncurrentDays", "expire", "abortMultipartDays", "corsOrigins")
    name = read.text("name")
    if name is not None and (problem := bucket_name_problem(name)):
        read.note("name", f"{problem} ({name})")
    return BucketConfig(
        name=name,
        versioning=read.flag("versioning"),
        noncurrent_days=read.days("noncurrentDays"),
        expire=_expiries(read),
        abort_multipart_days=read.days("abortMultipartDays"),
        cors_origins=_origins(read),
    )


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


def _identities(read: Reader) -> tuple[str, ...]:
    names = read.texts("identities")
    for index, name in enumerate(names):
        if name not in IDENTITIES:
            read.note(f"identities[{index}]", f"must be one of {', '.join(IDENTITIES)}, got {name}")
    return names or ("app",)


def _region(read: Reader) -> str:
    region = read.text("region") or "us-east-1"
    if problem := region_problem(region):
        read.note("region", f"{problem}, got {region}")
    return region


def _url(read: Reader, key: str, *words: str) -> str | None:
    url = read.text(key)
    if url is not None and url not in words and (problem := endpoint_problem(url)):
        read.note(key, f"{problem}, got {url}" + (f" (or {', '.join(words)})" if words else ""))
    return url.removesuffix("/") if url else None


def _require(read: Reader, paths: tuple[str, ...]) -> None:
    for path in paths:
        section, _, key = path.rpartition(".")
        at: object = read.values
        for part in section.split(".") if section else ():
            at = at.get(part) if isinstance(at, Mapping) else None
        if not isinstance(at, Mapping) or at.get(key) is None:
            read.note(path, "is required")
