"""The env contract: the variables that pass from the infrastructure to the client.

`Settings` is the one definition. `Settings.load` reads it from the environment (and from the file that
``S3_ENV_FILE`` names), `Settings.to_env` renders it, and `infra` writes env files from the same class, so
the two sides cannot drift apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from core.storage._config import env_file
from core.storage._config.endpoints import AWS, Dialect, dialect_of, no_region, region_for
from core.storage._config.validate import (
    account_problem,
    addressing_problem,
    bucket_name_problem,
    endpoint_problem,
    header_problem,
    region_problem,
    secret_problem,
)
from core.storage._errors import StorageConfigError
from core.storage._public import public

#: The variable that names an env file for `Settings.load` to read.
ENV_FILE_VARIABLE = "S3_ENV_FILE"

HOW_TO_GET_ONE = (
    "Make the env file with `make up` (or `pulumi up -s <environment>`), then load it into the environment "
    f"or name it in {ENV_FILE_VARIABLE}."
)


@dataclass(frozen=True)
class Variable:
    """One row of the contract: which variables a field of `Settings` is written to and read from."""

    #: Every name it is written under. Reading takes the first that is set and not empty.
    names: tuple[str, ...]
    #: Why it exists; the documentation shows this.
    reason: str
    #: True for what must never be printed.
    secret: bool = False
    #: Variables of one group are taken from one place together: half a key pair from the environment and
    #: half from a file would only give a wrong signature.
    group: str = ""


def _variable(*names: str, reason: str, secret: bool = False, group: str = "", **default: Any) -> Any:
    row = Variable(names, reason, secret, group or names[0])
    return field(metadata={"variable": row}, repr=not (secret or group), **default)


@public
@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a client must know of one environment. Immutable; secrets do not show in its ``repr``.

    Raises:
        StorageConfigError: on construction, naming every variable that is wrong, never a secret value.
    """

    endpoint_url: str | None = _variable(
        "S3_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        default=None,
        reason="scheme://host[:port] of the store; absent on AWS. The second name is what other tools read",
    )
    public_endpoint_url: str | None = _variable(
        "S3_PUBLIC_ENDPOINT_URL",
        default=None,
        reason="the address that browsers reach: presigned URLs are signed for its host",
    )
    bucket_in: str | None = _variable("S3_BUCKET_IN", default=None, reason="bucket of source videos")
    bucket_out: str | None = _variable("S3_BUCKET_OUT", default=None, reason="bucket of frames and overlays")
    bucket_owner: str | None = _variable(
        "S3_BUCKET_OWNER",
        default=None,
        reason="AWS account id, sent as ExpectedBucketOwner: a bucket recreated by a stranger is refused",
    )
    addressing_style: Literal["path", "virtual"] | None = _variable(
        "S3_ADDRESSING_STYLE", default=None, reason="only where it differs from the rule for the endpoint"
    )
    region: str = _variable(
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        reason=(
            "the region to sign for; boto3 reads only the second. Optional with an endpoint: us-east-1, auto for "
            "Google Cloud Storage and Cloudflare R2, on AWS the region in the endpoint's host name"
        ),
    )
    access_key_id: str | None = _variable(
        "AWS_ACCESS_KEY_ID", default=None, group="keys", reason="without keys, boto3's own chain applies"
    )
    secret_access_key: str | None = _variable(
        "AWS_SECRET_ACCESS_KEY", default=None, group="keys", secret=True, reason="the secret of that key"
    )
    session_token: str | None = _variable(
        "AWS_SESSION_TOKEN", default=None, group="keys", secret=True, reason="for temporary keys only"
    )
    role_arn: str | None = _variable(
        "AWS_ROLE_ARN",
        default=None,
        reason="without keys on AWS: the role that boto3's own chain must end in",
    )

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise StorageConfigError("; ".join(problems))

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of `environ` (by default `os.environ`), over those of the file in ``S3_ENV_FILE``.

        The real environment wins, setting by setting; the keys count as one setting. An empty variable
        counts as absent.

        Raises:
            StorageConfigError: a variable is missing or wrong, or the file cannot be read.
        """
        environ = os.environ if environ is None else environ
        path = environ.get(ENV_FILE_VARIABLE)
        if not path:
            return cls.from_env(environ)
        file = read_env_file(path)
        try:
            return cls.from_env(environ, file)
        except StorageConfigError as error:
            named = [name for name in file if name in error.message and not environ.get(name)]
            if not named:
                raise
            raise StorageConfigError(f"{error.message} ({', '.join(named)}: from {path})") from None

    @classmethod
    def from_env(cls, *layers: Mapping[str, str]) -> Settings:
        """The settings of the variables in `layers`; the first layer that knows a setting decides it."""
        values: dict[str, str | None] = {}
        for group in _GROUPS.values():
            layer = next((one for one in layers if any(_read(one, row) for row in group.values())), {})
            values |= {name: value for name, row in group.items() if (value := _read(layer, row))}
        if "region" not in values:
            values["region"] = region_for(values.get("endpoint_url"))
            if not values["region"]:
                raise StorageConfigError(f"{no_region(values.get('endpoint_url'))} {HOW_TO_GET_ONE}")
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks what the strings hold

    def to_env(self) -> dict[str, str]:
        """The variables of these settings, in the order in which they are always written."""
        env: dict[str, str] = {}
        for name, row in variables():
            value = getattr(self, name)
            if value:
                env |= dict.fromkeys(row.names, value)
        if self.dialect is not AWS:
            # So that the AWS CLI and other SDKs work from the same file.
            env["AWS_REQUEST_CHECKSUM_CALCULATION"] = self.dialect.checksums
            env["AWS_RESPONSE_CHECKSUM_VALIDATION"] = self.dialect.checksums
        return env

    @property
    def dialect(self) -> Dialect:
        """What the endpoint's kind needs of a client."""
        return dialect_of(self.endpoint_url)

    def bucket(self, role: Literal["in", "out"]) -> str:
        """The name of the bucket with this role.

        Raises:
            StorageConfigError: the environment names no such bucket. There is no default: bucket names are
                global on AWS and GCS, and a default could be a stranger's.
        """
        name = self.bucket_in if role == "in" else self.bucket_out
        if name is None:
            raise StorageConfigError(f"S3_BUCKET_{role.upper()} is not set. {HOW_TO_GET_ONE}")
        return name


