"""Fixtures of the infra tests: stores, buckets of one's own, folders that are not the checkout's, tiny servers."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra import policies
from infra.config import stack_files
from infra.config.environment import EnvironmentConfig
from infra.config.identities import RIGHTS, ROLES, Identity, Role
from infra.config.load import parse
from infra.env import files
from infra.init import initialise
from infra.local import engine, ports
from infra.outcome import Outcome
from infra.policies import Policy
from infra.stores.access_key import AccessKey
from infra.stores.empty import delete_everything
from infra.stores.keys import IdentityManager, identity_manager
from infra.stores.store import Store
from tests import conftest as shared
from tests.ports import claimed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ALL = ("app", "pipeline", "ingest", "viewer")


def identity_of(name: str) -> Identity:
    """The identity that its name alone stands for in the configuration."""
    return Identity(name=name, rights=RIGHTS[name])


def policy_of(name: str, buckets: Mapping[str, str] | Mapping[Role, str], **options: Any) -> Policy:
    return policies.policy(identity_of(name), cast("Mapping[Role, str]", buckets), **options)


@pytest.fixture(scope="session", autouse=True)
def _ports_of_this_worker() -> Iterator[None]:
    """Have embedded stores take ports of this worker alone, so that several workers can start one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "PREFERRED_S3", claimed()[0])
        patch.setattr(ports, "_RANGE", claimed())
        yield


@pytest.fixture(scope="session")
def seaweed_store(seaweed: shared.Store) -> Store:
    """The real SeaweedFS of the run, as its administrator sees it."""
    return Store(seaweed.endpoint, seaweed.region, AccessKey(seaweed.access_key_id, seaweed.secret_access_key))


@pytest.fixture(scope="session")
def minio(minio: shared.Store) -> Store:
    """The real MinIO of the run, as its administrator sees it."""
    return Store(minio.endpoint, minio.region, AccessKey(minio.access_key_id, minio.secret_access_key))


@dataclass(frozen=True)
class Server:
    """A kind of store with the credentials that it makes."""

    store: Store
    credentials: str

    @property
    def manager(self) -> IdentityManager:
        return identity_manager(self.credentials, {})


@pytest.fixture(params=["seaweed", pytest.param("minio", marks=pytest.mark.minio)])
def server(request: pytest.FixtureRequest) -> Server:
    """Each real store in turn."""
    if request.param == "minio":
        return Server(request.getfixturevalue("minio"), "minio")
    return Server(request.getfixturevalue("seaweed_store"), "iam")


def fresh(start: str = "t") -> str:
    """A name that no other test has."""
    return f"{start}-{secrets.token_hex(6)}"


def remove_bucket(s3: S3Client, name: str) -> None:
    try:
        delete_everything(s3, name)
        s3.delete_bucket(Bucket=name)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


@pytest.fixture
def new_bucket() -> Iterator[Callable[[Store], str]]:
    """Makes buckets, which are gone with all their content after the test."""
    with ExitStack() as stack:

        def make(store: Store) -> str:
            name = fresh()
            store.s3.create_bucket(Bucket=name)
            stack.callback(remove_bucket, store.s3, name)
            return name

        yield make


@pytest.fixture
def bucket_name(seaweed_store: Store) -> Iterator[str]:
    """The name of a bucket that does not exist on SeaweedFS yet, and will not after the test."""
    name = fresh()
    yield name
    remove_bucket(seaweed_store.s3, name)


def use_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have everything read and write `environments/` there."""
    monkeypatch.setattr(stack_files, "ENVIRONMENTS", folder)


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Do as `use_folder`, for a part of a test."""
    with pytest.MonkeyPatch.context() as patched:
        use_folder(patched, folder)
        yield


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty environments/ folder that this process uses instead of the checkout's."""
    folder = tmp_path / "environments"
    folder.mkdir()
    use_folder(monkeypatch, folder)
    return folder


@dataclass(frozen=True)
class Environment:
    """An environment of a test, with buckets that exist for no other."""

    name: str
    server: Server
    folder: Path
    values: dict[str, Any]

    @property
    def store(self) -> Store:
        return self.server.store

    @property
    def config(self) -> EnvironmentConfig:
        return parse(self.name, self.values, "test")

    def file(self, identity: str) -> Path:
        return self.folder / files.path(self.name, identity).name

    def save(self) -> None:
        """Write ``Pulumi.<environment>.yaml``; JSON is YAML."""
        content = {"config": {f"mpr-storage:{key}": value for key, value in self.values.items()}}
        (self.folder / f"Pulumi.{self.name}.yaml").write_text(json.dumps(content), encoding="utf-8")

    def initialise(self) -> dict[str, str]:
        done: dict[str, Outcome] = {}
        initialise(self.config, done.__setitem__)
        return {subject: outcome.text for subject, outcome in done.items()}


