"""Settings of every target, and a machine on which tools run, for the tests of the formats."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from core.storage.settings import Settings
from infra.env.formats import render
from infra.env.identity_settings import IdentitySettings

#: Credentials with every character that a value may have, with unusual ones first, last and after a percent sign.
ODD = Settings(
    endpoint_url="http://127.0.0.1:8333",
    public_endpoint_url="https://media.example.com",
    bucket_in="media-in",
    bucket_out="media.out",
    region="us-east-1",
    access_key_id="[AK=%:x,]",
    secret_access_key="=_@%+=:,./-[]%25%0A%s",
    session_token="-t/+%+-=]",
)

#: The settings that each target produces.
SHAPES: Mapping[str, Settings] = {
    "store": replace(ODD, session_token=None),
    "temporary": ODD,
    "aws": Settings(
        region="eu-west-1",
        bucket_in="media-in",
        bucket_out="media-out",
        bucket_owner="123456789012",
        access_key_id="AKIAEXAMPLE",
        secret_access_key="hush/hush+hush",
    ),
    "aws role": Settings(
        region="eu-west-1",
        bucket_in="media-in",
        bucket_out="media-out",
        bucket_owner="123456789012",
        role_arn="arn:aws:iam::123456789012:role/mpr-prod-app",
    ),
    "gcp": Settings(
        endpoint_url="https://storage.googleapis.com",
        region="auto",
        bucket_in="media-in",
        access_key_id="GOOGEXAMPLE",
        secret_access_key="hush/hush+hush",
    ),
    "r2": Settings(
        endpoint_url="https://0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com",
        region="auto",
        bucket_out="media-out",
        access_key_id="0123456789abcdef",
        secret_access_key="hush",
    ),
}


def rendered(name: str, settings: Settings, environment: str = "test", identity: str = "app") -> str:
    return render(name, IdentitySettings(environment, identity, settings))


def secrets_of(settings: Settings) -> list[str]:
    return [secret for secret in (settings.secret_access_key, settings.session_token) if secret]


def keyless(settings: Settings) -> Settings:
    return replace(settings, access_key_id=None, secret_access_key=None, session_token=None)


def key_variables(settings: Settings) -> dict[str, str]:
    """Return the access key as environment variables of the user."""
    return {
        "AWS_ACCESS_KEY_ID": settings.access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": settings.secret_access_key or "",
    }


@dataclass(frozen=True)
class Machine:
    """A home folder without configuration, in which tools run."""

    home: Path

    def run(self, command: list[str], stdin: str = "", **variables: str) -> str:
        """Run a command that must succeed, and return what it prints."""
        result = self.attempt(command, stdin, **variables)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def attempt(self, command: list[str], stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        missing = str(self.home / "missing")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_CONFIG_FILE": missing,
            "AWS_SHARED_CREDENTIALS_FILE": missing,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return subprocess.run(
            command,
            input=stdin,
            env=environment | variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def python(self, code: str, stdin: str, *arguments: str, **variables: str) -> str:
        """Return what the code prints in a process of its own, because these libraries start threads."""
        return self.run([sys.executable, "-c", code, *arguments], stdin, **variables)

    def file(self, name: str, text: str) -> Path:
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file
