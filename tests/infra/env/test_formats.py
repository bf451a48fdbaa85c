"""Every format holds exactly the variables of the env file.

The programs that read the formats read them here too, except the data tools (test_options.py, test_tools.py) and
GitHub's runner, which is a double.
"""

from __future__ import annotations

import base64
import io
import json
import shlex
import shutil
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import dotenv
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from core.storage import StorageConfigError
from core.storage.settings import Settings
from infra.env import files
from infra.env.formats import FORMATS, masks
from tests.infra.conftest import http_server, responding
from tests.infra.env.support import ODD, SHAPES, Machine, keyless, rendered, secrets_of

plain = st.text("abcXYZ019_@%+=:,./-[]", min_size=1, max_size=40)
unusual = st.builds(
    Settings,
    endpoint_url=st.none() | st.just("http://store:9000"),
    bucket_in=st.none() | st.just("media-in"),
    addressing_style=st.sampled_from([None, "path"]),
    region=st.just("us-east-1"),
    access_key_id=plain,
    secret_access_key=plain,
    session_token=st.none() | plain,
)
shapes = pytest.mark.parametrize("settings", SHAPES.values(), ids=list(SHAPES))

_SYSTEMD = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")


def test_the_page_of_env_files_names_every_format():
    page = (Path(__file__).parents[3] / "docs/reference/env-file.md").read_text(encoding="utf-8")
    table = page.partition("## Other formats")[2].partition("\n## ")[0]
    for name in FORMATS:
        assert f"`{name}`" in table


@pytest.mark.parametrize("name", FORMATS)
@shapes
def test_every_format_can_be_written_for_every_shape_and_always_the_same(name, settings):
    text = rendered(name, settings)
    assert text.endswith("\n")
    assert text == rendered(name, settings)
    if name != "kubernetes":  # which holds them as base64
        assert all(secret in text for secret in secrets_of(settings))


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_makes_up_keys(name):
    text = rendered(name, keyless(ODD)).lower()
    assert "none" not in text.replace("env_auth", "")
    assert not [word for word in ("access_key", '"secret"', "secret '", '"key"', "token") if word in text]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("value", ["a b", "a'b", 'a"b', "a\nb", "$a", "a\\", "a;b", "a#b", "a(b)", "\0", "é"])
def test_a_value_that_readers_would_take_differently_is_refused_by_name(name, value):
    with pytest.raises(
        StorageConfigError, match=r"^AWS_SECRET_ACCESS_KEY holds a (character|line break)"
    ) as caught:
        rendered(name, Settings(region="x", access_key_id="AKIA", secret_access_key=f"hush{value}"))
    assert "hush" not in str(caught.value)


# --- dotenv, shell, json ----------------------------------------------------------------------------------


@given(unusual)
@limits(deadline=None)
def test_dotenv_and_json_are_read_back(settings):
    text = rendered("dotenv", settings)
    assert text == files.render(settings, "test", "app")
    assert dotenv.dotenv_values(stream=io.StringIO(text)) == settings.to_env()
    assert json.loads(rendered("json", settings)) == settings.to_env()


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
@pytest.mark.parametrize("name", ["shell", "dotenv"])
@shapes
def test_shells_read_it_back(machine: Machine, shell, name, settings):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    file = machine.file("file", rendered(name, settings))
    load = {"shell": 'eval "$(cat "$1")"', "dotenv": 'set -a; . "$1"'}[name]
    output = machine.run([shell, "-c", f"{load}; exec env -0", shell, str(file)])
    actual = dict(line.split("=", 1) for line in output.split("\0") if line)
    assert {name: actual.get(name) for name in settings.to_env()} == settings.to_env()


def test_a_value_that_older_shells_could_take_for_a_pattern_is_quoted():
    settings = Settings(region="x", access_key_id="a[bc]", secret_access_key="hush")
    assert "export AWS_ACCESS_KEY_ID='a[bc]'\n" in rendered("shell", settings)


# --- docker ---------------------------------------------------------------------------------------------


@shapes
def test_the_docker_client_reads_it_back(machine: Machine, settings):
    """The client is the real one. The daemon is a double that records the requests to create a container."""
    docker = shutil.which("docker")
    if not docker:
        pytest.skip("the docker client is not installed")
    created: list[bytes] = []

    def daemon(request: BaseHTTPRequestHandler) -> None:
        if request.path.endswith("/_ping"):
            responding(200, "OK", {"Api-Version": "1.45", "Ostype": "linux"})(request)
        elif "/containers/create" in request.path:
            created.append(request.rfile.read(int(request.headers["Content-Length"])))
            request.headers.replace_header("Content-Length", "0")
            responding(201, '{"Id": "0123456789ab", "Warnings": []}', {"Content-Type": "application/json"})(
                request
            )
        else:
            responding(404, '{"message": "not in this double"}')(request)

    file = machine.file("file", rendered("docker", settings))
    with http_server(daemon) as endpoint:
        host = endpoint.replace("http:", "tcp:")
        machine.run([docker, "create", "--env-file", str(file), "image"], DOCKER_HOST=host)
    (body,) = created
    assert json.loads(body)["Env"] == [f"{name}={value}" for name, value in settings.to_env().items()]