def admin_variables(store: Store) -> dict[str, str]:
    return {
        "MPR_ADMIN_ACCESS_KEY_ID": store.admin.access_key_id,
        "MPR_ADMIN_SECRET_ACCESS_KEY": store.admin.secret_access_key,
    }


def environment_on(server: Server, folder: Path, **values: Any) -> Environment:
    name = fresh("e")
    wanted = {
        "target": "s3-compatible",
        "endpoint": server.store.endpoint,
        "credentials": server.credentials,
        "identities": list(ALL),
        "buckets": {"in": {"name": f"{name}-in"}, "out": {"name": f"{name}-out"}},
    }
    return Environment(name, server, folder, wanted | values)


def remove_environment(environment: Environment) -> None:
    for identity in environment.config.names:
        environment.server.manager.delete_identity(environment.store, f"mpr-{environment.name}-{identity}")
    for role in ROLES:
        remove_bucket(environment.store.s3, environment.config.bucket(role).name or "")


def _environment(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    for name, value in admin_variables(server.store).items():
        monkeypatch.setenv(name, value)
    made = environment_on(server, folder)
    made.save()
    yield made
    remove_environment(made)


@pytest.fixture
def environment(server: Server, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """An environment that is configured on each real store in turn and not created yet, with admin keys."""
    yield from _environment(server, environments, monkeypatch)


@pytest.fixture
def seaweed_environment(
    seaweed_store: Store, environments: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Environment]:
    """The same, on SeaweedFS alone."""
    yield from _environment(Server(seaweed_store, "iam"), environments, monkeypatch)


@pytest.fixture
def minio_environment(minio: Store, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """The same, on MinIO alone."""
    yield from _environment(Server(minio, "minio"), environments, monkeypatch)


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have botocore try again at once: it waits between its attempts for up to 10 s altogether."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


Response = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def http_server(response: Response) -> Iterator[str]:
    """Run an HTTP server that sends the same response to every request; yield its endpoint."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # so that it says 100 Continue, for which botocore waits a second

        def do_GET(self) -> None:
            response(self)

        do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815  # http.server's names

        def version_string(self) -> str:
            return ""

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()
            thread.join()


def responding(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Response:
    def response(request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        request.rfile.read(length)
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body.encode())))
        request.send_header("Connection", "close")
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body.encode())

    return response


@pytest.fixture
def refusing() -> Iterator[str]:
    """An endpoint at which nothing listens, and cannot for as long as the test runs."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def hanging() -> Iterator[str]:
    """An endpoint that accepts connections and never responds."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def babbling() -> Iterator[str]:
    """An endpoint that sends something other than HTTP on every connection."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        thread.join()


@dataclass(frozen=True)
class Project:
    """A copy of the project, to run its commands as users do."""

    root: Path

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m infra <arguments>`` there."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        return subprocess.run(
            [sys.executable, "-m", "infra", *arguments],
            cwd=self.root,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"} | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="session")
def _project_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy of the code for the run: nothing in it changes."""
    root = tmp_path_factory.mktemp("project")
    skip = shutil.ignore_patterns("__pycache__")
    for folder in ("core", "infra"):
        shutil.copytree(shared.REPO / folder, root / folder, ignore=skip)
    for file in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(shared.REPO / file, root / file)
    return root


@pytest.fixture
def project(_project_files: Path, tmp_path: Path) -> Project:
    """A copy of the project with an empty environments/, of this test alone."""
    root = tmp_path / "project"
    shutil.copytree(_project_files, root)
    (root / "environments").mkdir()
    return Project(root)


@pytest.fixture
def initialised(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment that `init` created on each real store, on a machine without Pulumi."""
    monkeypatch.setattr(engine, "find", lambda: None)
    monkeypatch.setattr(stack_files, "ROOT", environment.folder.parent)
    environment.values["identities"] = ["app", "viewer"]
    environment.save()
    environment.initialise()
    return environment
