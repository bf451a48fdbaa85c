"""The env contract: the variables that pass from the infrastructure to the client.

`Settings` is its only definition: `Settings.load` reads the variables, `Settings.to_env` renders them, and `infra`
writes env files from the same class.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from core.storage._config import env_file, validate
from core.storage._config.endpoints import AWS, Dialect, dialect_of, region_for
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
    """One row of the contract: the variables of a field of `Settings`."""

    #: Every name it is written under. Reading takes the first that is set and not empty.
    names: tuple[str, ...]
    #: Returns what is wrong with a value, or None.
    problem: Callable[[str], str | None]
    #: Variables of one group are taken from one place together: half of an access key from the environment and
    #: half from a file would only give a wrong signature.
    group: str


def _variable(*names: str, problem: Callable[[str], str | None], group: str = "", default: Any = None) -> Any:
    row = Variable(names, problem, group or names[0])
    return field(default=default, metadata={"variable": row}, repr=group != "keys")


@public
@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a client for one environment. Immutable; its ``repr`` shows no access key.

    Raises:
        StorageConfigError: on construction, naming every variable that is wrong, never a secret value.
    """

    #: scheme://host[:port] of the store; absent on AWS. The second name is what other tools read.
    endpoint_url: str | None = _variable(
        "S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", problem=validate.endpoint_problem
    )
    #: The address that browsers reach: presigned URLs are signed for its host.
    public_endpoint_url: str | None = _variable("S3_PUBLIC_ENDPOINT_URL", problem=validate.endpoint_problem)
    #: The bucket of source videos.
    bucket_in: str | None = _variable("S3_BUCKET_IN", problem=validate.bucket_name_problem)
    #: The bucket of frames and overlays.
    bucket_out: str | None = _variable("S3_BUCKET_OUT", problem=validate.bucket_name_problem)
    #: AWS account ID, sent as ExpectedBucketOwner: a bucket recreated by another account is refused.
    bucket_owner: str | None = _variable("S3_BUCKET_OWNER", problem=validate.account_problem)
    #: Only if it differs from the rule for the endpoint.
    addressing_style: Literal["path", "virtual"] | None = _variable(
        "S3_ADDRESSING_STYLE", problem=validate.addressing_problem
    )
    #: The region to sign for; boto3 reads only the second name. Optional with an endpoint: us-east-1, auto for
    #: Google Cloud Storage and Cloudflare R2, on AWS the region in the endpoint's host name.
    region: str = _variable("AWS_REGION", "AWS_DEFAULT_REGION", problem=validate.region_problem, default=MISSING)
    #: Without an access key, boto3's own credential chain applies.
    access_key_id: str | None = _variable("AWS_ACCESS_KEY_ID", problem=validate.header_problem, group="keys")
    secret_access_key: str | None = _variable(
        "AWS_SECRET_ACCESS_KEY", problem=validate.secret_problem, group="keys"
    )
    #: Only for temporary credentials.
    session_token: str | None = _variable("AWS_SESSION_TOKEN", problem=validate.header_problem, group="keys")
    #: Without an access key on AWS: the role that boto3's own credential chain must end in.
    role_arn: str | None = _variable("AWS_ROLE_ARN", problem=lambda _: None)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise StorageConfigError("; ".join(problems))

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the settings of `environ` (by default `os.environ`), over those of the file in ``S3_ENV_FILE``.

        The environment wins, setting by setting; the access key is one setting. An empty variable counts as
        absent.

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
        """Return the settings of the variables in `layers`; the first layer that holds a setting decides it."""
        rows = dict(variables())
        values: dict[str, str] = {}
        for layer in reversed(layers):  # each replaces whole groups of the layers behind it
            found = {name: value for name, row in rows.items() if (value := _read(layer, row))}
            groups = {rows[name].group for name in found}
            values = {name: value for name, value in values.items() if rows[name].group not in groups} | found
        if "region" not in values:
            values["region"] = _default_region(values.get("endpoint_url"))
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks what the strings hold

    def to_env(self) -> dict[str, str]:
        """Return the variables of these settings, always in the same order."""
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
        """What the endpoint needs of its client."""
        return dialect_of(self.endpoint_url)

    def bucket(self, role: Literal["in", "out"]) -> str:
        """Return the name of the bucket with this role.

        Raises:
            StorageConfigError: the environment names no such bucket. There is no default: bucket names are
                global on AWS and GCS, and a default could be a bucket of another account.
        """
        name = self.bucket_in if role == "in" else self.bucket_out
        if name is None:
            raise StorageConfigError(f"S3_BUCKET_{role.upper()} is not set. {HOW_TO_GET_ONE}")
        return name


def variables() -> Iterator[tuple[str, Variable]]:
    """Yield the name of every field of `Settings` with its row of the contract, in order."""
    return ((item.name, item.metadata["variable"]) for item in fields(Settings))


def read_env_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the variables of the env file at `path`.

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


def _read(layer: Mapping[str, str], row: Variable) -> str:
    return next((layer[name] for name in row.names if layer.get(name)), "")


def _default_region(endpoint_url: str | None) -> str:
    region = region_for(endpoint_url)
    if not region:
        why = f"S3_ENDPOINT_URL={endpoint_url} names no region" if endpoint_url else "there is no S3_ENDPOINT_URL"
        raise StorageConfigError(
            f"AWS_REGION is not set, and {why}. Set AWS_REGION to the region of the buckets, such as "
            "AWS_REGION=eu-west-1; for a store that is not AWS, set S3_ENDPOINT_URL to its address, such as "
            f"S3_ENDPOINT_URL=http://minio:9000. {HOW_TO_GET_ONE}"
        )
    return region


def _problems(settings: Settings) -> Iterator[str]:
    for name, row in variables():
        value = getattr(settings, name)
        if value is not None and (problem := row.problem(value)):
            yield f"{row.names[0]} {problem}"
    if problem := _bucket_in_host(settings):
        yield problem
    if (settings.access_key_id is None) != (settings.secret_access_key is None):
        yield "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together"
    elif settings.session_token is not None and settings.access_key_id is None:
        yield "AWS_SESSION_TOKEN needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too"


def _bucket_in_host(settings: Settings) -> str | None:
    """Return why the endpoint is that of one bucket: objects for the other bucket would land in this one."""
    url = settings.endpoint_url
    if url is None or settings.addressing_style is not None or validate.endpoint_problem(url):
        return None
    host = urlsplit(url).hostname or ""
    for bucket in (settings.bucket_in, settings.bucket_out):
        if bucket and host.startswith(f"{bucket}."):
            return (
                f"S3_ENDPOINT_URL begins with the name of the bucket {bucket}: leave that out, each request adds "
                "it. If the store's own name begins like that, set S3_ADDRESSING_STYLE=path"
            )
    return None