def variables() -> Iterator[tuple[str, Variable]]:
    """Every field of `Settings` with its row of the contract, in order."""
    return ((one.name, one.metadata["variable"]) for one in fields(Settings))


def _groups() -> dict[str, dict[str, Variable]]:
    groups: dict[str, dict[str, Variable]] = {}
    for name, row in variables():
        groups.setdefault(row.group, {})[name] = row
    return groups


_GROUPS = _groups()


def _read(layer: Mapping[str, str], row: Variable) -> str | None:
    return next((layer[name] for name in row.names if layer.get(name)), None)


def read_env_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """The variables of the env file at `path`.

    Raises:
        StorageConfigError: it cannot be read, is empty, or a line of it is not ``NAME=value``.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # editors on Windows write a BOM
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise StorageConfigError(f"cannot read the env file {path}: {reason}. {HOW_TO_GET_ONE}") from error
    if not text:
        raise StorageConfigError(f"the env file {path} is empty. {HOW_TO_GET_ONE}")
    return env_file.parse(text, str(path))


#: What each field must be. Each function returns what is wrong with a value, or None.
_CHECKS: tuple[tuple[tuple[str, ...], Callable[[str], str | None]], ...] = (
    (("endpoint_url", "public_endpoint_url"), endpoint_problem),
    (("bucket_in", "bucket_out"), bucket_name_problem),
    (("bucket_owner",), account_problem),
    (("addressing_style",), addressing_problem),
    (("region",), region_problem),
    (("access_key_id", "session_token"), header_problem),
    (("secret_access_key",), secret_problem),
)


def _problems(settings: Settings) -> Iterator[str]:
    for names, problem_of in _CHECKS:
        for name in names:
            value = getattr(settings, name)
            if value is not None and (problem := problem_of(value)):
                yield f"{_name_of(name)} {problem}"
    if problem := _bucket_in_host(settings):
        yield problem
    if (settings.access_key_id is None) != (settings.secret_access_key is None):
        yield "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together"
    elif settings.session_token is not None and settings.access_key_id is None:
        yield "AWS_SESSION_TOKEN needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too"


def _bucket_in_host(settings: Settings) -> str | None:
    """Return why the endpoint is that of one bucket: objects for the other bucket would land in this one."""
    if settings.endpoint_url is None or endpoint_problem(settings.endpoint_url):
        return None
    host = urlsplit(settings.endpoint_url).hostname or ""
    for bucket in (settings.bucket_in, settings.bucket_out):
        if bucket and host.startswith(f"{bucket}.") and settings.addressing_style is None:
            return (
                f"S3_ENDPOINT_URL begins with the name of the bucket {bucket}: leave that out, each request adds "
                "it. If the store's own name begins like that, set S3_ADDRESSING_STYLE=path"
            )
    return None


def _name_of(field_name: str) -> str:
    return next(row.names[0] for name, row in variables() if name == field_name)
