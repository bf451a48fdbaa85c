"""A pytest plugin for applications that use `core.storage`: a store in the test process, with faults on request.

Name it in the first line of the application's root ``conftest.py``::

    pytest_plugins = ["core.storage.testing"]

or in ``addopts`` (``-p core.storage.testing``), if ``conftest.py`` itself imports the application. From then on
the environment of the process names a server of its own (moto's, with the two empty buckets ``testing-in`` and
``testing-out``), so that modules with ``from core.storage import BUCKET_IN`` at their top can be imported, and
no test can reach the user's buckets: variables and files with credentials are put aside until pytest ends. Each
test finds both buckets empty.

It needs the extra ``testing``: ``pip install 'mpr-storage[testing]'``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from core.storage._testing.server import BUCKETS, FakeStorage, Server
from core.storage.settings import ENV_FILE_VARIABLE, Settings, variables

__all__ = ["FakeStorage", "storage"]

#: Variables through which credentials, a profile or a proxy of the user could reach a test.
_FOREIGN = (
    ENV_FILE_VARIABLE,
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HTTP_PROXY",
    "http_proxy",
)

_server: Server | None = None
#: What the environment held before.
_before: dict[str, str | None] = {}


def _activate() -> None:
    """Start the server and name it in the environment; nothing if that is done."""
    global _server  # noqa: PLW0603  # one for the process
    if _server is not None:
        return
    _server = Server()
    names = [name for _, row in variables() for name in row.names]
    changes: dict[str, str | None] = dict.fromkeys([*names, *_FOREIGN])
    changes |= {
        "S3_ENDPOINT_URL": _server.endpoint,
        **BUCKETS,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for name, value in changes.items():
        _before[name] = os.environ.get(name)
        _set(name, value)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Set the environment before any ``conftest.py`` is imported: where the plugin is named with ``-p``."""
    _activate()


def pytest_configure() -> None:
    """Set the environment before the test modules are imported: where ``conftest.py`` names the plugin."""
    _activate()


def pytest_unconfigure() -> None:
    """Put the environment back as it was, and end the server."""
    global _server  # noqa: PLW0603  # one for the process
    if _server is None:
        return
    _server.close()
    _server = None
    for name, value in _before.items():
        _set(name, value)


@pytest.fixture(autouse=True)
def _isolated_storage() -> Iterator[None]:
    """Empty both buckets after each test, also after one that did not ask for `storage`."""
    yield
    if _server is not None:
        _server.reset()


@pytest.fixture
def storage() -> FakeStorage:
    """Return the storage of the test: two empty buckets on a server of the test process, and faults on request."""
    assert _server is not None  # noqa: S101  # pytest_configure has started it
    return FakeStorage(_server, Settings.load())
