"""The Tiltfile, run by a real Starlark with Tilt's functions noted down instead of done."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from infra.config.load import load_environment
from tests.conftest import REPO
from tests.deploy.conftest import STORES, containers, manifests, named

TILTFILE = (REPO / "Tiltfile").read_text()


class FailedError(Exception):
    pass


def tilt(text: str = TILTFILE, **settings: str) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The calls that a Tiltfile makes."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def noted(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls.append((name, arguments, options))
            return settings if name == "config_parse" else f"{name} {arguments[0] if arguments else ''}"

        return call

    def fail(message: str) -> None:
        raise FailedError(message)

    names = ("k8s_yaml", "kustomize", "local_resource", "k8s_resource", "docker_build", "port_forward")
    # A dot is all that Starlark's own values lack here.
    text = text.replace("config.parse", "config_parse").replace("config.define_string", "define_string")
    functions = {name: noted(name) for name in (*names, "config_parse", "define_string")}
    import_module("starlark_go").Starlark(globals={**functions, "fail": fail}).exec(text, filename="Tiltfile")
    return calls


def arguments_of(calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]], name: str) -> list[Any]:
    return [(arguments, options) for called, arguments, options in calls if called == name]


def test_starlark_refuses_what_is_wrong():
    with pytest.raises(Exception, match="undefined: k8s_yml"):
        tilt(TILTFILE.replace("k8s_yaml", "k8s_yml"))


def test_minio_is_what_runs_unless_it_says_otherwise():
    assert arguments_of(tilt(), "kustomize") == [(("deploy/kubernetes/minio",), {})]
    assert arguments_of(tilt(store="seaweedfs"), "kustomize") == [(("deploy/kubernetes/seaweedfs",), {})]


def test_another_store_is_refused_with_those_that_there_are():
    with pytest.raises(Exception, match="must be one of minio, seaweedfs, got ceph"):
        tilt(store="ceph")


@pytest.mark.parametrize("store", STORES)
def test_every_path_is_there(store):
    calls = tilt(store=store)
    paths = [arguments[0] for arguments, _ in arguments_of(calls, "kustomize")]
    for arguments, options in arguments_of(calls, "docker_build"):
        paths += [arguments[1], options.get("dockerfile", f"{arguments[1]}/Dockerfile")]
    for (_, command), options in arguments_of(calls, "local_resource"):
        paths += [command[0], *options.get("deps", ())]
        assert os.access(REPO / command[0], os.X_OK)
    assert len(paths) > 3
    assert [one for one in paths if not (REPO / one).exists()] == []


@pytest.mark.parametrize("store", STORES)
def test_every_resource_is_one_and_nothing_waits_for_what_is_not_there(store):
    calls = tilt(store=store)
    workloads = {one["metadata"]["name"] for one in manifests(store) if one["kind"] in {"Deployment", "Job"}}
    assert {arguments[0] for arguments, _ in arguments_of(calls, "k8s_resource")} == workloads
    local = {arguments[0] for arguments, _ in arguments_of(calls, "local_resource")}
    waits = {one for _, _, options in calls for one in options.get("resource_deps", ())}
    assert waits <= workloads | local


@pytest.mark.parametrize("store", STORES)
def test_what_is_forwarded_is_where_the_environment_is(store):
    calls = tilt(store=store)
    service = named(store, "Service", store)["spec"]
    forwarded = [arguments[0] for arguments, _ in arguments_of(calls, "port_forward")]
    assert {one["port"] for one in service["ports"]} <= set(forwarded)
    endpoint = load_environment(store).endpoint
    assert endpoint == f"http://localhost:{service['ports'][0]['port']}"
    secrets = next(
        arguments[1] for arguments, _ in arguments_of(calls, "local_resource") if arguments[0] == "secrets"
    )
    assert secrets[1:] == ["identities", store, f"http://{store}:{service['ports'][0]['port']}"]


def test_the_images_are_those_of_the_manifests():
    built = {arguments[0] for arguments, _ in arguments_of(tilt(), "docker_build")}
    pods = [one["spec"]["template"]["spec"] for one in manifests("minio") if one["kind"] in {"Deployment", "Job"}]
    assert {one["image"].partition(":")[0] for pod in pods for one in containers(pod)} == built
    assert arguments_of(tilt(store="seaweedfs"), "docker_build") == []
