from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from infra.config.trust import Trust
from infra.targets.aws.trust_policy import trust_policy
from tests.command_line import read_arguments
from tests.conftest import REPO, executable

GITHUB = REPO / ".github"
DOCS = REPO / "docs" / "how-to" / "ci.md"
STORAGE = ".github/workflows/storage.yml"
ACTIONLINT = executable("actionlint")
needs_actionlint = pytest.mark.skipif(ACTIONLINT is None, reason="no actionlint: `make actionlint` builds it")

#: Changes the cloud or the state.
CHANGES = re.compile(r"pulumi (up|destroy|refresh|import|cancel|state)\b")
#: Through these, GitHub gives a pull request of a fork the repository's own secrets.
DANGEROUS_EVENTS = {"pull_request_target", "workflow_run", "issue_comment"}
#: Keys of clouds that take GitHub's identity instead.
CLOUD_KEY = re.compile(r"secrets\.((?:AWS|AMAZON|GOOGLE|GCP|GCLOUD|GCS)_\w+)", re.IGNORECASE)
KEY_INPUTS = {"aws-access-key-id", "aws-secret-access-key", "credentials_json"}
#: What jobs may do: read the checkout, log in to a cloud, upload to PyPI, sign attestations.
PERMISSIONS = (
    {"contents": "read"},
    {"contents": "read", "id-token": "write"},
    {"id-token": "write"},
    {"id-token": "write", "attestations": "write"},
)
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"


def run(command: list[str], folder: Path = REPO) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def zizmor(folder: Path, *options: str, of: Iterable[str] = (".",)) -> subprocess.CompletedProcess[str]:
    """Run zizmor over the `.github` of each of these folders, as strictly as it can without asking GitHub."""
    program = executable("zizmor")
    assert program, "the `zizmor` program is missing: install the project's requirements"
    return run(
        [
            program,
            "--offline",
            "--color=never",
            "--no-progress",
            "--strict-collection",
            "--persona=auditor",
            *options,
            *(f"{one}/.github" for one in of),
        ],
        folder,
    )


def actionlint(*folders: Path) -> subprocess.CompletedProcess[str]:
    assert ACTIONLINT
    files = [file for folder in folders for file in sorted((folder / ".github" / "workflows").glob("*.yml"))]
    return run([ACTIONLINT, "-no-color", "-oneline", *map(str, files)])


def copied(folder: Path) -> Path:
    """Copy the workflows into a folder, to break them there."""
    shutil.copytree(GITHUB, folder / ".github")
    (folder / ".git").mkdir()  # where actionlint looks for the actions of the repository
    return folder


def broken(folder: Path, old: str, new: str, file: str = STORAGE) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def broken_copy(folders: pytest.TempPathFactory, old: str, new: str) -> Path:
    copy = copied(folders.mktemp("workflows"))
    broken(copy, old, new)
    return copy


def workflows(folder: Path) -> dict[str, Any]:
    return {
        one.name: yaml.safe_load(one.read_text()) for one in sorted((folder / ".github/workflows").glob("*.yml"))
    }


def jobs(folder: Path) -> Iterator[tuple[str, Any, set[str]]]:
    """Every job with its name and the events of its workflow."""
    for file, workflow in workflows(folder).items():
        for name, job in workflow["jobs"].items():
            yield f"{file}: {name}", job, set(workflow[True])  # YAML 1.1: `on` is a truth value


def steps(folder: Path) -> Iterator[Any]:
    for _, job, _ in jobs(folder):
        yield from job["steps"]
    for action in sorted((folder / ".github" / "actions").rglob("action.yml")):
        yield from yaml.safe_load(action.read_text())["runs"]["steps"]


def scripts(job: Any) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def events(folder: Path) -> Iterator[str]:
    for name, _, triggers in jobs(folder):
        yield from (f"{name} runs on {one}" for one in sorted(triggers & DANGEROUS_EVENTS))


def pins(folder: Path) -> Iterator[str]:
    for file in sorted((folder / ".github").rglob("*.yml")):
        for action in re.findall(r"^\s*(?:- )?uses: (?!\./)(.+)", file.read_text(), re.MULTILINE):
            if not re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action):
                yield f"not pinned: {action}"


