"""The botocore session that every client of this library comes from, and what it leaves out.

A first `boto3.client("s3")` reads more than an S3 client needs: it lists the folders of all services, keeps
every model in ordered dicts, imports the resource layer and the transfer manager, and looks for credentials in
files. Where the settings carry keys none of it can matter, so a lean session skips it, through hooks that
botocore has for this: components, a loader of its own, session variables and events.

This module imports botocore, so it is only ever imported when a client is needed.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any

import botocore.session
from botocore.credentials import CredentialResolver
from botocore.loaders import JSONFileLoader, Loader
from botocore.parsers import DEFAULT_TIMESTAMP_PARSER

from core.storage._boto.credentials import LiveProvider
from core.storage.settings import Settings

#: What boto3 adds to an S3 client (`boto3.s3.inject`), fetched when it is asked for: the transfer manager
#: costs as much to import as the whole client.
_TRANSFER_METHODS = ("upload_file", "download_file", "upload_fileobj", "download_fileobj", "copy")
#: The variables through which ~/.aws could change a client whose settings are complete.
_FILES = ("config_file", "credentials_file")


def new_session(settings: Settings) -> botocore.session.Session:
    """A session of its own for `settings`: no thread shares the state of boto3's default session."""
    session = _lean_session(settings) if settings.access_key_id else botocore.session.Session()
    session.user_agent_extra = "mpr-storage"
    factory = session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=parse_timestamp)
    for name in _TRANSFER_METHODS:
        session.register(f"getattr.s3.{name}", partial(_transfer_method, name))
    return session


def _lean_session(settings: Settings) -> botocore.session.Session:
    # A profile or a file of the user's must not change what complete settings mean.
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    for name in _FILES:
        session.set_config_variable(name, os.devnull)
    session.register_component("data_loader", _LeanLoader(file_loader=_ModelFiles()))
    session.register_component("credential_provider", CredentialResolver([LiveProvider(settings)]))
    return session


def _transfer_method(name: str, client: Any, **_: object) -> Any:
    return partial(getattr(import_module("boto3.s3.inject"), name), client)


def parse_timestamp(value: Any) -> datetime:
    """What botocore's own parser answers, ten times as fast for the form that S3 listings are written in.

    dateutil is three quarters of the time that botocore takes to parse a page of a listing (botocore#3063).
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
    """Reads botocore's models into plain dicts, which keep their order and decode twice as fast."""

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
    """Knows one service, so it need not look through the folders of all of them."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002  # botocore's signature
        return ["s3"]
