"""The Kubernetes manifests against the settings, the image and each other. `make supply` has the schemas."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.server import DRAIN_S as API_DRAIN_S
from tests.stack.composition import DEPLOY, ROOT
from tests.stack.test_compose import LIBRARIES, settings_variables
from worker import DRAIN_S as WORKER_DRAIN_S

KUBERNETES = DEPLOY / "kubernetes"
FOLDERS = sorted(file.parent for file in KUBERNETES.rglob("kustomization.yaml"))
PRE_STOP_S = 5
DRAINS = {"api": API_DRAIN_S + PRE_STOP_S, "worker": WORKER_DRAIN_S}
KNOWN = LIBRARIES | {"TEMPORAL_TLS", "TEMPORAL_API_KEY"}


def documents(file: Path) -> Iterator[Any]:
    yield from yaml.safe_load_all(file.read_text())


def deployments() -> dict[str, Any]:
    base = (document for file in (KUBERNETES / "base").glob("*.yaml") for document in documents(file))
    return {one["metadata"]["name"]: one for one in base if one["kind"] in ("Deployment", "Job")}


def container(deployment: Any) -> Any:
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return only


def literals(folder: Path) -> dict[str, str]:
    (kustomization,) = documents(folder / "kustomization.yaml")
    lines = [line for one in kustomization.get("configMapGenerator", []) for line in one["literals"]]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_a_folder_names_is_there(folder: Path) -> None:
    (kustomization,) = documents(folder / "kustomization.yaml")
    named = [*kustomization.get("resources", []), *kustomization.get("components", [])]
    assert named
    for name in named:
        place = folder / name
        assert place.is_file() or (place / "kustomization.yaml").is_file(), name
    beside = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert beside <= set(named), "a file that no kustomization names"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_processes_are_told_only_what_they_understand(folder: Path) -> None:
    assert set(literals(folder)) <= settings_variables() | KNOWN


def test_no_process_has_more_rights_than_the_image_needs() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for name, deployment in deployments().items():
        pod, only = deployment["spec"]["template"]["spec"], container(deployment)
        assert pod["securityContext"]["runAsUser"] == int(user), name
        assert pod["securityContext"]["runAsNonRoot"], name
        assert not pod["automountServiceAccountToken"], name
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert only["resources"]["limits"]["memory"], name


def test_the_probes_ask_the_port_that_the_process_is_told() -> None:
    told = literals(KUBERNETES / "base")
    for name in ("api", "worker", "trips"):
        only = container(deployments()[name])
        (port,) = only["ports"]
        assert str(port["containerPort"]) == told[f"TRIPS_{name.upper()}_PORT"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert only[probe]["httpGet"]["port"] == port["name"]


@pytest.mark.parametrize(("name", "drain_s"), DRAINS.items())
def test_grace_is_longer_than_the_drain(name: str, drain_s: float) -> None:
    assert deployments()[name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > drain_s + 5


def test_the_front_door_waits_before_it_takes_no_more() -> None:
    command = container(deployments()["api"])["lifecycle"]["preStop"]["exec"]["command"]
    assert command[-1] == f"import time; time.sleep({PRE_STOP_S})"