def keys(folder: Path) -> Iterator[str]:
    for file in sorted((folder / ".github").rglob("*.yml")):
        yield from (f"a long-lived key: {name}" for name in CLOUD_KEY.findall(file.read_text()))
    for step in steps(folder):
        yield from (f"a long-lived key: {name}" for name in sorted(KEY_INPUTS & set(step.get("with", {}))))


def changing_jobs(folder: Path) -> Iterator[str]:
    """What changes the storage runs from main alone, one at a time, and is never stopped."""
    for name, job, triggers in jobs(folder):
        if not CHANGES.search(scripts(job)):
            continue
        conditions = {one.strip() for one in job.get("if", "").split("&&")}
        if "pull_request" in triggers and "github.event_name != 'pull_request'" not in conditions:
            yield f"{name} changes storage on a pull request"
        if "github.ref == 'refs/heads/main'" not in conditions:
            yield f"{name} changes storage from any branch"
        concurrency = job.get("concurrency", {})
        if concurrency.get("cancel-in-progress") is not False:
            yield f"{name} may be stopped in the middle"
        if "matrix.environment" not in concurrency.get("group", ""):
            yield f"{name} may run twice at a time"


def actions_of_others(folder: Path) -> Iterator[str]:
    """A job of pull requests that gets anything of ours leaves out forks."""
    for name, job, triggers in jobs(folder):
        conditions = {one.strip() for one in job.get("if", "").split("&&")}
        on_pull_requests = "pull_request" in triggers and "github.event_name != 'pull_request'" not in conditions
        privileged = "secrets." in json.dumps(job) or "id-token" in job.get("permissions", {})
        if on_pull_requests and privileged and SAME_REPOSITORY not in conditions:
            yield f"{name} would run for a fork"


def permissions(folder: Path) -> Iterator[str]:
    for file, workflow in workflows(folder).items():
        if workflow.get("permissions") != {}:
            yield f"{file} gives permissions to every job"
    for name, job, _ in jobs(folder):
        if job.get("permissions") not in PERMISSIONS:
            yield f"{name} may do more than read and log in"


def secrets_of_steps(folder: Path) -> Iterator[str]:
    """A secret is given to the step that needs it, not to all that others wrote."""
    for name, job, _ in jobs(folder):
        if "secrets." in json.dumps(job.get("env", {})):
            yield f"{name} gives its secrets to every step"


RULES: tuple[Callable[[Path], Iterator[str]], ...] = (
    events,
    pins,
    keys,
    changing_jobs,
    actions_of_others,
    permissions,
    secrets_of_steps,
)

