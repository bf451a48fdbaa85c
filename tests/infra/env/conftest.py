"""An environment on the real SeaweedFS that holds a Parquet file, and a double of the `pulumi` command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.storage import get_s3_client
from core.storage.settings import Settings
from infra.config import stack_files
from infra.env import files
from infra.stores.store import Store
from tests.infra.conftest import Server, admin_variables, environment_on, remove_environment
from tests.infra.env.support import Machine

_PARQUET = "import polars, sys; polars.DataFrame({'frame': [1, 2, 3]}).write_parquet(sys.argv[1])"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home = tmp_path / "home"
    home.mkdir()
    return Machine(home)


@dataclass(frozen=True)
class Filled:
    """The settings of identity `app`, which may neither list nor create buckets, and the object in its bucket."""

    settings: Settings
    key: str = "tables/rows.parquet"

    @property
    def bucket(self) -> str:
        return self.settings.bucket("in")

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@pytest.fixture(scope="session")
def filled(seaweed_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("environments")
    environment = environment_on(Server(seaweed_store, "iam"), folder, identities=["app"])
    table = folder / "rows.parquet"
    Machine(folder).run([sys.executable, "-c", _PARQUET, str(table)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack_files, "ENVIRONMENTS", folder)
        for name, value in admin_variables(seaweed_store).items():
            patch.setenv(name, value)
        environment.initialise()
    settings = files.load(environment.file("app"), "test")
    filled = Filled(settings)
    get_s3_client(settings).upload_file(str(table), filled.bucket, filled.key)
    yield filled
    remove_environment(environment)


_PULUMI = """#!{python}
import json, pathlib, sys

folder = pathlib.Path(__file__).parent
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if (folder / "failure").exists():
    sys.exit((folder / "failure").read_text() or 255)
stacks = json.loads((folder / "stacks").read_text())
if sys.argv[2:4] == ["stack", "ls"]:
    print(json.dumps([stack["listed"] for stack in stacks.values()]))
else:
    assert sys.argv[2:6] == ["stack", "output", "--json", "--show-secrets"]
    print(json.dumps(stacks[sys.argv[7]]["outputs"]))
"""


@dataclass(frozen=True)
class Pulumi:
    """A double of the `pulumi` command: it lists stacks and their outputs as the real one does."""

    folder: Path

    @property
    def command(self) -> Path:
        return self.folder / "pulumi"

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def deploy(
        self,
        name: str,
        outputs: Mapping[str, object],
        listed_as: str | None = None,
        updated: str | None = "2026-11-24T04:00:00.000Z",
    ) -> None:
        stacks = json.loads((self.folder / "stacks").read_text())
        listed = {"name": listed_as or name, "current": False, "updateInProgress": False}
        stacks[name] = {"listed": listed | ({"lastUpdate": updated} if updated else {}), "outputs": outputs}
        (self.folder / "stacks").write_text(json.dumps(stacks))

    def fail(self, message: str) -> None:
        (self.folder / "failure").write_text(message)


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulumi:
    """Return the double, which is the only `pulumi` on PATH, in a project of this test."""
    double = Pulumi(tmp_path / "bin")
    double.folder.mkdir()
    (double.folder / "stacks").write_text("{}")
    (tmp_path / ".local/pulumi/state").mkdir(parents=True)  # without it, there can be no stack
    double.command.write_text(_PULUMI.format(python=sys.executable))
    double.command.chmod(0o755)
    monkeypatch.setattr(stack_files, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", f"{double.folder}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    return double
