"""The botocore session that every client of this library comes from, and what it leaves out.

A first `boto3.client("s3")` does more than an S3 client needs: it lists the folders of all services, keeps every
model in ordered dicts, imports the resource layer and the transfer manager, and looks for credentials in files.
For settings with access keys, a lean session skips all of it through hooks of botocore: a subclass, a loader,
session variables and events.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime
from functools import cache, partial
from importlib import import_module
from typing import Any

import botocore.session
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.loaders import JSONFileLoader, Loader
from botocore.parsers import DEFAULT_TIMESTAMP_PARSER

from core.storage._config.live_keys import latest
from core.storage.settings import Settings


def new_session(settings: Settings) -> botocore.session.Session:
    """Return a new session for `settings`: boto3's default session is not thread-safe."""
    session = _LeanSession(settings) if settings.access_key_id else botocore.session.Session()
    session.user_agent_extra = "mpr-storage"
    factory = session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=parse_timestamp)
    # boto3's own methods are imported at their first use: the transfer manager costs as much as the whole client.
    for name in ("upload_file", "download_file", "upload_fileobj", "download_fileobj", "copy"):
        session.register(f"getattr.s3.{name}", partial(_transfer_method, name))
    return session


class _LeanSession(botocore.session.Session):
    """A session for settings with access keys. It reads no profile and no file of the user."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(session_vars={"profile": (None, None, None, None)})
        self._live_credentials = _LiveCredentials(settings)
        for name in ("config_file", "credentials_file"):
            self.set_config_variable(name, os.devnull)
        self.register_component("data_loader", _loader())

    def get_credentials(self) -> Credentials:
        return self._live_credentials


class _LiveCredentials(Credentials):
    """The credentials of settings, read again for each request: they follow the env file."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            settings.access_key_id or "", settings.secret_access_key or "", settings.session_token, "mpr-storage"
        )
        self._settings = settings

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        settings = latest(self._settings)
        return ReadOnlyCredentials(
            settings.access_key_id or "", settings.secret_access_key or "", settings.session_token
        )


def _transfer_method(name: str, client: Any, **_: object) -> Any:
    return partial(getattr(import_module("boto3.s3.inject"), name), client)


def parse_timestamp(value: Any) -> datetime:
    """Return what botocore's own parser returns, ten times as fast for the timestamps of S3 listings.

    dateutil takes three quarters of the time in which botocore parses a page of a listing (botocore#3063).
    """
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if parsed.tzinfo is not None:
                return parsed
    result: datetime = DEFAULT_TIMESTAMP_PARSER(value)
    return result


class _ModelFiles(JSONFileLoader):
    """A loader of botocore's models into plain dicts, which keep their order and decode twice as fast."""

    def exists(self, file_path: str) -> bool:
        return any(os.path.isfile(file_path + end) for end in (".json", ".json.gz"))

    def load_file(self, file_path: str) -> Any:
        for end, opened in ((".json", open), (".json.gz", gzip.open)):
            try:
                with opened(file_path + end, "rb") as file:
                    return json.loads(file.read())
            except FileNotFoundError:
                continue
        return None


class _LeanLoader(Loader):
    """A loader for one service, which does not list the folders of all of them."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002  # botocore's signature
        return ["s3"]


@cache
def _loader() -> _LeanLoader:
    """Return the loader of all sessions, which keeps the models: decoding that of S3 takes 50 ms."""
    return _LeanLoader(file_loader=_ModelFiles())
