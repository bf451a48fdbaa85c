from __future__ import annotations

import base64
import json
import re
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from infra.config.load import load_environment
from tests.conftest import REPO
from tests.deploy.conftest import DEPLOY, IDENTITIES, KUBERNETES, STORES, containers, manifests, named, pods

PODS = dict(pods())


@pytest.mark.parametrize("store", STORES)
def test_kubernetes_takes_them(store):
    for one in manifests(store):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_kubernetes_would_refuse_others():
    wrong = named("minio", "Deployment", "minio")
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("store", STORES)
def test_no_file_is_left_out(store):
    listed = yaml.safe_load((KUBERNETES / store / "kustomization.yaml").read_text())["resources"]
    assert {*listed, "kustomization.yaml"} == {one.name for one in (KUBERNETES / store).iterdir()}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_no_more_than_it_must(name):
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in containers(pod):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in one["resources"]["limits"]


@pytest.mark.parametrize("store", STORES)
def test_a_store_has_its_disk_alone_and_is_asked_whether_it_works(store):
    deployment = named(store, "Deployment", store)["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert all(
        container[f"{one}Probe"]["httpGet"]["port"] in ports for one in ("startup", "liveness", "readiness")
    )
    (claim,) = [one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"] if "emptyDir" not in one]
    assert named(store, "PersistentVolumeClaim", claim)
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    service = named(store, "Service", store)["spec"]
    assert {one["port"]: ports[one["targetPort"]] for one in service["ports"]} == {
        one: one for one in ports.values()
    }
    assert service["selector"].items() <= deployment["template"]["metadata"]["labels"].items()
    assert "type" not in service  # reachable from the cluster alone


def test_the_probes_of_minio():
    (container,) = PODS["minio"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/minio/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/minio/health/ready"


def test_the_inner_servers_of_seaweedfs_are_closed():
    policy = named("seaweedfs", "NetworkPolicy", "seaweedfs")["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"] == [{"ports": [{"port": "s3"}]}]


def secrets_in(text: str) -> list[str]:
    """What could be a key: a Secret with values, or a variable for a key that holds one."""
    found = []
    for one in yaml.safe_load_all(text):
        if (one or {}).get("kind") == "Secret":
            values = [*one.get("stringData", {}).values(), *one.get("data", {}).values()]
            found += [value for value in values if not re.fullmatch(r"\$\{[a-z_]+\}", value)]
    names = r"[A-Z_]*(?:SECRET|PASSWORD|ACCESS_KEY|TOKEN|ROOT_USER)[A-Z_]*"
    found += re.findall(rf"name: {names}\s+value: *(.+)", text)
    found += re.findall(rf"^ *-? *\"?{names}\"?[:=] *(?!\$\{{)(\S+)", text, re.MULTILINE)
    return found


FILES = [one for one in (*DEPLOY.rglob("*"), REPO / "Tiltfile") if one.suffix == ".yaml"]


@pytest.mark.parametrize("file", FILES, ids=lambda one: one.relative_to(REPO).as_posix())
def test_no_file_holds_a_key(file):
    assert secrets_in(file.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "kind: Secret\nstringData:\n  x: hush",
        f"kind: Secret\ndata: {{x: {base64.b64encode(b'hush').decode()}}}",
        "env:\n  - name: MINIO_ROOT_PASSWORD\n    value: hush",
        "environment:\n  AWS_SECRET_ACCESS_KEY: hush",
        "environment:\n  - AWS_ACCESS_KEY_ID=hush",
    ],
)
def test_a_key_would_be_seen(text):
    assert secrets_in(text)


def test_the_job_asks_for_each_identity_of_the_configuration():
    config = load_environment("minio")
    assert config.names == IDENTITIES
    job = named("minio", "Job", "minio-init")["spec"]["template"]["spec"]["containers"][0]
    assert {one["name"]: one["valueFrom"]["secretKeyRef"] for one in job["env"]} == {
        f"MPR_{name.upper()}_{key}": {"name": f"mpr-storage-minio-{name}", "key": f"AWS_{key}"}
        for name in IDENTITIES
        for key in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    }


def test_it_reaches_minio_by_its_service():
    job = named("minio", "Job", "minio-init")["spec"]["template"]["spec"]["containers"][0]
    endpoint = job["command"][job["command"].index("--endpoint") + 1]
    ports = {one["name"]: one["port"] for one in named("minio", "Service", "minio")["spec"]["ports"]}
    assert endpoint == f"http://minio:{ports['s3']}"


@pytest.mark.parametrize("store", STORES)
def test_the_store_takes_the_keys_of_the_admin_secret(store):
    template = yaml.safe_load((KUBERNETES / "admin-secret.yaml").read_text())
    assert template["metadata"]["name"].replace("${environment}", store) == f"{store}-admin"
    used: list[Any] = [
        one["valueFrom"]["secretKeyRef"] for one in PODS[store]["containers"][0]["env"] if "valueFrom" in one
    ]
    assert {one["name"] for one in used} == {f"{store}-admin"}
    assert {one["key"] for one in used} == set(template["stringData"])
    assert json.dumps(template).count("${") == 3