# --- systemd --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not _SYSTEMD.exists(), reason=f"{_SYSTEMD.name} of systemd is not installed")
@shapes
def test_systemds_own_parser_reads_it_back(machine: Machine, settings):
    """The program is a part of systemd that has the parser of EnvironmentFile= and runs without being process 1.

    It also expands variables, which no value has.
    """
    machine.file(".config/environment.d/50-mpr.conf", rendered("systemd", settings))
    lines = machine.run([str(_SYSTEMD)]).splitlines()
    actual = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    assert {name: actual.get(name) for name in settings.to_env()} == settings.to_env()


# --- kubernetes -----------------------------------------------------------------------------------------


@shapes
def test_a_kubernetes_secret_is_valid_and_holds_the_variables(settings):
    secret = yaml.safe_load(rendered("kubernetes", settings))
    kubernetes_validate.validate(secret, kubernetes_validate.latest_version(), strict=True)
    assert {name: base64.b64decode(value).decode() for name, value in secret["data"].items()} == settings.to_env()
    assert secret["metadata"]["name"] == "mpr-storage-test-app"


@pytest.mark.parametrize(
    ("environment", "identity", "name"),
    [("Studio_B", "web", "mpr-storage-studio-b-web"), ("_-x_", "app", "mpr-storage-x-app")],
)
def test_a_kubernetes_secret_has_a_name_that_kubernetes_takes(environment, identity, name):
    assert yaml.safe_load(rendered("kubernetes", ODD, environment, identity))["metadata"]["name"] == name


@shapes
def test_kubectl_makes_the_same_secret_from_the_env_file(machine: Machine, settings):
    kubectl = shutil.which("kubectl")
    if not kubectl:
        pytest.skip("kubectl is not installed")
    manifest = machine.file("secret.yaml", rendered("kubernetes", settings))
    env = machine.file("file.env", rendered("dotenv", settings))
    create = [kubectl, "create", "secret", "generic", "mpr-storage-test-app", f"--from-env-file={env}"]
    expected = json.loads(machine.run([*create, "--dry-run=client", "-o", "json"]))
    # `label --local` reads a manifest without a cluster.
    actual = json.loads(machine.run([kubectl, "label", "--local", "-f", str(manifest), "a=b", "-o", "json"]))
    assert actual["data"] == expected["data"]
    assert actual["metadata"]["name"] == expected["metadata"]["name"]


# --- github-actions -------------------------------------------------------------------------------------


def by_runner(text: str) -> dict[str, str]:
    """Return the variables in the file that GITHUB_ENV names: a double of the runner, after its documentation.

    ``NAME=value`` lines, ``NAME<<DELIMITER`` before text of several lines, empty lines between; all else fails
    the step, and so does NODE_OPTIONS; GITHUB_ and RUNNER_ variables cannot be set
    (https://docs.github.com/actions/reference/workflow-commands-for-github-actions#setting-an-environment-variable).
    A name that is no identifier is refused too.
    """
    variables = {}
    lines = iter(text.split("\n"))
    for line in lines:
        name, equals, value = line.partition("=")
        if "<<" in name:
            name, _, delimiter = line.partition("<<")
            parts = []
            for part in lines:
                if part == delimiter:
                    break
                parts.append(part)
            else:
                raise ValueError("the delimiter is missing")
            value = "\n".join(parts)
        elif line and not equals:
            raise ValueError(f"invalid format: {line}")
        if line:
            if not name.isidentifier() or name == "NODE_OPTIONS" or name.startswith(("GITHUB_", "RUNNER_")):
                raise ValueError(f"cannot be set: {name}")
            variables[name] = value
    return variables


def masked_by_runner(log: str) -> list[str]:
    """Return the masked values: a double of the runner, which decodes escapes, after the same page."""
    masked = []
    for line in log.splitlines():
        assert line.startswith("::add-mask::"), "nothing else goes into the log"
        data = line.removeprefix("::add-mask::")
        for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            data = data.replace(escape, character)
        assert data, "the runner refuses an empty mask"
        masked.append(data)
    return masked


@given(unusual)
@limits(deadline=None)
def test_githubs_runner_reads_it_back_and_masks_the_keys(settings):
    assert by_runner(rendered("github-actions", settings)) == settings.to_env()
    credentials = [settings.access_key_id, settings.secret_access_key, settings.session_token]
    assert masked_by_runner(masks(settings)) == [value for value in credentials if value]


def test_without_keys_there_is_nothing_to_mask():
    assert masks(SHAPES["aws role"]) == ""


@pytest.mark.parametrize(
    "text", ["# a comment\n", "novalue\n", "A<<E\nx\n", "# X=1\n", "NODE_OPTIONS=x\n", "GITHUB_TOKEN=x\n"]
)
def test_the_double_of_the_runner_refuses_what_the_runner_refuses(text):
    with pytest.raises(ValueError, match=r"."):
        by_runner(text)
    assert by_runner("A<<E\nx=1\ny\nE\n\nB=2\n") == {"A": "x=1\ny", "B": "2"}
