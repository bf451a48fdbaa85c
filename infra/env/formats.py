"""The formats that `python -m infra env --format` writes: a row and a pure function each.

No format escapes anything: `render` lets through only values made of the characters that mean nothing to any
reader (`render_env_file`), which also covers INI, YAML, JSON and SQL strings. The one character among them that
GitHub reads otherwise is seen to in `masks`.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping

import yaml

from core.storage._internal import render_env_file
from core.storage.settings import Settings
from infra.env import files, options
from infra.env.subject import Subject

#: The one format that goes where GitHub says, and not to stdout.
GITHUB_ACTIONS = "github-actions"

#: By the end of the endpoint's host name (https://rclone.org/s3/#s3-provider). AWS is where there is no endpoint.
_RCLONE_PROVIDERS = (
    (".amazonaws.com", "AWS"),
    (".amazonaws.com.cn", "AWS"),
    ("storage.googleapis.com", "GCS"),
    (".r2.cloudflarestorage.com", "Cloudflare"),
)


def render(name: str, subject: Subject) -> str:
    """The text of the format `name`, ending in a newline.

    Raises:
        StorageConfigError: a value holds a character that readers take differently. The message names the
            variable and never shows the value.
    """
    render_env_file(subject.settings.to_env())
    return FORMATS[name](subject)


def masks(settings: Settings) -> str:
    """What hides the keys in the log of a job: one workflow command for each.

    GitHub decodes %25, %0D and %0A in the data of a command, so a percent sign is written as the first
    (https://docs.github.com/actions/reference/workflow-commands-for-github-actions#masking-a-value-in-a-log).
    """
    keys = (settings.access_key_id, settings.secret_access_key, settings.session_token)
    return "".join(f"::add-mask::{one.replace('%', '%25')}\n" for one in keys if one)


def _env_file_of(subject: Subject) -> str:
    return files.render(subject.settings, subject.environment, subject.identity)


def _shell(subject: Subject) -> str:
    return _lines(f"export {name}={shlex.quote(value)}" for name, value in subject.settings.to_env().items())


def _json(subject: Subject) -> str:
    return json.dumps(subject.settings.to_env(), indent=2) + "\n"


def _github_actions(subject: Subject) -> str:
    """No comment: the runner would take it for a variable, or refuse the file."""
    return _lines(f"{name}={value}" for name, value in subject.settings.to_env().items())


def _kubernetes(subject: Subject) -> str:
    """A Secret for `envFrom`. Under ``data``: a key that is gone from ``stringData`` stays in the cluster.

    Its name is a DNS subdomain (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
    """
    variables = subject.settings.to_env().items()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": re.sub("[^a-z0-9]+", "-", f"mpr-storage-{subject.label}".lower())},
        "type": "Opaque",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in variables},
    }
    return yaml.safe_dump(secret, sort_keys=False)


def rclone_options(subject: Subject) -> dict[str, str]:
    """A remote of rclone, option by option; also what `python -m infra copy` hands to rclone.

    Without ``no_check_bucket`` rclone would try to make the bucket on each upload.
    """
    settings = subject.settings
    options = {
        "type": "s3",
        "provider": _rclone_provider(subject),
        "env_auth": "false" if subject.has_keys else "true",
        "access_key_id": settings.access_key_id,
        "secret_access_key": settings.secret_access_key,
        "session_token": settings.session_token,
        "region": settings.region,
        "endpoint": settings.endpoint_url,
        "force_path_style": "true" if subject.addressing == "path" else "false",
        "no_check_bucket": "true",
    }
    return {name: value for name, value in options.items() if value is not None}


def _rclone(subject: Subject) -> str:
    return _section(subject.label, **rclone_options(subject))


def _rclone_provider(subject: Subject) -> str:
    if subject.host is None:
        return "AWS"
    return next((name for end, name in _RCLONE_PROVIDERS if subject.host.endswith(end)), "Other")


def _aws_profile(subject: Subject) -> str:
    """A profile of ``~/.aws/config``, which may hold keys as well as ``~/.aws/credentials``.

    The endpoint is that of the service S3 alone: ``endpoint_url`` of the profile itself would send every other
    service there too (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
    """
    settings = subject.settings
    checksums = None if settings.dialect.checksums == "when_supported" else settings.dialect.checksums
    profile = _section(
        f"profile {subject.label}",
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        region=settings.region,
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        s3={"addressing_style": subject.addressing},
        services=settings.endpoint_url and subject.label,
    )
    if settings.endpoint_url is None:
        return profile
    return profile + "\n" + _section(f"services {subject.label}", s3={"endpoint_url": settings.endpoint_url})


def _section(name: str, **values: str | Mapping[str, str] | None) -> str:
    """A section of an INI file, without the values that there are none of. A mapping is indented below its key."""
    lines = [f"[{name}]"]
    for key, value in values.items():
        if isinstance(value, str):
            lines.append(f"{key} = {value}")
        elif value:
            lines += [f"{key} =", *(f"  {inner} = {text}" for inner, text in value.items())]
    return _lines(lines)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


#: dotenv, docker and systemd are one text: env files are written so that all of them read the same.
FORMATS: Mapping[str, Callable[[Subject], str]] = {
    "dotenv": _env_file_of,
    "shell": _shell,
    "json": _json,
    "docker": _env_file_of,
    GITHUB_ACTIONS: _github_actions,
    "kubernetes": _kubernetes,
    "systemd": _env_file_of,
    "rclone": _rclone,
    "aws-profile": _aws_profile,
    "fsspec": options.fsspec,
    "pyarrow": options.pyarrow,
    "polars": options.polars,
    "duckdb": options.duckdb,
}
