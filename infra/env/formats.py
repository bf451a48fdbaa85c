"""The formats of `python -m infra env --format`: a row and a pure function each.

No format escapes anything: `render` refuses values with characters that are special in any of them
(`render_env_file`), in strings of INI, YAML, JSON and SQL too. Only GitHub's percent sign is escaped, in `masks`.
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
from infra.env.identity_settings import IdentitySettings
from infra.targets.registry import TARGETS

#: The format that is appended to the file that GITHUB_ENV names.
GITHUB_ACTIONS = "github-actions"


def render(name: str, identity: IdentitySettings) -> str:
    """Return the settings in the format `name`.

    Raises:
        StorageConfigError: a value has a special character. The message has the variable's name, never its value.
    """
    render_env_file(identity.settings.to_env())
    return FORMATS[name](identity)


def masks(settings: Settings) -> str:
    """Return the workflow commands that hide the credentials in the log of a GitHub job.

    GitHub decodes %25, %0D and %0A in the data of a command, so a percent sign is written as %25
    (https://docs.github.com/actions/reference/workflow-commands-for-github-actions#masking-a-value-in-a-log).
    """
    credentials = (settings.access_key_id, settings.secret_access_key, settings.session_token)
    return _lines(f"::add-mask::{value.replace('%', '%25')}" for value in credentials if value)


def _env_file_of(identity: IdentitySettings) -> str:
    return files.render(identity.settings, identity.environment, identity.identity)


def _shell(identity: IdentitySettings) -> str:
    return _lines(f"export {name}={shlex.quote(value)}" for name, value in identity.settings.to_env().items())


def _json(identity: IdentitySettings) -> str:
    return json.dumps(identity.settings.to_env(), indent=2) + "\n"


def _github_actions(identity: IdentitySettings) -> str:
    """Return the variables without a comment, which the runner would refuse or take for a variable."""
    return _lines(f"{name}={value}" for name, value in identity.settings.to_env().items())


def _kubernetes(identity: IdentitySettings) -> str:
    """Return a Secret for `envFrom`.

    It uses ``data``, because entries removed from ``stringData`` stay in the cluster. Its name is a DNS subdomain
    (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
    """
    variables = identity.settings.to_env().items()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": re.sub("[^a-z0-9]+", "-", f"mpr-storage-{identity.label}".lower())},
        "type": "Opaque",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in variables},
    }
    return yaml.safe_dump(secret, sort_keys=False)


def rclone_options(identity: IdentitySettings) -> dict[str, str]:
    """Return the options of an rclone remote; `python -m infra copy` uses them too.

    Without ``no_check_bucket`` rclone would try to create the bucket on each upload.
    """
    settings = identity.settings
    host = (identity.netloc or ".amazonaws.com").partition(":")[0]
    options = {
        "type": "s3",
        "provider": next(
            (spec.rclone_provider for spec in TARGETS.values() if host.endswith(spec.hosts)), "Other"
        ),
        "env_auth": "false" if identity.has_access_key else "true",
        "access_key_id": settings.access_key_id,
        "secret_access_key": settings.secret_access_key,
        "session_token": settings.session_token,
        "region": settings.region,
        "endpoint": settings.endpoint_url,
        "force_path_style": "true" if identity.addressing == "path" else "false",
        "no_check_bucket": "true",
    }
    return {name: value for name, value in options.items() if value is not None}


def _rclone(identity: IdentitySettings) -> str:
    return _section(identity.label, **rclone_options(identity))


def _aws_profile(identity: IdentitySettings) -> str:
    """Return a profile for ``~/.aws/config``.

    The endpoint is set for S3 alone: ``endpoint_url`` of the profile would be used for every service
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
    """
    settings = identity.settings
    checksums = None if settings.dialect.checksums == "when_supported" else settings.dialect.checksums
    profile = _section(
        f"profile {identity.label}",
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        region=settings.region,
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        s3={"addressing_style": identity.addressing},
        services=settings.endpoint_url and identity.label,
    )
    if settings.endpoint_url is None:
        return profile
    return profile + "\n" + _section(f"services {identity.label}", s3={"endpoint_url": settings.endpoint_url})


def _section(name: str, **values: str | Mapping[str, str] | None) -> str:
    """Return a section of an INI file without the values that are None; a mapping is indented below its name."""
    lines = [f"[{name}]"]
    for option, value in values.items():
        if isinstance(value, str):
            lines.append(f"{option} = {value}")
        elif value:
            lines += [f"{option} =", *(f"  {suboption} = {text}" for suboption, text in value.items())]
    return _lines(lines)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


#: dotenv, docker and systemd are the same text: they read an env file alike.
FORMATS: Mapping[str, Callable[[IdentitySettings], str]] = {
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