#: How each rule is broken, and what it says then.
BREAKS = [
    ("on:\n  pull_request:", "on:\n  pull_request_target:", "deploy runs on pull_request_target"),
    ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "not pinned: actions/checkout@v7"),
    (" # v6.2.3", "", "not pinned: aws-actions/configure-aws-credentials@"),
    ("secrets.CLOUDFLARE_API_TOKEN", "secrets.AWS_SECRET_ACCESS_KEY", "a long-lived key: AWS_SECRET_ACCESS_KEY"),
    ("secrets.CLOUDFLARE_API_TOKEN", "secrets.GCP_CREDENTIALS", "a long-lived key: GCP_CREDENTIALS"),
    ("role-to-assume:", "aws-access-key-id:", "a long-lived key: aws-access-key-id"),
    ("run: pulumi preview", "run: pulumi up", "preview changes storage on a pull request"),
    ("github.event_name != 'pull_request' && ", "", "deploy changes storage on a pull request"),
    ("github.ref == 'refs/heads/main' && ", "", "deploy changes storage from any branch"),
    ("cancel-in-progress: false", "cancel-in-progress: true", "deploy may be stopped in the middle"),
    ("group: storage-${{ matrix.environment }}\n", "group: storage\n", "deploy may run twice at a time"),
    (SAME_REPOSITORY, "true", "preview would run for a fork"),
    ("permissions: {}", "permissions: write-all", "storage.yml gives permissions to every job"),
    ("contents: read", "contents: write", "deploy may do more than read and log in"),
    ("ENVIRONMENT: ${{ matrix.environment }}\n    steps:", "X: ${{ secrets.X }}\n    steps:", "to every step"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_workflows_follow_each_security_rule(rule):
    assert list(rule(REPO)) == []


@pytest.mark.parametrize(("old", "new", "says"), BREAKS, ids=[says for *_, says in BREAKS])
def test_a_workflow_that_breaks_a_security_rule_is_reported(tmp_path, old, new, says):
    copy = copied(tmp_path)
    broken(copy, old, new)
    assert [one for rule in RULES for one in rule(copy) if says in one]


@needs_actionlint
def test_actionlint_has_no_findings_in_the_workflows():
    done = actionlint(REPO)
    assert (done.returncode, done.stdout) == (0, "")


#: How a workflow is broken, and the message of actionlint.
ACTIONLINT_BREAKS = [
    ("runs-on: ubuntu-24.04", "runs-on: ubuntu-2404", "runner-label"),
    ("matrix.environment", "matrix.environmen", 'property "environmen" is not defined'),
    ("          aws-role:", "          aws-rol:", 'input "aws-rol" is not defined'),
    ("steps.app.outputs", "steps.ap.outputs", 'property "ap" is not defined'),
]


@pytest.fixture(scope="module")
def actionlint_findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The lines of one run of actionlint over all copies, by what is broken in each."""
    folders = {new: broken_copy(tmp_path_factory, old, new) for old, new, _ in ACTIONLINT_BREAKS}
    done = actionlint(*folders.values())
    assert done.returncode == 1, done.stdout + done.stderr
    return {
        new: "\n".join(line for line in done.stdout.splitlines() if folder.name in line)
        for new, folder in folders.items()
    }


@needs_actionlint
@pytest.mark.parametrize(("new", "message"), [(new, message) for _, new, message in ACTIONLINT_BREAKS])
def test_actionlint_reports_each_planted_mistake(actionlint_findings, new, message):
    assert message in actionlint_findings[new]


def test_zizmor_has_no_findings_in_the_workflows():
    done = zizmor(REPO)
    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout


#: How a workflow is broken, and the audit of zizmor that finds it.
ZIZMOR_BREAKS = [
    ("persist-credentials: false", "persist-credentials: true", "artipacked"),
    ("on:\n  pull_request:", "on:\n  pull_request_target:", "dangerous-triggers"),
    ('--stack "$ENVIRONMENT" --diff', "--stack ${{ github.head_ref }}", "template-injection"),
    ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "unpinned-uses"),
    ("permissions: {}", "permissions: write-all", "excessive-permissions"),
    ("          permission-environments: write\n", "", "github-app"),
    (" # zizmor: ignore[self-repository]", " #", "self-repository"),
]


@pytest.fixture(scope="module")
def zizmor_findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The audits that failed in one run of zizmor over all copies, by the audit that is to find each copy."""
    folders = {audit: broken_copy(tmp_path_factory, old, new) for old, new, audit in ZIZMOR_BREAKS}
    parent = next(iter(folders.values())).parent
    done = zizmor(parent, "--format=json", of=[folder.name for folder in folders.values()])
    assert done.returncode > 10, done.stderr
    findings: dict[str, set[str]] = {audit: set() for audit in folders}
    audits = {folder.name: audit for audit, folder in folders.items()}
    for finding in json.loads(done.stdout):
        path = finding["locations"][0]["symbolic"]["key"]["Local"]["verbatim_path"]
        findings[audits[Path(path).parts[0]]].add(finding["ident"])
    return findings


@pytest.mark.parametrize("audit", [audit for *_, audit in ZIZMOR_BREAKS])
def test_zizmor_reports_each_planted_mistake(zizmor_findings, audit):
    assert audit in zizmor_findings[audit]


def test_every_ignored_zizmor_finding_has_a_reason():
    for file in GITHUB.rglob("*.yml"):
        for line in file.read_text().splitlines():
            if "zizmor: ignore" in line:
                assert re.search(r"zizmor: ignore\[[\w-]+\] \w+ \w+", line)
    assert not list(GITHUB.rglob("zizmor.y*ml"))


def commands(text: str, program: str) -> list[list[str]]:
    """The arguments of every call of `program` in a shell script, with the environment `local`."""
    text = text.replace("\\\n", " ").replace("$ENVIRONMENT", "local").replace("studio", "local")
    found = re.findall(rf"(?:^|[\s;]){re.escape(program)} ([^|;&>\n]+)", text, re.MULTILINE)
    return [shlex.split(one, comments=True) for one in found]


def all_scripts() -> str:
    """What the workflows and their documentation have a shell do."""
    documented = re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    return "\n".join([*(step.get("run", "") for step in steps(REPO)), *documented])


@pytest.mark.parametrize("words", commands(all_scripts(), ".venv/bin/python -m infra"), ids=" ".join)
def test_infra_accepts_every_command_in_workflows_and_ci_documentation(words):
    read_arguments(words)


def test_ci_uses_only_the_expected_commands_of_infra_and_pulumi():
    assert {words[0] for words in commands(all_scripts(), ".venv/bin/python -m infra")} == {"check", "env"}
    assert {words[0] for words in commands(all_scripts(), "pulumi")} == {"preview", "up", "stack"}


@pytest.mark.parametrize("words", [["env", "local", "--form", "dotenv"], ["check", "local", "more"]], ids=" ".join)
def test_infra_refuses_unknown_options_and_arguments(words):
    with pytest.raises(click.UsageError):
        read_arguments(words)


@pytest.mark.engine
@pytest.mark.skipif(executable("pulumi") is None, reason="no pulumi on PATH")
@pytest.mark.parametrize("words", commands(all_scripts(), "pulumi"), ids=" ".join)
def test_pulumi_accepts_every_command_in_workflows_and_ci_documentation(words):
    done = run([str(executable("pulumi")), *words, "--help"])
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert done.returncode == 0, done.stderr
    assert options <= set(re.findall(r"--[\w-]+", done.stdout))


@pytest.mark.parametrize("target", ["local", "aws", "gcp", "r2"])
def test_make_knows_the_requirements_of_each_target(target):
    done = run(["make", "--dry-run", f".venv/{target}"])
    assert done.returncode == 0, done.stderr
    assert f"requirements/{target}.txt" in done.stdout or "up to date" in done.stdout


def test_the_target_of_an_environment_decides_what_is_installed():
    script = next(step["run"] for step in steps(REPO) if "make .venv/local" in step.get("run", ""))
    (code,) = re.findall(r"-c '([^']+)' \"\$ENVIRONMENT\"", script)
    done = run([sys.executable, "-c", code, "local"])
    assert (done.stdout.strip(), done.stderr) == ("s3-compatible", "")


def test_the_pulumi_version_in_workflows_is_that_of_the_python_package():
    (wanted,) = re.findall(r"^pulumi==(\S+)", (REPO / "requirements/local.txt").read_text(), re.MULTILINE)
    used = [step["with"]["pulumi-version"] for step in steps(REPO) if "pulumi/actions" in step.get("uses", "")]
    assert used == [wanted] * len(used)
    assert used


def test_every_supported_python_is_tested():
    project = (REPO / "pyproject.toml").read_text()
    supported = re.findall(r"Python :: (3\.\d+)", project)
    assert workflows(REPO)["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]["python"] == supported


def test_every_variable_and_secret_of_the_storage_workflow_is_documented():
    text = (REPO / STORAGE).read_text()
    used = set(re.findall(r"\b(?:vars|secrets)\.(\w+)", text))
    table = DOCS.read_text().partition("### What to set where")[2].partition("\n\nAllow only")[0]
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", table)) == used


def test_the_documented_trust_policy_equals_the_generated_one():
    (documented,) = re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    trust = Trust(github=("acme@1234/media@5678:environment:studio",))
    assert json.loads(documented) == trust_policy(trust, "123456789012", "aws")
