"""`init --dry-run`: what it says is what the real run does, and it sends nothing but reads. On each real store."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.httpsession import URLLib3Session
from minio import MinioAdmin

from infra import cli
from infra.config import stack_files
from infra.env import files
from infra.init import initialise
from infra.outcome import Outcome
from infra.policies import normalised
from infra.stores import buckets
from infra.stores.keys import SlotState, ensure_key
from tests.infra.conftest import Environment


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The method of every request, and of IAM, which has only POST, the action."""
    sent: list[str] = []
    send, open_url = URLLib3Session.send, MinioAdmin._url_open

    def noted(session: URLLib3Session, request: Any) -> Any:
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        sent.append(parse_qs(body).get("Action", [request.method])[0])
        return send(session, request)

    def noted_by_minio(self: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(str(arguments[0] if arguments else options["method"]))
        return open_url(self, *arguments, **options)

    monkeypatch.setattr(URLLib3Session, "send", noted)
    monkeypatch.setattr(MinioAdmin, "_url_open", noted_by_minio)
    return sent


def is_read(request: str) -> bool:
    return request in {"GET", "HEAD"} or request.startswith(("Get", "List"))


def said(environment: Environment, *, dry_run: bool) -> list[str]:
    outcomes: list[tuple[str, Outcome]] = []
    initialise(environment.config, lambda *outcome: outcomes.append(outcome), dry_run=dry_run)
    return [f"{subject}: {outcome.text}" for subject, outcome in outcomes]


def done(line: str) -> str:
    """Return a line of a dry run in the words of a real one; neither names a new access key."""
    return re.sub(
        r"key \.\.\.\S+ created", "key created", line.replace("would be ", "").replace("changed:", "changed")
    )


def state(environment: Environment) -> list[object]:
    """Everything that `init` could change."""
    names = [f"{environment.name}-{role}" for role in ("in", "out")]
    users = [f"mpr-{environment.name}-{identity}" for identity in environment.config.names]
    manager, store = environment.server.manager, environment.store
    return [
        [buckets.read(store, name) for name in names],
        [(normalised(manager.read_identity(store, user)), manager.access_keys(store, user)) for user in users],
        sorted((path, path.stat().st_mtime_ns, path.read_bytes()) for path in environment.folder.iterdir()),
    ]


def agree(environment: Environment, requests: list[str]) -> list[str]:
    """Run dry, check that nothing changed, run really, check that it says the same; return the lines."""
    before = state(environment)
    requests.clear()
    lines = said(environment, dry_run=True)
    assert requests
    assert [request for request in requests if not is_read(request)] == []
    assert state(environment) == before
    assert list(map(done, said(environment, dry_run=False))) == list(map(done, lines))
    return [line for line in lines if not line.startswith("notice")]


def test_a_dry_run_says_what_the_real_run_then_does(environment: Environment, requests: list[str]):
    name = environment.name
    environment.values["identities"] = ["app", "viewer"]
    assert agree(environment, requests) == [
        f"bucket {name}-in: would be created",
        f"bucket {name}-out: would be created",
        f"identity mpr-{name}-app: would be created",
        f"identity mpr-{name}-app: key would be created",
        f"env file {name}.env: would be written",
        f"identity mpr-{name}-viewer: would be created",
        f"identity mpr-{name}-viewer: key would be created",
        f"env file {name}.viewer.env: would be written",
    ]
    lines = agree(environment, requests)
    assert all(line.endswith("unchanged") for line in lines), lines

    environment.values["buckets"]["out"] |= {"versioning": True, "noncurrentDays": 3}
    environment.values["identities"] = ["app", {"name": "viewer", "rights": "pipeline"}]
    environment.values["publicEndpoint"] = "https://media.example"
    changed = [line for line in agree(environment, requests) if not line.endswith("unchanged")]
    assert changed == [
        f"bucket {name}-out: would be changed: versioning, noncurrentDays",
        f"env file {name}.env: would be written",
        f"identity mpr-{name}-viewer: policy would be changed",
        f"env file {name}.viewer.env: would be written",
    ]


@pytest.mark.timeout(300)  # 30 s on a quiet machine
def test_the_steps_of_a_rotation_are_previewed(environment: Environment, requests: list[str]):
    environment.values["identities"] = ["app"]
    environment.initialise()
    outcome = re.compile(rf"identity mpr-{environment.name}-app: key (?:\.\.\.\S+ )?(.*)")
    seen = []
    for slots in (
        {"current": "a", "step": "start"},
        {"current": "b", "step": "switch"},
        {"current": "b", "step": "retire"},
        {"current": "b", "step": "switch"},
        {"current": "b"},
    ):
        environment.values["slots"] = {"app": slots}
        matches = map(outcome.fullmatch, agree(environment, requests))
        seen.append([match[1] for match in matches if match])
    assert seen == [
        ["unchanged", "would be created"],
        ["unchanged", "unchanged"],
        ["unchanged", "would be deactivated"],
        ["unchanged", "would be activated"],
        ["would be deleted", "unchanged"],
    ]


def test_keys_that_a_disposable_environment_would_delete_are_named(
    seaweed_environment: Environment, requests: list[str]
):
    seaweed_environment.values.update(identities=["app"], disposable=True)
    seaweed_environment.initialise()
    user = f"mpr-{seaweed_environment.name}-app"
    slot = SlotState(disposable=False)
    ensure_key(seaweed_environment.server.manager, seaweed_environment.store, user, None, slot)
    seaweed_environment.file("app").unlink()
    lines = [line for line in agree(seaweed_environment, requests) if line.startswith("identity")]
    assert [re.sub(r"\.\.\.\S+", "...", line) for line in lines] == [
        f"identity {user}: key ... would be deleted",
        f"identity {user}: key ... would be deleted",
        f"identity {user}: key would be created",
    ]


def test_a_third_key_is_refused_by_a_dry_run_as_well(seaweed_environment: Environment, capsys):
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.save()
    for _ in range(2):
        seaweed_environment.initialise()
        seaweed_environment.file("app").unlink()
    assert cli.run(["init", seaweed_environment.name, "--dry-run"]) == 2
    assert "has 2 access keys, the most" in capsys.readouterr().err


@pytest.mark.minio
def test_a_chosen_key_is_previewed(minio_environment: Environment, requests: list[str], monkeypatch):
    minio_environment.values["identities"] = ["app"]
    monkeypatch.setenv("MPR_APP_ACCESS_KEY_ID", "chosenkeyid1")
    monkeypatch.setenv("MPR_APP_SECRET_ACCESS_KEY", "chosen-secret-of-a-test")
    lines = [line for line in agree(minio_environment, requests) if "key" in line]
    assert [line.partition("key ")[2] for line in lines] == [
        "...yid1 would be set as configured",
        "...yid1 unchanged",
    ]


def test_the_command_changes_nothing_and_prints_one_object(
    seaweed_environment: Environment, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(stack_files, "ROOT", seaweed_environment.folder.parent)
    seaweed_environment.values["identities"] = ["app"]
    seaweed_environment.save()
    name = seaweed_environment.name
    assert cli.run(["init", name, "--dry-run", "--json"]) == 0
    assert f'"bucket {name}-in": "would be created"' in capsys.readouterr().out
    assert buckets.read(seaweed_environment.store, f"{name}-in") is None
    assert not list(seaweed_environment.folder.glob("*.env"))
    assert cli.run(["init", name, "--dry-run", "--check"]) == 2
    assert "--check writes objects, and --dry-run changes nothing" in capsys.readouterr().err
    assert files.state(seaweed_environment.file("app")) == "missing"
