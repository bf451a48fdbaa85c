"""The readiness check: whether this environment works on this machine, in one short try of everything."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
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
from core.storage._http.clock import ahead
from core.storage._http.codes import NO_CREDENTIALS
from core.storage._http.proxy import Host, proxy_for
from core.storage._http.request import Reply, Request, once
from core.storage._http.translate import Attempt, Failure, from_connection, translated
from core.storage._readiness import env_file_check
from core.storage._readiness.env_file_check import Status
from core.storage._transfer.checksums import content_md5, md5
from core.storage.settings import ENV_FILE_VARIABLE, HOW_TO_GET_ONE, Settings

FAILED, WRONG, UNREACHABLE = 1, 2, 3
#: Below each prefix, where `write` puts what it deletes again.
HIDDEN = ".mpr-check/"
_BODY = b"written by python -m core.storage check, and deleted again\n"
#: Seconds that a clock may be off: unseen, and until stores refuse (15 minutes).
_UNSEEN, _REFUSED = 60, 900

#: Where an error shows that is not about one bucket, and the exit code. After it there is nothing more to ask.
_ENDS = (
    (StorageConfigError, "settings", WRONG),
    (StoreUnreachableError, "endpoint", UNREACHABLE),
    (InvalidResponseError, "endpoint", FAILED),
    (ClockSkewError, "clock", FAILED),
    ((InvalidCredentialsError, ExpiredCredentialsError), "credentials", FAILED),
)


class Finding(NamedTuple):
    """One thing that was found out."""

    name: str
    status: Status
    #: One sentence; where something is wrong, it ends with what to do next.
    message: str
    #: What it makes of the exit code.
    code: int = 0


def check(*, write: bool, prefixes: Mapping[str, str], limit: float) -> list[Finding]:
    """All findings, after `limit` seconds at the latest. Nothing is tried twice, nothing is raised.

    Args:
        write: also put and delete a small object in each bucket.
        prefixes: by role of a bucket, what the keys of an identity start with that may reach nothing else.
        limit: seconds.
    """
    probe = _Probe(prefixes, write=write)
    # A thread, because nothing else ends a look-up of a name; it is left behind.
    thread = Thread(target=probe.run, name="mpr-check", daemon=True)
    thread.start()
    thread.join(limit)
    findings = list(probe.findings)
    if thread.is_alive():
        what, then = probe.doing
        findings.append(Finding("endpoint", "failed", f"{what} within {limit:g} s; {then}", UNREACHABLE))
    return findings


class _Probe:
    """The probes, in order, as far as they have come."""

    def __init__(self, prefixes: Mapping[str, str], *, write: bool) -> None:
        self._prefixes = prefixes
        self._write = write
        self.findings: list[Finding] = []
        #: What is waited for, told as if it had not come, and what to do then.
        self.doing = ("nothing was read", "is the file system of S3_ENV_FILE there?")
        #: The store that was asked last.
        self._at = ""
        self._reached: set[Host] = set()
        self._told: set[str] = set()

    def run(self) -> None:
        try:
            for one in self._all():
                self.findings.append(one)
        except StorageError as error:
            name, code = next((row[1:] for row in _ENDS if isinstance(error, row[0])), ("endpoint", FAILED))
            place = f"{self._at}: " if self._at and name == "endpoint" else ""
            self.findings.append(Finding(name, "failed", place + _sentence(error), code))
        except Exception as error:  # noqa: BLE001  # a probe answers in words, whatever happens
            said = f"ended by {type(error).__name__}, which is a mistake in this program; report it"
            self.findings.append(Finding("check", "failed", said, FAILED))

    def _all(self) -> Iterator[Finding]:
        path = os.environ.get(ENV_FILE_VARIABLE)
        if path and os.path.isfile(path):
            status, said = env_file_check.judged(path)
            yield Finding("env file", status, said, FAILED if status == "failed" else 0)
        settings = Settings.load()
        buckets = {"in": settings.bucket_in, "out": settings.bucket_out}
        named = {role: bucket for role, bucket in buckets.items() if bucket}
        if not named:
            raise StorageConfigError(f"neither S3_BUCKET_IN nor S3_BUCKET_OUT is set. {HOW_TO_GET_ONE}")
        self._find_credentials(settings)
        yield Finding("settings", "ok", _settings_told(settings, named))
        for role, bucket in named.items():
            yield from self._bucket(settings, role, bucket)

    def _find_credentials(self, settings: Settings) -> None:
        if settings.access_key_id:
            return
        self.doing = (
            "no credentials were found",
            "set AWS_ACCESS_KEY_ID, or see that their source can be reached",
        )
        try:
            with translated("GetCredentials", "the chain"):
                found = session_of(settings).get_credentials()
                if found is not None:
                    found.get_frozen_credentials()  # fetched now, where that is what is waited for
        except StorageError as error:
            why = type(error.__cause__).__name__  # whose text may be anything
            raise StorageConfigError(f"the chain ended in {why}; {NO_CREDENTIALS}") from error
        if found is None:
            raise StorageConfigError(NO_CREDENTIALS)

    def _bucket(self, settings: Settings, role: str, bucket: str) -> Iterator[Finding]:
        prefix = self._prefixes.get(role, "")
        query = f"list-type=2&max-keys=1&prefix={quote(prefix, safe='')}"
        found = self._asked(settings, Request("ListObjectsV2", bucket, query=query))
        yield from self._store(settings, bucket, found)
        refused = found.error if isinstance(found, Failure) else None
        if refused is None:
            yield Finding(role, "ok", f"{bucket} can be listed")
        else:
            hint = f", or name the keys that it may reach: --prefix {role}=KEYS/"
            more = hint if isinstance(refused, AccessDeniedError) and not prefix else ""
            yield Finding(role, "failed", _sentence(refused) + more, FAILED)
        if self._write and (refused is None or isinstance(refused, AccessDeniedError)):
            yield self._written(settings, role, bucket, prefix)

    def _asked(self, settings: Settings, request: Request) -> Reply | Failure:
        """What the store answers.

        Raises:
            StorageError: what says nothing about this bucket alone.
        """
        host = address_of(settings, request.bucket).host
        self._at = _shown(host)
        if host not in self._reached:
            self._connect(host, request.attempt)
            self._reached.add(host)
        self.doing = (
            f"{self._at} takes connections and gave no answer",
            "is S3_ENDPOINT_URL that of the S3 port, and the store well?",
        )
        found = run(once(request, settings))
        if isinstance(found, Reply):
            return found
        if any(isinstance(found.error, kind) for kind, *_ in _ENDS):
            raise found.error from found.cause
        if (found.error.code or "").isdecimal():
            raise _no_store(f"it answered {found.error.code} without a reason as stores give it")
        return found

    def _connect(self, host: Host, attempt: Attempt) -> None:
        try:
            if proxy_for(host) is None:  # which would do the looking up
                self.doing = (
                    f"the name {host.name} was not resolved",
                    "check S3_ENDPOINT_URL, and the DNS of this machine",
                )
                socket.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
            self.doing = (
                f"no connection to {self._at} came about",
                "is the store running, S3_ENDPOINT_URL right, and no firewall or NetworkPolicy between?",
            )
            run(_reached(host))
        except OSError as error:
            raise from_connection(error, attempt).error from error

    def _store(self, settings: Settings, bucket: str, found: Reply | Failure) -> Iterator[Finding]:
        """What an answer tells of the store, each once."""
        host = address_of(settings, bucket).host
        yield from self._once(Finding("endpoint", "ok", f"{_shown(host)} answers"))
        seconds = ahead(found.headers)
        if seconds is not None:
            yield from self._once(_clock(seconds))
        if isinstance(found, Reply) or isinstance(found.error, AccessDeniedError):
            yield from self._once(Finding("credentials", "ok", "the store knows the key and the secret"))

    def _once(self, finding: Finding) -> Iterator[Finding]:
        if finding.name not in self._told:
            self._told.add(finding.name)
            yield finding

    def _written(self, settings: Settings, role: str, bucket: str, prefix: str) -> Finding:
        key = f"{prefix}{HIDDEN}{os.urandom(8).hex()}"
        name = f"{role} write"
        signed = {"Content-MD5": content_md5(md5(_BODY).digest())}
        put = self._asked(settings, Request("PutObject", bucket, key, signed=signed, body=_BODY))
        if isinstance(put, Failure):
            if isinstance(put.error, AccessDeniedError):
                return Finding(name, "ok", f"{bucket} is read-only for this identity")
            return Finding(name, "failed", _sentence(put.error), FAILED)
        deleted = self._asked(settings, Request("DeleteObject", bucket, key))
        if isinstance(deleted, Failure):
            said = (
                f"{bucket} can be written, but nothing deleted ({deleted.error.code}); delete {key} in another way"
            )
            return Finding(name, "warning", said)
        return Finding(name, "ok", f"{bucket} can be written")


async def _reached(host: Host) -> None:
    route = pool.route_to(host)
    pool.give_back(route, await pool.take(route), usable=True)


def _no_store(said: str) -> StorageError:
    return StorageError(f"{said}; set S3_ENDPOINT_URL to the S3 port of a store, http or https as it speaks")


def _sentence(error: StorageError) -> str:
    """The error, the store's code first and what to do last; what else the store said is left out."""
    said = error.message.partition(" (the store said ")[0]
    said = said.removeprefix(f"{error.operation} on {error.bucket}: ")
    if type(error) is StorageError and error.code:
        said += "; ask the store's operator, or its documentation, about that code"
    code = error.code or ""
    return f"{code}: {said}" if code.isalnum() and not code.isdecimal() else said


def _settings_told(settings: Settings, buckets: Mapping[str, str]) -> str:
    key = f"key {mask(settings.access_key_id)}" if settings.access_key_id else "keys of this machine's own"
    named = ", ".join(f"{role} {bucket}" for role, bucket in buckets.items())
    return f"complete: region {settings.region}, {named}, {key}"


def _clock(seconds: int) -> Finding:
    off = abs(seconds)
    if off < _UNSEEN:
        return Finding("clock", "ok", "this machine's clock is the store's")
    said = f"the clock of this machine is {off} s {'ahead of' if seconds > 0 else 'behind'} the store's"
    if off < _REFUSED:
        return Finding("clock", "warning", f"{said}, and stores refuse {_REFUSED} s; sync it (chrony, ntpd)")
    return Finding("clock", "failed", f"{said}; sync it (chrony, ntpd)", FAILED)


def _shown(host: Host) -> str:
    return f"{host.scheme}://{host.header}"
