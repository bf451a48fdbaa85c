"""Check whether this machine can use the store that its environment names: one attempt of each request."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from threading import Thread
from typing import NamedTuple
from urllib.parse import quote

from core.storage._boto.clients import session_of
from core.storage._config.mask import mask
from core.storage._engine import run
from core.storage._errors import (
    AccessDeniedError,
    ClockSkewError,
    ExpiredCredentialsError,
    InvalidCredentialsError,
    InvalidResponseError,
    StorageConfigError,
    StorageError,
    StoreUnreachableError,
)
from core.storage._http import pool
from core.storage._http.address import address_of
from core.storage._http.clock import seconds_ahead
from core.storage._http.codes import NO_CREDENTIALS
from core.storage._http.proxy import Host, proxy_for
from core.storage._http.request import Reply, Request, once
from core.storage._http.translate import Attempt, Failure, from_connection, translated
from core.storage._readiness import env_file_check
from core.storage._readiness.env_file_check import Status
from core.storage._transfer.checksums import content_md5, md5
from core.storage.settings import ENV_FILE_VARIABLE, HOW_TO_GET_ONE, Settings

_FAILED, _WRONG, _UNREACHABLE = 1, 2, 3
#: Below each prefix: the folder of the object that `write` puts and deletes.
_FOLDER = ".mpr-check/"
_BODY = b"written by python -m core.storage check, and deleted again\n"
#: Seconds that a clock may differ without a warning, and until stores refuse requests (15 minutes).
_UNSEEN, _REFUSED = 60, 900

#: Errors that concern more than one bucket, so that they end the check, with the finding and exit code of each.
_ENDS = (
    (StorageConfigError, "settings", _WRONG),
    (StoreUnreachableError, "endpoint", _UNREACHABLE),
    (InvalidResponseError, "endpoint", _FAILED),
    (ClockSkewError, "clock", _FAILED),
    ((InvalidCredentialsError, ExpiredCredentialsError), "credentials", _FAILED),
)


class Finding(NamedTuple):
    """The result of one check."""

    name: str
    status: Status
    #: One sentence; if something is wrong, it ends with what to do next.
    message: str
    #: The exit code that it causes.
    code: int = 0


def check(*, write: bool, prefixes: Mapping[str, str], limit: float) -> list[Finding]:
    """Return all findings, after `limit` seconds at the latest. Nothing is retried, nothing is raised.

    Args:
        write: also put and delete a small object in each bucket.
        prefixes: for an identity that may access only a prefix: that prefix, by bucket role.
        limit: seconds.
    """
    probe = _Probe(prefixes, write=write)
    # A thread, because nothing else can stop waiting for a name lookup; it is abandoned.
    thread = Thread(target=probe.run, name="mpr-check", daemon=True)
    thread.start()
    thread.join(limit)
    findings = list(probe.findings)
    if thread.is_alive():
        problem, next_step = probe.waiting
        message = f"{problem} within {limit:g} s; {next_step}"
        findings.append(Finding("endpoint", "failed", message, _UNREACHABLE))
    return findings


class _Probe:
    """A run of the check, with the findings so far."""

    def __init__(self, prefixes: Mapping[str, str], *, write: bool) -> None:
        self._prefixes = prefixes
        self._write = write
        self.findings: list[Finding] = []
        #: What to report if the time limit ends the current step: the problem, and what to do next.
        self.waiting = ("the env file was not read", "is the file system of S3_ENV_FILE mounted?")
        #: The scheme and host of the last request.
        self._address = ""
        self._connected: set[Host] = set()

    def run(self) -> None:
        try:
            self._check_all()
        except StorageError as error:
            name, code = next((row[1:] for row in _ENDS if isinstance(error, row[0])), ("endpoint", _FAILED))
            address = f"{self._address}: " if self._address and name == "endpoint" else ""
            self.findings.append(Finding(name, "failed", address + _sentence(error), code))
        except Exception as error:  # noqa: BLE001  # its text may hold a secret
            message = f"ended by {type(error).__name__}, which is a mistake in this program; report it"
            self.findings.append(Finding("check", "failed", message, _FAILED))

    def _add(self, name: str, status: Status, message: str) -> None:
        """Add a finding, unless an earlier response led to it already."""
        if all(finding.name != name for finding in self.findings):
            self.findings.append(Finding(name, status, message, _FAILED if status == "failed" else 0))

    def _check_all(self) -> None:
        path = os.environ.get(ENV_FILE_VARIABLE)
        if path and os.path.isfile(path):
            self._add("env file", *env_file_check.judged(path))
        settings = Settings.load()
        roles = {"in": settings.bucket_in, "out": settings.bucket_out}
        buckets = {role: bucket for role, bucket in roles.items() if bucket}
        if not buckets:
            raise StorageConfigError(f"neither S3_BUCKET_IN nor S3_BUCKET_OUT is set. {HOW_TO_GET_ONE}")
        credentials = "credentials from boto3's credential chain"
        if settings.access_key_id:
            credentials = f"access key ID {mask(settings.access_key_id)}"
        else:
            self._find_credentials(settings)
        names = ", ".join(f"{role} {bucket}" for role, bucket in buckets.items())
        self._add("settings", "ok", f"complete: region {settings.region}, {names}, {credentials}")
        for role, bucket in buckets.items():
            self._check_bucket(settings, role, bucket)

    def _find_credentials(self, settings: Settings) -> None:
        self.waiting = (
            "no credentials were found",
            "set AWS_ACCESS_KEY_ID, or check that the source of boto3's credential chain can be reached",
        )
        try:
            with translated("GetCredentials", "the chain"):
                credentials = session_of(settings).get_credentials()
                if credentials is not None:
                    credentials.get_frozen_credentials()  # now, because fetching them may be the slow step
        except StorageError as error:
            cause = type(error.__cause__).__name__  # not its text, which may be anything
            raise StorageConfigError(f"boto3's credential chain raised {cause}; {NO_CREDENTIALS}") from error
        if credentials is None:
            raise StorageConfigError(NO_CREDENTIALS)

    def _check_bucket(self, settings: Settings, role: str, bucket: str) -> None:
        prefix = self._prefixes.get(role, "")
        query = f"list-type=2&max-keys=1&prefix={quote(prefix, safe='')}"
        response = self._request(settings, Request("ListObjectsV2", bucket, query=query))
        error = response.error if isinstance(response, Failure) else None
        self._add("endpoint", "ok", f"{self._address} responds")
        seconds = seconds_ahead(response.headers)
        if seconds is not None:
            self._add("clock", *_clock(seconds))
        if error is None or isinstance(error, AccessDeniedError):
            self._add("credentials", "ok", "the store accepts the access key")
        if error is None:
            self._add(role, "ok", f"{bucket} can be listed")
        else:
            suggestion = f", or name the prefix that it may access: --prefix {role}=KEYS/"
            is_prefix_missing = isinstance(error, AccessDeniedError) and not prefix
            self._add(role, "failed", _sentence(error) + (suggestion if is_prefix_missing else ""))
        if self._write and (error is None or isinstance(error, AccessDeniedError)):
            self._add(f"{role} write", *self._written(settings, bucket, prefix))

    def _request(self, settings: Settings, request: Request) -> Reply | Failure:
        """Send the request once, and return the response, or a failure that concerns its bucket alone.

        Raises:
            StorageError: for every other failure.
        """
        host = address_of(settings, request.bucket).host
        self._address = f"{host.scheme}://{host.header}"
        if host not in self._connected:
            self._connect(host, request.attempt)
            self._connected.add(host)
        self.waiting = (
            f"{self._address} accepted the connection and sent no response",
            "is S3_ENDPOINT_URL the address of the S3 port, and is the store healthy?",
        )
        response = run(once(request, settings))
        if isinstance(response, Reply):
            return response
        if any(isinstance(response.error, kind) for kind, *_ in _ENDS):
            raise response.error from response.cause
        if (response.error.code or "").isdecimal():
            raise StorageError(
                f"it responded {response.error.code} without an error code of S3; set S3_ENDPOINT_URL to the S3 "
                "port of a store, with http or https as that port expects"
            )
        return response

    def _connect(self, host: Host, attempt: Attempt) -> None:
        try:
            if proxy_for(host) is None:  # a proxy would resolve the name
                self.waiting = (
                    f"the name {host.name} was not resolved",
                    "check S3_ENDPOINT_URL, and the DNS of this machine",
                )
                socket.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
            self.waiting = (
                f"could not connect to {self._address}",
                "is the store running, S3_ENDPOINT_URL correct, and no firewall or NetworkPolicy between?",
            )
            run(_open_connection(host))
        except OSError as error:
            raise from_connection(error, attempt).error from error

    def _written(self, settings: Settings, bucket: str, prefix: str) -> tuple[Status, str]:
        key = f"{prefix}{_FOLDER}{os.urandom(8).hex()}"
        signed = {"Content-MD5": content_md5(md5(_BODY).digest())}
        put = self._request(settings, Request("PutObject", bucket, key, signed=signed, body=_BODY))
        if isinstance(put, Failure):
            if isinstance(put.error, AccessDeniedError):
                return "ok", f"{bucket} is read-only for this identity"
            return "failed", _sentence(put.error)
        deletion = self._request(settings, Request("DeleteObject", bucket, key))
        if isinstance(deletion, Failure):
            problem = f"{bucket} can be written, but {key} could not be deleted ({deletion.error.code})"
            return "warning", f"{problem}; delete it with another identity"
        return "ok", f"{bucket} can be written"


async def _open_connection(host: Host) -> None:
    route = pool.route_to(host)
    pool.give_back(route, await pool.take(route), usable=True)


def _sentence(error: StorageError) -> str:
    """Return the message with the store's code first, without the store's own text."""
    message = error.message.partition(" (the store said ")[0]
    message = message.removeprefix(f"{error.operation} on {error.bucket}: ")
    if type(error) is StorageError and error.code:
        message += "; ask the store's operator, or its documentation, about that code"
    code = error.code or ""
    return f"{code}: {message}" if code.isalnum() and not code.isdecimal() else message


def _clock(seconds: int) -> tuple[Status, str]:
    difference = abs(seconds)
    if difference < _UNSEEN:
        return "ok", "this machine's clock agrees with the store's"
    message = f"the clock of this machine is {difference} s {'ahead of' if seconds > 0 else 'behind'} the store's"
    if difference < _REFUSED:
        return "warning", f"{message}, and stores refuse requests from {_REFUSED} s on; sync it (chrony, ntpd)"
    return "failed", f"{message}; sync it (chrony, ntpd)"
